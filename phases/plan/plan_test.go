package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var deployment = hosts.ObjectKey{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "kube-system", Name: "coredns"}

// every holds one step for each action of both closed sets.
func every() Plan {
	host := []hosts.Action{
		hosts.WriteFile{Path: "/etc/kubernetes/pki/ca.crt", Mode: 0o644, Content: "sha256:aa", Size: 12, Seed: true},
		hosts.MakeDirectory{Path: "/var/lib/etcd", Mode: 0o700, UID: 1, GID: 2},
		hosts.MakeSymlink{Path: "/root/.kube/config", Target: "/etc/kubernetes/admin.conf"},
		hosts.RemovePath{Path: "/etc/kubernetes", Recursive: true},
		hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{
			{Path: "/usr/bin/runc", Layer: "sha256:bb", Entry: "runc", Digest: "sha256:cc", Size: 1_500_000, Mode: 0o755},
			{Path: "/usr/bin/kubelet", Target: "/opt/slipway/bin/kube"},
			{Path: "/usr/bin/ctr", Layer: "sha256:bb"},
		}},
		hosts.SetUnit{Name: "kubelet.service", Enabled: true, Active: true, Inputs: "sha256:dd", Reload: true, Restart: true, Steady: 5},
		hosts.StopUnits{Names: []string{"haproxy.service", "keepalived.service"}},
		hosts.LoadImage{Reference: "registry.k8s.io/pause:3.10", Manifest: hosts.ImageBlob{MediaType: "m", Digest: "sha256:ee", Size: 500}, Blobs: []hosts.ImageBlob{
			{Digest: "sha256:ff", Size: 700},
		}},
		hosts.SetSysctl{Key: "net.ipv4.ip_forward", Value: "1"},
		hosts.LoadModule{Name: "br_netfilter"},
		hosts.DisableSwap{},
		hosts.SetHostname{Name: "cp-1"},
		hosts.AddHostsEntry{Address: "10.0.0.1", Names: []string{"api", "api.example"}},
		hosts.TakeLease{Holder: "ann@laptop"},
		hosts.ReleaseLease{},
		hosts.Claim{Cluster: hosts.Identity{ID: "01", Name: "try"}},
		hosts.StopPods{Only: []string{"kube-apiserver-cp-1", "etcd-cp-1"}, Grace: 10},
		hosts.Unmount{Below: "/var/lib/kubelet"},
		hosts.RemoveNetwork{Links: []string{"cni0"}, Tables: []string{"kube-proxy"}, Chains: []string{"KUBE-SERVICES"},
			Pods: []hosts.Sandbox{{ID: "1", Namespace: "cni-1", Chains: []string{"CNI-DN-1"}}}, HostPorts: true},
		hosts.Restore{Setting: "hostname", Value: "debian"},
		hosts.TidyStore{},
		hosts.Forget{},
		hosts.UnloadImage{Name: "registry.k8s.io/pause:3.9", Digest: "sha256:e9"},
		hosts.KeepVersion{Before: "v1.37.2-0123", Version: "v1.36.3", Paths: []string{"/usr/bin/kubelet"}, Images: []string{"registry.k8s.io/pause:3.9"}},
		hosts.ForgetVersion{Before: "v1.37.2-0123"},
		hosts.RunCommand{Argv: []string{"/usr/bin/mysql", "--password=hidden"}, Timeout: 60},
		hosts.ProveSnapshot{Content: "sha256:dd", Size: 3 << 20, Tool: "/opt/slipway/bin/etcdutl"},
	}
	cluster := []ClusterAction{
		Apply{Object: deployment, Content: "secret:01", Secret: true, Seed: true},
		Delete{Object: hosts.ObjectKey{APIVersion: "v1", Kind: "Node", Name: "w-1"}},
		MarkNode{Node: "cp-1", Labels: map[string]string{"b": "2", "a": ""}, Taints: []string{"x=y:NoSchedule"}, RemoveTaints: []string{"z:NoExecute"}, RemoveLabels: []string{"old"}, Seal: "5ea1"},
		Cordon{Node: "w-1"},
		Uncordon{Node: "w-1"},
		Drain{Node: "w-1", By: "drain", DrainOptions: DrainOptions{Timeout: 300, GracePeriod: new(int), PodSelector: "a=b"}},
		WaitAPI{Host: "cp-1", Serving: true, Timeout: 240},
		WaitNode{Node: "cp-1", Ready: true, DaemonSets: []hosts.ObjectKey{{Kind: "DaemonSet", Name: "ds"}}, Timeout: 300},
		WaitPods{Host: "cp-1", Pods: []StaticPod{{Name: "etcd", Manifest: "sha256:cc"}}, Timeout: 240},
		WaitAvailable{Object: deployment, Timeout: 300},
		WaitTurn{Host: "cp-2", Timeout: 30},
		WaitEndpoint{Host: "w-1", Address: "10.0.0.9:16443", Timeout: 120},
		MemberAdd{Name: "cp-2", Peer: "https://10.0.0.2:2380"},
		MemberPromote{Name: "cp-2", Timeout: 300},
		MemberRemove{ID: "8e9e05c52164694d", Name: "cp-3"},
		MoveLeader{From: "cp-3"},
		QuorumHolds{Without: "cp-1", Stays: true},
		EtcdDowngrade{Version: "3.6"},
		SnapshotEtcd{From: "cp-1", Tool: "/opt/slipway/bin/etcdutl", Version: "v1.36.3"},
		DeletePods{Node: "cp-3"},
	}
	p := Plan{Workflow: "init", Cluster: hosts.Identity{ID: "01", Name: "try"}, Warnings: []string{"swap is on"}}
	changes := []Change{Create, Update, Remove, ""}
	for i, action := range host {
		p.Steps = append(p.Steps, Step{
			ID: fmt.Sprintf("cp-1/kubelet/%d", i), Phase: "kubelet", Host: "cp-1", Lane: LaneWork,
			Why: "absent", Change: changes[i%4], Action: action,
		})
	}
	for i, action := range cluster {
		p.Steps = append(p.Steps, Step{
			ID: fmt.Sprintf("cluster/addon/%d", i), Phase: "addon", Lane: LaneWait, After: []Dependency{All("cp-1/kubelet/0"), Any("cp-1/kubelet/1", "cp-1/kubelet/2")},
			Why: "absent", Change: changes[i%4], Cluster: action,
		})
	}
	last := p.Steps[len(p.Steps)-1].ID
	p.Steps = append(p.Steps,
		Step{ID: "cp-1/etcd/back", Phase: "etcd", Host: "cp-1", Lane: LaneWork, Rescues: []string{"cp-1/kubelet/0", "cp-1/kubelet/1", last},
			Why: "as it was", Change: Update, Action: host[0]},
		Step{ID: "cluster/wait-node/back", Phase: "wait-node", Lane: LaneWait, Rescues: []string{"cp-1/kubelet/0", last}, Cluster: cluster[7]},
		Step{ID: "cluster/wait-node/uncordon", Phase: "wait-node", Lane: LaneWait, Rescues: []string{last}, Cluster: cluster[4]})
	return p
}

// describing lists the types of these files that describe themselves: a closed set.
func describing(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	receiver := regexp.MustCompile(`(?m)^func \((?:a )?(\w+)\) describe\(`)
	var names []string
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range receiver.FindAllSubmatch(source, -1) {
			names = append(names, string(match[1]))
		}
	}
	slices.Sort(names)
	return names
}

func TestEveryActionIsInTheSample(t *testing.T) {
	var host, cluster []string
	for _, step := range every().Steps {
		if step.Action != nil {
			host = append(host, reflect.TypeOf(step.Action).Name())
		} else {
			cluster = append(cluster, reflect.TypeOf(step.Cluster).Name())
		}
	}
	host, cluster = once(host), once(cluster)
	if diff := cmp.Diff(describing(t, "../../hosts/*.go"), host); diff != "" {
		t.Errorf("actions on hosts (-set +sample):\n%s", diff)
	}
	if diff := cmp.Diff(describing(t, "*.go"), cluster); diff != "" {
		t.Errorf("actions on the cluster (-set +sample):\n%s", diff)
	}
}

func once(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// UnmarshalJSON reads what MarshalJSON wrote: nothing but tests reads a plan back.
func (s *Step) UnmarshalJSON(data []byte) error {
	var wire wireStep
	if err := strict(data, &wire); err != nil {
		return err
	}
	step := Step(wire.bareStep)
	var err error
	if wire.Action != nil {
		if step.Action, err = hosts.DecodeAction(wire.Action); err != nil {
			return err
		}
	}
	if wire.Cluster != nil {
		if step.Cluster, err = clusterActions.Decode(wire.Cluster); err != nil {
			return err
		}
	}
	*s = step
	return nil
}

func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func TestAPlanSurvivesJSON(t *testing.T) {
	p := every()
	data, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	var again Plan
	if err := strict(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	if Digest(p) != Digest(again) || !strings.HasPrefix(Digest(p), "sha256:") {
		t.Errorf("digests %s and %s", Digest(p), Digest(again))
	}
	again.Steps[3].Why = "another reason"
	if Digest(p) == Digest(again) {
		t.Error("another plan has the same digest")
	}
}

func TestValidate(t *testing.T) {
	cordon := Cordon{Node: "a"}
	step := func(id, lane string, after ...Dependency) Step {
		return Step{ID: id, Phase: "p", Lane: lane, After: after, Cluster: cordon}
	}
	rescue := func(id, lane, of string, after ...Dependency) Step {
		s := step(id, lane, after...)
		s.Rescues = strings.Fields(of)
		return s
	}
	tests := []struct {
		name  string
		steps []Step
		want  string // empty: valid
	}{
		{"an edge forward in another lane", []Step{step("a", "1", All("b")), step("b", "2")}, ""},
		{"two of one id", []Step{step("a", "1"), step("a", "2")}, "two of this id"},
		{"an unknown step", []Step{step("a", "1", Any("b"))}, `"b", which is not in the plan`},
		{"an edge on nothing", []Step{step("a", "1", Dependency{})}, "waits for no step"},
		{"a cycle", []Step{step("a", "1", All("b")), step("b", "2", All("a"))}, "wait for each other: a, b"},
		{"a cycle by any", []Step{step("a", "1", Any("b")), step("b", "2", All("a"))}, "wait for each other"},
		{"a cycle through a lane", []Step{step("a", "1", All("b")), step("b", "1")}, "wait for each other"},
		{"rescue steps that wait for each other's", []Step{rescue("c", "2", "a b"), rescue("d", "2", "b", All("c")), step("a", "1"), step("b", "2")}, ""},
		{"a rescue step in the lane of what comes after", []Step{step("a", "1"), rescue("b", "1", "c"), step("c", "1", All("a"))}, ""},
		{"a rescue of nothing", []Step{step("a", "1"), rescue("b", "1", "c")}, `rescues "c", which is not in the plan`},
		{"a rescue of itself", []Step{rescue("a", "1", "a")}, `rescues "a", which is a rescue step itself`},
		{"a rescue of a rescue", []Step{step("a", "1"), rescue("b", "1", "a"), rescue("c", "1", "b")}, `rescues "b", which is a rescue step itself`},
		{"a step that waits for a rescue", []Step{step("a", "1"), rescue("b", "1", "a"), step("c", "1", Any("a", "b"))}, `"b", which runs only if others fail`},
		{"a rescue that waits for a step", []Step{step("a", "1"), rescue("b", "1", "a", All("a"))}, `waits for "a" by more than its rescues`},
		{"a circle of rescues", []Step{step("a", "1"), rescue("b", "1", "a", All("c")), rescue("c", "1", "a")}, "wait for each other: b, c"},
		{"no id", []Step{{Phase: "p", Lane: "l", Cluster: cordon}}, "no id"},
		{"no phase", []Step{{ID: "a", Lane: "l", Cluster: cordon}}, "no phase"},
		{"no lane", []Step{{ID: "a", Phase: "p", Cluster: cordon}}, "no lane"},
		{"no action", []Step{{ID: "a", Phase: "p", Lane: "l"}}, "no action"},
		{"two actions", []Step{{ID: "a", Phase: "p", Lane: "l", Host: "h", Cluster: cordon, Action: hosts.StopPods{}}}, "two actions"},
		{"a host's action nowhere", []Step{{ID: "a", Phase: "p", Lane: "l", Action: hosts.StopPods{}}}, "no host is named"},
		{"the cluster's action on a host", []Step{{ID: "a", Phase: "p", Lane: "l", Host: "h", Cluster: cordon}}, "host h is named"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := Validate(Plan{Steps: test.steps})
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want something of %q", err, test.want)
			}
		})
	}
}

// TestDigestOfAPlanWhosePodsCameAndWent: a node's Pods change while a plan waits for its
// yes, and it is no other plan for that.
func TestDigestOfAPlanWhosePodsCameAndWent(t *testing.T) {
	digest := func(action hosts.RemoveNetwork) string {
		return Digest(Plan{Workflow: "reset", Steps: []Step{{ID: "w-1/cleanup-node/network", Host: "w-1", Action: action}}})
	}
	shown := digest(hosts.RemoveNetwork{Links: []string{"cni0"}, Pods: []hosts.Sandbox{{ID: "1", Namespace: "cni-1"}}})
	if shown != digest(hosts.RemoveNetwork{Links: []string{"cni0"}, Pods: []hosts.Sandbox{{ID: "2"}}}) {
		t.Error("another Pod makes another plan")
	}
	if shown == digest(hosts.RemoveNetwork{Links: []string{"cni1"}}) {
		t.Error("another link makes no other plan")
	}
}

func TestText(t *testing.T) {
	golden(t, "every.txt", Text(every()))
	golden(t, "summary.txt", Summary(every()))
	if text := Text(Plan{}); !strings.Contains(text, "Nothing to do") {
		t.Errorf("an empty plan reads %q", text)
	}
}

// TestWhatMayNotRunIsNotCounted among what a plan changes.
func TestWhatMayNotRunIsNotCounted(t *testing.T) {
	p := every()
	without := p
	without.Steps = slices.DeleteFunc(slices.Clone(p.Steps), Step.IsRescue)
	got, want := Summarise(p).Counts, Summarise(without).Counts
	if want.Rescues = 3; got != want {
		t.Errorf("counted %+v, should be %+v", got, want)
	}
}

func TestRefs(t *testing.T) {
	want := map[string]string{
		"write-file": "sha256:aa", "wait-pods": "sha256:cc", "unpack": "sha256:bb", "load-image": "sha256:ee sha256:ff", "apply": "secret:01",
	}
	for _, step := range every().Steps {
		if got := strings.Join(Refs(step), " "); got != want[Kind(step)] {
			t.Errorf("%s needs %q, want %q", Kind(step), got, want[Kind(step)])
		}
	}
}

func TestContentsKeepSecretsOutOfSight(t *testing.T) {
	contents := Contents{}
	open := contents.Put([]byte("a file"))
	secret := contents.PutSecret([]byte("the cluster's key"), []byte("hunter2"))
	if open != Ref([]byte("a file")) || !strings.HasPrefix(secret, "secret:") || secret == SecretRef([]byte("another"), []byte("hunter2")) {
		t.Errorf("refs %s and %s", open, secret)
	}
	blob, ok := contents.Blob(secret)
	if !ok || !blob.Secret || blob.Size != 7 || blob.SHA256 != strings.TrimPrefix(Ref([]byte("hunter2")), "sha256:") {
		t.Errorf("blob %+v", blob)
	}
	if _, ok := contents.Blob("sha256:bundle"); ok {
		t.Error("contents claim to have what is the bundle's")
	}
	if _, err := contents.MarshalJSON(); err == nil {
		t.Error("contents let themselves be serialised")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if shown := fmt.Sprintf(format, contents); strings.Contains(shown, "hunter2") || strings.Contains(shown, "104 117") {
			t.Errorf("%s shows %s", format, shown)
		}
	}
}
