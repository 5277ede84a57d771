package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func TestDiagnose(t *testing.T) {
	const (
		etcd      = "container kube-system/etcd-cp-1/etcd"
		apiserver = "container kube-system/kube-apiserver-cp-1/kube-apiserver"
		coredns   = "container kube-system/coredns-5f6c/coredns"
	)
	tests := map[string]struct{ source, line, what string }{
		"disk full":        {etcd, `write /var/lib/etcd/member/wal/0.tmp: no space left on device`, "a disk is full"},
		"etcd quota":       {etcd, `etcdserver: mvcc: database space exceeded`, "etcd has reached its quota"},
		"etcd alarm":       {etcd, `{"level":"warn","msg":"alarm raised","alarm":"NOSPACE"}`, "etcd has reached its quota"},
		"clock behind":     {kubelet, `tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2024-01-01T00:00:00Z is before 2026-01-01T00:00:00Z`, "a certificate is not valid yet"},
		"certificate old":  {kubelet, `x509: certificate has expired or is not yet valid: current time 2030-01-01T00:00:00Z is after 2027-01-01T00:00:00Z`, "a certificate has expired"},
		"other CA":         {kubelet, `remote error: tls: unknown certificate authority`, "a certificate is of another CA"},
		"swap":             {kubelet, `"command failed" err="failed to run Kubelet: running with swap on is not supported, please disable swap or set --fail-swap-on flag to false"`, "swap is on"},
		"cgroup v1":        {kubelet, `"command failed" err="failed to validate kubelet configuration, error: kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is unsupported"`, "the kubelet refuses cgroup v1"},
		"cgroup driver":    {kubelet, `"Error syncing pod, skipping" err="runc create failed: expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/kubepods/burstable/pod1/abc\" instead" pod="kube-system/etcd-cp-1"`, "containerd and the kubelet want different cgroup drivers"},
		"cgroup lacking":   {kubelet, `failed to start ContainerManager: system validation failed - Following Cgroup subsystem not mounted: missing required cgroups: memory`, "a cgroup controller is missing"},
		"port":             {apiserver, `listen tcp 0.0.0.0:6443: bind: address already in use`, "a port is taken"},
		"flag":             {apiserver, `Error: unknown flag: --feature-gatez`, "a flag is unknown to the component"},
		"kubelet config":   {kubelet, `failed to load kubelet config file, path: /var/lib/kubelet/config.yaml, error: strict decoding error: unknown field "maxPodz"`, "the kubelet's configuration is not valid"},
		"memory":           {kubelet, `Memory cgroup out of memory: Killed process 4711 (kube-apiserver) total-vm:1200000kB`, "the kernel killed a process for lack of memory"},
		"memory, ended":    {apiserver, `ended with code 137 OOMKilled, started 4 times`, "the kernel killed a process for lack of memory"},
		"image":            {kubelet, `"Unhandled Error" err="container &Container{Name:etcd} start failed in pod etcd-cp-1_kube-system(1f): ErrImageNeverPull: Container image \"registry.k8s.io/etcd:3.6.16-0\" is not present with pull policy of Never"`, "an image is missing"},
		"sandbox image":    {kubelet, `"Failed to create sandbox for pod" err="failed to get sandbox image \"registry.k8s.io/pause:3.10\": failed to pull image" pod="kube-system/etcd-cp-1"`, "an image is missing"},
		"network add-on":   {kubelet, `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized`, "the network add-on is not ready"},
		"API not reached":  {kubelet, `E1130 14:52:46.000000 1 kubelet_node_status.go:116] "Unable to register node with API server" err="Post \"https://10.0.0.200:16443/api/v1/nodes\": dial tcp 10.0.0.200:16443: connect: no route to host" node="w-1"`, "the kubelet does not reach the API"},
		"API refuses":      {kubelet, `E1130 14:52:46.000000 1 controller.go:145] "Failed to ensure lease exists, will retry" err="Get \"https://api.internal:16443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/w-1?timeout=10s\": dial tcp 10.0.0.200:16443: connect: connection refused" interval="7s"`, "the kubelet does not reach the API"},
		"plugin missing":   {kubelet, `plugin type="flannel" failed (add): failed to find plugin "flannel" in path [/opt/cni/bin]`, "the network add-on is not ready"},
		"containerd":       {kubelet, `validate service connection: dial unix /run/containerd/containerd.sock: connect: no such file or directory`, "containerd does not answer"},
		"containerd hangs": {kubelet, `E1129 22:00:01.000000 1 log.go:32] "ListPodSandbox with filter from runtime service failed" err="rpc error: code = DeadlineExceeded desc = context deadline exceeded" filter="nil"`, "containerd does not answer"},
		"containerd mute":  {"containerd", `no answer within 4s`, "containerd does not answer"},
		"systemd mute":     {"systemd", `no answer within 4s`, "systemd does not answer"},
		"host mute":        {"the host", `no answer within 10s`, "the host does not answer, or not all of it"},
		"dns loop":         {coredns, `[FATAL] plugin/loop: Loop (127.0.0.1:43061 -> :53) detected for zone "."`, "CoreDNS forwards to itself"},
		"no servers":       {coredns, `plugin/forward: no nameservers found`, "CoreDNS forwards to the host's name servers, and there are none"},
		"no resolv.conf":   {kubelet, `"Could not open resolv conf file." err="open /etc/resolv.conf: no such file or directory"`, "the kubelet's resolv.conf is missing"},
		"inotify":          {kubelet, `"command failed" err="failed to create watcher: too many open files"`, "the kernel's limit of open files or inotify instances is reached"},
		"etcd of another":  {etcd, `member 8e9e05c52164694d has already been bootstrapped`, "etcd's data belong to another cluster"},
		"own start":        {kubelet, `"Error syncing pod, skipping" err="failed to \"StartContainer\" for \"etcd\" with RunContainerError: \"exec /usr/local/bin/etcd: exec format error\"" pod="kube-system/etcd-cp-1" podUID="1"`, "a binary is for another architecture"},
		"architecture":     {etcd, `exec /usr/local/bin/etcd: exec format error`, "a binary is for another architecture"},
		"no leader":        {apiserver, `etcdserver: request timed out, waiting for the applied index took too long`, "etcd has no leader"},
		"no default route": {coredns, `dial tcp 10.96.0.1:443: connect: network is unreachable`, "the host has no route for an address that it asks"},
		"host not reached": {etcd, `dial tcp 10.0.0.12:2380: connect: no route to host`, "another host is not reached"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			evidence := []hosts.Evidence{
				{Source: test.source, Lines: []string{"Starting", test.line + "  ", "it goes on"}},
				{Source: "clock", Lines: []string{"2026-01-02T03:04:05Z"}},
			}
			cause, known := Diagnose("cp-1", evidence)
			if want := fmt.Sprintf("%s: %s says %q", test.what, test.source, test.line); !known || cause.Seen != want {
				t.Fatalf("seen is %q, should be %q", cause.Seen, want)
			}
			if cause.Check == "" || cause.Host != "cp-1" || cause.Severity != Error || cause.Fix == "" {
				t.Errorf("the finding does not tell its name, host, severity and fix: %+v", cause)
			}
		})
	}
}

// TestDiagnoseShowsALineThatCanBeRead: a log's line may be a whole Pod; the symptom at its end is still found.
func TestDiagnoseShowsALineThatCanBeRead(t *testing.T) {
	line := "write /var/lib/etcd/" + strings.Repeat("member/", 500) + "0.tmp: no space left on device"
	cause, known := Diagnose("cp-1", []hosts.Evidence{{Source: "container kube-system/etcd-cp-1/etcd", Lines: []string{line}}})
	if !known || len(cause.Seen) > 500 || !strings.Contains(cause.Seen, "no space left on device") {
		t.Errorf("known %v, %d characters: %s", known, len(cause.Seen), cause.Seen)
	}
}

// TestDiagnoseBelievesNobodyElse: lines that a tenant, its image's registry or whoever
// connects can bring about are no proof of anything.
func TestDiagnoseBelievesNobodyElse(t *testing.T) {
	tests := map[string]struct{ source, line string }{
		"a tenant's log":                             {"container default/app/app", `member 1 has already been bootstrapped`},
		"a tenant's Pod called etcd":                 {"container tenant/etcd-cp-1/etcd", `member 1 has already been bootstrapped`},
		"an add-on that speaks of etcd":              {"container kube-system/coredns-1/coredns", `member 1 has already been bootstrapped`},
		"a Pod called etcd, not static":              {"container kube-system/web-1/etcd", `cluster ID mismatch`},
		"the kubelet on etcd's data":                 {kubelet, `member 1 has already been bootstrapped`},
		"the kubelet on a tenant's Pod":              {kubelet, `"Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with ErrImagePull: \"no such image\"" pod="default/app" podUID="1"`},
		"its other form":                             {kubelet, `"Unhandled Error" err="container &Container{Name:app} start failed in pod app-1_default(1f): ErrImageNeverPull: in pod a_kube-system(1): x"`},
		"a registry's words":                         {kubelet, `"Failed to pull image" err="denied: bind: address already in use in pod a_kube-system(1)" image="evil.example/x"`},
		"what goes on in the next line":              {kubelet, "\tno space left on device"},
		"the same, cleaned":                          {kubelet, " no space left on device"},
		"containerd on a tenant's Pod":               {"containerd.service", `level=error msg="RunPodSandbox for &PodSandboxMetadata{Name:app,Uid:1,Namespace:default,Attempt:0,} failed" error="failed to find plugin \"x\" in path [/opt/cni/bin]"`},
		"containerd on a tenant's image":             {"containerd.service", `level=error msg="PullImage \"evil.example/x\" failed" error="no space left on device"`},
		"containerd on a tenant's start":             {"containerd.service", `level=error msg="StartContainer for \"4d2f\" failed" error="failed to start container: exec: \"no space left on device\": executable file not found in $PATH"`},
		"a start that speaks of ours":                {"containerd.service", `level=error msg="StartContainer for \"4d2f\" failed" error="exec: \"no space left on device Namespace:kube-system,\": not found"`},
		"containerd on a tenant's image's platform":  {"containerd.service", `level=error msg="CreateContainer within sandbox \"1\" for &ContainerMetadata{Name:app,Attempt:0,} failed" error="exec /app: exec format error"`},
		"a sandbox that speaks of ours":              {"containerd.service", `level=error msg="RunPodSandbox for &PodSandboxMetadata{Name:app,Uid:1,Namespace:default,Attempt:0,} failed" error="no space left on device Namespace:kube-system,"`},
		"a sandbox of nobody known":                  {"containerd.service", `level=error msg="RunPodSandbox failed" error="no space left on device"`},
		"the kubelet on a tenant's start":            {kubelet, `E1130 05:00:00.000000 1 log.go:32] "StartContainer from runtime service failed" err="rpc error: code = Unknown desc = failed to start container: exec: \"no space left on device\": executable file not found in $PATH" containerID="4d2f"`},
		"the kubelet on a start that speaks of ours": {kubelet, `"StartContainer from runtime service failed" err="exec: \"no space left on device in pod etcd-cp-1_kube-system(1)\": not found" containerID="4d2f"`},
		"the kubelet on a tenant's container":        {kubelet, `"CreateContainer in sandbox from runtime service failed" err="exec /app: exec format error" podSandboxID="77"`},
		"the kubelet on a tenant's sandbox":          {kubelet, `"RunPodSandbox from runtime service failed" err="rpc error: code = Unknown desc = x509: certificate signed by unknown authority in pod etcd-cp-1_kube-system(1)"`},
		"the kubelet on a tenant's probe":            {kubelet, `"ExecSync cmd from runtime service failed" err="rpc error: code = Unknown desc = exec failed: Error: unknown flag: --x" containerID="4d2f" cmd=["unknown flag: "]`},
		"the kubelet on a tenant's volume":           {kubelet, `"Unhandled Error" err="Operation for \"{volumeName:kubernetes.io/nfs/1-data podName:1 nodeName:}\" failed. No retries permitted until 2026-11-30 05:00:00. Error: MountVolume.SetUp failed for volume \"data\" (UniqueName: \"kubernetes.io/nfs/1-data\") pod \"app-1\" (UID: \"1\") : mount failed: exit status 32\nOutput: mount.nfs: No route to host"`},
		"the kubelet on a storage driver":            {kubelet, `"Unhandled Error" err="kubernetes.io/csi: attacher.MountDevice failed: rpc error: code = Internal desc = connect: no route to host"`},
		"the kubelet on a tenant's API":              {kubelet, `"Probe failed" probeType="Readiness" pod="default/app" output="Get \"https://10.244.0.3:443/api/ready\": dial tcp 10.244.0.3:443: connect: connection refused"`},
		"the kubelet on the API server's probe":      {kubelet, `"Probe failed" probeType="Startup" pod="kube-system/kube-apiserver-cp-1" output="Get \"https://10.0.0.1:6443/livez\": dial tcp 10.0.0.1:6443: connect: connection refused"`},
		"whoever connects to the API":                {"container kube-system/kube-apiserver-cp-1/kube-apiserver", `http: TLS handshake error from 10.244.0.9:4: remote error: tls: unknown certificate authority`},
		"whoever connects to etcd":                   {"container kube-system/etcd-cp-1/etcd", `{"msg":"rejected connection on client endpoint","error":"remote error: tls: unknown certificate authority"}`},
		"somebody's certificate":                     {"container kube-system/kube-apiserver-cp-1/kube-apiserver", `"Unable to authenticate the request" err="x509: certificate signed by unknown authority"`},
		"somebody's webhook":                         {"container kube-system/kube-apiserver-cp-1/kube-apiserver", `failed calling webhook "x": dial tcp 10.0.0.1:443: connect: no route to host`},
		"a runtime that does not answer":             {kubelet, `"Error syncing pod" err="with ErrImageNeverPull: rpc error: code = DeadlineExceeded desc = context deadline exceeded" pod="kube-system/etcd-cp-1"`},
		"a port's line in somebody's log":            {"container default/app/app", "nginx listens"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if cause, known := Diagnose("cp-1", []hosts.Evidence{{Source: test.source, Lines: []string{test.line}}}); known {
				t.Errorf("it proved that %s", cause.Seen)
			}
		})
	}
}

func TestDiagnoseReadsWhatTheHostSawItself(t *testing.T) {
	tests := map[string]struct {
		evidence hosts.Evidence
		what     string
	}{
		"port of another":     {hosts.Evidence{Source: "port 7443 (kube-apiserver)", Lines: []string{"nginx (pid 12) listens"}}, "a port is taken"},
		"port of its own":     {hosts.Evidence{Source: "port 7443 (kube-apiserver)", Lines: []string{"kube-apiserver (pid 12) listens"}}, ""},
		"port of a balancer":  {hosts.Evidence{Source: "port 7443 (kube-apiserver)", Lines: []string{"haproxy (pid 12) listens"}}, ""},
		"port of nobody":      {hosts.Evidence{Source: "port 2379 (etcd)", Lines: []string{"nobody listens"}}, ""},
		"disk with room":      {hosts.Evidence{Source: "disk", Lines: []string{"/var/lib: 1900 MiB of 40000 MiB are free"}}, ""},
		"disk without":        {hosts.Evidence{Source: "disk", Lines: []string{"/var/lib: 0 MiB of 40000 MiB are free"}}, "a disk is full"},
		"disk with little":    {hosts.Evidence{Source: "disk", Lines: []string{"/var/lib: 12 MiB of 40000 MiB are free"}}, "a disk is nearly full"},
		"a container's words": {hosts.Evidence{Source: "container x", Lines: []string{"nginx listens"}}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cause, _ := Diagnose("cp-1", []hosts.Evidence{test.evidence})
			if what, _, _ := strings.Cut(cause.Seen, ": "); what != test.what {
				t.Errorf("seen is %q, should be %q", what, test.what)
			}
		})
	}
}

// TestLittleRoomIsNamedWhereNothingElseIs: it may be of a file system that has nothing to do with the failure.
func TestLittleRoomIsNamedWhereNothingElseIs(t *testing.T) {
	cause, _ := Diagnose("cp-1", []hosts.Evidence{
		{Source: "disk", Lines: []string{"/opt: 90 MiB of 1000 MiB are free"}},
		{Source: "container kube-system/etcd-cp-1/etcd", Lines: []string{"running", "dial tcp 10.0.0.12:2380: connect: no route to host"}},
	})
	if !strings.HasPrefix(cause.Seen, "another host is not reached: ") {
		t.Errorf("cause is %+v", cause)
	}
}

func TestDiagnoseTellsWhatBringsAboutTheOthersAndItsLastLine(t *testing.T) {
	evidence := []hosts.Evidence{
		{Source: "container kube-system/etcd-cp-1/etcd", Lines: []string{"write a: no space left on device", "write b: no space left on device"}},
		{Source: "kubelet.service", Lines: []string{`"Error syncing pod" err="ImagePullBackOff" pod="kube-system/etcd-cp-1"`}},
	}
	cause, _ := Diagnose("cp-1", evidence)
	if !strings.HasPrefix(cause.Seen, "a disk is full: ") || !strings.Contains(cause.Seen, "write b: no space left on device") {
		t.Fatalf("cause is %+v", cause)
	}
}

// TestAnAPIThatIsNotReachedComesBeforeTheNetworkAddOn, which cannot come then; but not one that
// was not reached while the host came up, and not before what stops the API server itself.
func TestAnAPIThatIsNotReachedComesBeforeTheNetworkAddOn(t *testing.T) {
	const (
		away  = `"Unable to register node with API server" err="Post \"https://10.0.0.200:16443/api/v1/nodes\": dial tcp 10.0.0.200:16443: connect: connection refused" node="w-1"`
		addOn = `"Container runtime network not ready" networkReady="NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"`
	)
	etcd := hosts.Evidence{Source: "container kube-system/etcd-cp-1/etcd", Lines: []string{"member 1 has already been bootstrapped"}}
	tests := map[string]struct {
		more  []hosts.Evidence
		lines []string
		want  string
	}{
		"away":                  {nil, []string{away, addOn, addOn}, "the kubelet does not reach the API"},
		"away at first":         {nil, append([]string{away}, slices.Repeat([]string{addOn}, 10)...), "the network add-on is not ready"},
		"away, and etcd broken": {[]hosts.Evidence{etcd}, []string{away, addOn}, "etcd's data belong to another cluster"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cause, _ := Diagnose("w-1", append(test.more, hosts.Evidence{Source: kubelet, Lines: test.lines}))
			if what, _, _ := strings.Cut(cause.Seen, ": "); what != test.want {
				t.Errorf("seen is %q, should be %q", what, test.want)
			}
		})
	}
}

func TestDiagnoseAdmitsThatItDoesNotKnow(t *testing.T) {
	if cause, known := Diagnose("cp-1", []hosts.Evidence{{Source: "kubelet.service", Lines: []string{"all is well"}}}); known {
		t.Fatalf("made up %+v", cause)
	}
}

// TestOnlyWhatConcernsAStepIsEvidence: a cause is looked for where the step's thing runs,
// and in what that stands on.
func TestOnlyWhatConcernsAStepIsEvidence(t *testing.T) {
	const (
		etcd    = "container kube-system/etcd-cp-1/etcd"
		manager = "container kube-system/kube-controller-manager-cp-1/kube-controller-manager"
		dns     = "container kube-system/coredns-1/coredns"
		flannel = "container kube-flannel/kube-flannel-ds-x/kube-flannel"
		tenant  = "container default/etcd-cp-1/etcd"
	)
	all := []string{kubelet, containerd, haproxy, keepalived, etcd, manager, dns, flannel, tenant, "port 6443 (kube-apiserver)", "disk", hosts.SourceContainerd}
	host := []string{"port 6443 (kube-apiserver)", "disk", hosts.SourceContainerd}
	tests := map[string]struct {
		step plan.Step
		want []string
	}{
		"the API server": {plan.Step{Cluster: plan.WaitAPI{Host: "cp-1"}}, []string{kubelet, containerd, etcd}},
		"a node":         {plan.Step{Cluster: plan.WaitNode{Node: "w-1"}}, []string{kubelet, containerd, etcd, manager, dns, flannel}},
		"a rollout": {
			plan.Step{Cluster: plan.WaitAvailable{Object: hosts.ObjectKey{Namespace: "kube-system", Name: "coredns"}}},
			[]string{kubelet, containerd, etcd, manager, dns},
		},
		"the endpoint": {plan.Step{Cluster: plan.WaitEndpoint{}}, []string{kubelet, containerd, haproxy, keepalived, etcd, manager, dns, flannel}},
		"a balancer":   {plan.Step{Action: hosts.SetUnit{Name: haproxy}}, []string{haproxy}},
		"the kubelet":  {plan.Step{Action: hosts.SetUnit{Name: kubelet}}, []string{kubelet, containerd}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, source := range all {
				if Concerns(test.step)(source) {
					got = append(got, source)
				}
			}
			if want := append(test.want, host...); !slices.Equal(got, want) {
				t.Errorf("sources %q, should be %q", got, want)
			}
		})
	}
}
