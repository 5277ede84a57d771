package manifests

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// kubeadmFlags is what kubeadm 1.36.3 gives each component of the cluster `one`, seen in
// what it would write, not in what we think that it does.
var kubeadmFlags = map[string][]string{
	EtcdManifest: {
		"etcd",
		"--advertise-client-urls=https://10.90.0.11:2379",
		"--cert-file=/etc/kubernetes/pki/etcd/server.crt",
		"--client-cert-auth=true",
		"--data-dir=/var/lib/etcd",
		"--feature-gates=InitialCorruptCheck=true",
		"--initial-advertise-peer-urls=https://10.90.0.11:2380",
		"--initial-cluster=cp-1=https://10.90.0.11:2380",
		"--initial-cluster-state=existing", // as with kubeadm join: to begin, etcd is told otherwise, once
		"--key-file=/etc/kubernetes/pki/etcd/server.key",
		"--listen-client-urls=https://127.0.0.1:2379,https://10.90.0.11:2379",
		"--listen-metrics-urls=http://127.0.0.1:2381",
		"--listen-peer-urls=https://10.90.0.11:2380",
		"--name=cp-1",
		"--peer-cert-file=/etc/kubernetes/pki/etcd/peer.crt",
		"--peer-client-cert-auth=true",
		"--peer-key-file=/etc/kubernetes/pki/etcd/peer.key",
		"--peer-trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt",
		"--snapshot-count=10000",
		"--trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt",
		"--watch-progress-notify-interval=5s",
	},
	APIServerManifest: {
		"kube-apiserver",
		"--advertise-address=10.90.0.11",
		"--allow-privileged=true",
		"--authorization-mode=Node,RBAC",
		"--client-ca-file=/etc/kubernetes/pki/ca.crt",
		"--enable-admission-plugins=NodeRestriction",
		"--enable-bootstrap-token-auth=true",
		"--etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt",
		"--etcd-certfile=/etc/kubernetes/pki/apiserver-etcd-client.crt",
		"--etcd-keyfile=/etc/kubernetes/pki/apiserver-etcd-client.key",
		"--etcd-servers=https://127.0.0.1:2379",
		"--kubelet-client-certificate=/etc/kubernetes/pki/apiserver-kubelet-client.crt",
		"--kubelet-client-key=/etc/kubernetes/pki/apiserver-kubelet-client.key",
		"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
		"--proxy-client-cert-file=/etc/kubernetes/pki/front-proxy-client.crt",
		"--proxy-client-key-file=/etc/kubernetes/pki/front-proxy-client.key",
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--secure-port=6443",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=/etc/kubernetes/pki/sa.pub",
		"--service-account-signing-key-file=/etc/kubernetes/pki/sa.key",
		"--service-cluster-ip-range=10.96.0.0/12",
		"--tls-cert-file=/etc/kubernetes/pki/apiserver.crt",
		"--tls-private-key-file=/etc/kubernetes/pki/apiserver.key",
	},
	ControllerManifest: {
		"kube-controller-manager",
		"--allocate-node-cidrs=true",
		"--authentication-kubeconfig=/etc/kubernetes/controller-manager.conf",
		"--authorization-kubeconfig=/etc/kubernetes/controller-manager.conf",
		"--bind-address=127.0.0.1",
		"--client-ca-file=/etc/kubernetes/pki/ca.crt",
		"--cluster-cidr=10.244.0.0/16",
		"--cluster-name=one",
		"--cluster-signing-cert-file=/etc/kubernetes/pki/ca.crt",
		"--cluster-signing-key-file=/etc/kubernetes/pki/ca.key",
		"--controllers=*,bootstrapsigner,tokencleaner",
		"--kubeconfig=/etc/kubernetes/controller-manager.conf",
		"--leader-elect=true",
		"--requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt",
		"--root-ca-file=/etc/kubernetes/pki/ca.crt",
		"--service-account-private-key-file=/etc/kubernetes/pki/sa.key",
		"--service-cluster-ip-range=10.96.0.0/12",
		"--use-service-account-credentials=true",
	},
	SchedulerManifest: {
		"kube-scheduler",
		"--authentication-kubeconfig=/etc/kubernetes/scheduler.conf",
		"--authorization-kubeconfig=/etc/kubernetes/scheduler.conf",
		"--bind-address=127.0.0.1",
		"--kubeconfig=/etc/kubernetes/scheduler.conf",
		"--leader-elect=true",
	},
}

// ourFlags are those that kubeadm does not set; why is said where they are made.
var ourFlags = map[string][]string{
	ControllerManifest: {"--kube-api-burst=200", "--kube-api-qps=100"},
}

func TestStaticPodsHaveKubeadmsFlags(t *testing.T) {
	state := render(t, input(t, one(), modern()), "cp-1")
	for path, kubeadms := range kubeadmFlags {
		want := append(slices.Clone(kubeadms[1:]), ourFlags[path]...)
		slices.SortFunc(want, func(a, b string) int { // by name, and not by what follows it
			return strings.Compare(strings.ReplaceAll(a, "=", "\x00"), strings.ReplaceAll(b, "=", "\x00"))
		})
		got := podAt(t, state, path).Spec.Containers[0].Command
		if diff := cmp.Diff(append(kubeadms[:1:1], want...), got); diff != "" {
			t.Errorf("%s (-kubeadm's and what we add, +ours):\n%s", path, diff)
		}
	}
}

func podAt(t *testing.T, state HostState, path string) corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict(state.file(t, path).Content, &pod); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return pod
}

func TestExtraArgsReplaceAndAdd(t *testing.T) {
	state := render(t, input(t, three(), modern()), "a")
	command := podAt(t, state, APIServerManifest).Spec.Containers[0].Command
	var plugins []string
	for _, word := range command {
		if strings.HasPrefix(word, "--enable-admission-plugins=") {
			plugins = append(plugins, word)
		}
	}
	if want := []string{"--enable-admission-plugins=NodeRestriction,PodSecurity"}; !slices.Equal(plugins, want) {
		t.Errorf("the user's flag is to replace ours: got %v", plugins)
	}
	if !slices.Contains(command, "--audit-log-path=-") {
		t.Errorf("a flag that only the user sets is missing in %v", command)
	}
}

// TestExtraVolumes: each component has the user's volumes beside its own, with the name, the
// type and the way of mounting that kubeadm would give them.
func TestExtraVolumes(t *testing.T) {
	c := one()
	audit := cluster.HostPathMount{Name: "audit", HostPath: "/etc/kubernetes/audit.yaml", MountPath: "/audit.yaml", ReadOnly: true, PathType: "File"}
	logs := cluster.HostPathMount{Name: "logs", HostPath: "/var/log/kube", MountPath: "/logs"}
	c.ExtraVolumes = cluster.ExtraVolumes{
		APIServer: []cluster.HostPathMount{audit}, ControllerManager: []cluster.HostPathMount{logs},
		Scheduler: []cluster.HostPathMount{audit, logs}, Etcd: []cluster.HostPathMount{logs},
	}
	state := render(t, input(t, c, modern()), "cp-1")
	for path, want := range map[string][]cluster.HostPathMount{
		APIServerManifest: {audit}, ControllerManifest: {logs}, SchedulerManifest: {audit, logs}, EtcdManifest: {logs},
	} {
		spec := podAt(t, state, path).Spec
		var got []cluster.HostPathMount
		for i, mount := range spec.Containers[0].VolumeMounts {
			volume := spec.Volumes[i]
			if mount.Name == "audit" || mount.Name == "logs" {
				got = append(got, cluster.HostPathMount{Name: volume.Name, HostPath: volume.HostPath.Path,
					MountPath: mount.MountPath, ReadOnly: mount.ReadOnly, PathType: string(*volume.HostPath.Type)})
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s mounts %v, want %v", path, got, want)
		}
	}
}

// TestOwnMountsAreThoseThatValidationKnows: the cluster file's checks say of a file whether the
// Pod sees it, and go by a list of their own.
func TestOwnMountsAreThoseThatValidationKnows(t *testing.T) {
	c := one()
	in := input(t, c, modern())
	facts := in.Facts["cp-1"]
	facts.Files = maps.Clone(facts.Files)
	if facts.Files == nil {
		facts.Files = map[string]hosts.File{}
	}
	for _, path := range cluster.CAFolders {
		facts.Files[path] = hosts.File{Type: hosts.TypeDirectory}
	}
	in.Facts["cp-1"] = facts
	state := render(t, in, "cp-1")
	manifests := []string{APIServerManifest, ControllerManifest, SchedulerManifest, EtcdManifest}
	for i, pod := range c.StaticPods() {
		var got, want []string
		for _, mount := range podAt(t, state, manifests[i]).Spec.Containers[0].VolumeMounts {
			got = append(got, mount.Name+" "+mount.MountPath)
		}
		for _, own := range pod.Own {
			want = append(want, own.Name+" "+own.MountPath)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s mounts %v, and validation knows %v", pod.Field, got, want)
		}
	}
}

func TestAuthorizationConfigReplacesModes(t *testing.T) {
	c := one()
	c.ExtraArgs.APIServer = []cluster.Arg{{Name: "authorization-config", Value: "/etc/kubernetes/authz.yaml"}}
	state := render(t, input(t, c, modern()), "cp-1")
	for _, word := range podAt(t, state, APIServerManifest).Spec.Containers[0].Command {
		if strings.HasPrefix(word, "--authorization-mode") {
			t.Errorf("the API server refuses %s beside authorization-config", word)
		}
	}
}

// TestProbesFollowTheUsersAddresses: a component that is told to listen elsewhere is to
// be asked there, or it never becomes ready.
func TestProbesFollowTheUsersAddresses(t *testing.T) {
	c := one()
	c.ExtraArgs.Scheduler = []cluster.Arg{{Name: "bind-address", Value: "0.0.0.0"}}
	c.ExtraArgs.Etcd = []cluster.Arg{{Name: "listen-metrics-urls", Value: "https://10.90.0.11:9381,http://127.0.0.1:2381"}}
	state := render(t, input(t, c, modern()), "cp-1")
	if host := podAt(t, state, SchedulerManifest).Spec.Containers[0].LivenessProbe.HTTPGet.Host; host != "" {
		t.Errorf("scheduler on all addresses is probed at %q, want the Pod's own", host)
	}
	etcd := podAt(t, state, EtcdManifest).Spec.Containers[0]
	get := etcd.ReadinessProbe.HTTPGet
	if get.Host != "10.90.0.11" || get.Scheme != corev1.URISchemeHTTPS || etcd.Ports[0].ContainerPort != 9381 {
		t.Errorf("etcd is probed at %s://%s:%d", get.Scheme, get.Host, etcd.Ports[0].ContainerPort)
	}
}

// TestHealthIsAskedWhereComponentsServeIt: where the file has them listen.
func TestHealthIsAskedWhereComponentsServeIt(t *testing.T) {
	usual := map[string]string{
		hosts.ComponentEtcd:       "http://127.0.0.1:2381/readyz",
		hosts.ComponentController: "https://127.0.0.1:10257/healthz",
		hosts.ComponentScheduler:  "https://127.0.0.1:10259/readyz",
		hosts.ComponentKubelet:    "http://127.0.0.1:10248/healthz",
	}
	const absent = ""
	for name, test := range map[string]struct {
		change func(*cluster.Cluster)
		want   map[string]string // what differs from the usual
	}{
		"as Slipway has it": {func(*cluster.Cluster) {}, nil},
		"IPv6 first": {func(c *cluster.Cluster) { c.Hosts[0].Addresses = []string{"fd00::1", "10.90.0.11"} },
			map[string]string{hosts.ComponentEtcd: "http://[::1]:2381/readyz"}},
		"metrics elsewhere": {func(c *cluster.Cluster) {
			c.ExtraArgs.Etcd = []cluster.Arg{{Name: "listen-metrics-urls", Value: "https://10.90.0.11:9381,http://127.0.0.1:2381"}}
		}, map[string]string{hosts.ComponentEtcd: "https://10.90.0.11:9381/readyz"}},
		"the user's own etcd": {func(c *cluster.Cluster) { c.Etcd.External = &cluster.ExternalEtcd{} }, map[string]string{hosts.ComponentEtcd: absent}},
		"on all addresses": {func(c *cluster.Cluster) {
			c.ExtraArgs.Scheduler = []cluster.Arg{{Name: "bind-address", Value: "0.0.0.0"}}
			c.ExtraArgs.ControllerManager = []cluster.Arg{{Name: "bind-address", Value: "::"}}
		}, map[string]string{hosts.ComponentController: "https://[::1]:10257/healthz"}},
		"the kubelet's, by its configuration": {func(c *cluster.Cluster) {
			c.Kubelet = map[string]any{"healthzPort": float64(10348), "healthzBindAddress": "10.90.0.11"}
		}, map[string]string{hosts.ComponentKubelet: "http://10.90.0.11:10348/healthz"}},
		"the kubelet's, by flags": {func(c *cluster.Cluster) {
			c.Kubelet = map[string]any{"healthzPort": 0}
			c.ExtraArgs.Kubelet = []cluster.Arg{{Name: "healthz-port", Value: "10448"}, {Name: "healthz-bind-address", Value: "::1"}}
		}, map[string]string{hosts.ComponentKubelet: "http://[::1]:10448/healthz"}},
		"the kubelet's, turned off": {func(c *cluster.Cluster) { c.Kubelet = map[string]any{"healthzPort": 0} },
			map[string]string{hosts.ComponentKubelet: absent}},
	} {
		t.Run(name, func(t *testing.T) {
			c, want := one(), maps.Clone(usual)
			test.change(c)
			for component, url := range test.want {
				want[component] = url
				if url == absent {
					delete(want, component)
				}
			}
			if got := HealthURLs(c, c.Hosts[0]); !maps.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// TestRenewedLeavesChangeNoManifest: after kubeadm certs renew the plan is to be empty, and
// nothing is to restart that reads its certificates anew by itself.
func TestRenewedLeavesChangeNoManifest(t *testing.T) {
	in := input(t, three(), modern())
	before := map[string]HostState{}
	for _, host := range in.Cluster.ControlPlanes() {
		before[host.Name] = render(t, in, host.Name)
	}
	for _, host := range in.Cluster.ControlPlanes() {
		leaves, err := mint.Leaves(in.PKI, certs.Specs(in.Cluster, host), time.Hour, minted.Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range leaves {
			in.Leaves[host.Name][leaf.Name] = leaf
		}
		after := render(t, in, host.Name)
		for _, path := range []string{EtcdManifest, APIServerManifest, ControllerManifest, SchedulerManifest} {
			if !bytes.Equal(before[host.Name].file(t, path).Content, after.file(t, path).Content) {
				t.Errorf("%s on %s changes with the leaves", path, host.Name)
			}
		}
	}
}

// TestWhatIsReadOnceRestarts: a change of what a component reads only when it starts has
// to be a change of its manifest.
func TestWhatIsReadOnceRestarts(t *testing.T) {
	other, err := mint.PKI("ECDSA-P256", time.Hour, minted)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what   string
		change func(*certs.PKI)
		want   []string
	}{
		{"etcd's CA", func(p *certs.PKI) { p.EtcdCA = other.EtcdCA }, []string{EtcdManifest, APIServerManifest}},
		{"the service accounts' key", func(p *certs.PKI) { p.ServiceAccount = other.ServiceAccount }, []string{APIServerManifest, ControllerManifest}},
		{"the CA", func(p *certs.PKI) { p.CA = other.CA }, []string{ControllerManifest, SchedulerManifest}},
		{"the front proxy's CA", func(p *certs.PKI) { p.FrontProxyCA = other.FrontProxyCA }, nil},
	} {
		in := input(t, one(), modern())
		before := render(t, in, "cp-1")
		test.change(&in.PKI)
		after := render(t, in, "cp-1")
		var changed []string
		for _, path := range []string{EtcdManifest, APIServerManifest, ControllerManifest, SchedulerManifest} {
			if !bytes.Equal(before.file(t, path).Content, after.file(t, path).Content) {
				changed = append(changed, path)
			}
		}
		if !slices.Equal(changed, test.want) {
			t.Errorf("%s: restarts %v, want %v", test.what, changed, test.want)
		}
	}
}

// TestEveryChangeOfAManifestChangesItsDigest: by that alone the Pods of two manifests are told
// apart.
func TestEveryChangeOfAManifestChangesItsDigest(t *testing.T) {
	in := input(t, one(), modern())
	seen := map[string]string{}
	for name, change := range map[string]func(*component){
		"nothing":    func(*component) {},
		"its image":  func(c *component) { c.name = imagePause },
		"a flag":     func(c *component) { c.flags = []flag{{"new", ""}} },
		"a resource": func(c *component) { c.requests = cpu("200m") },
		"a variable": func(c *component) { c.env = []corev1.EnvVar{{Name: "A", Value: "b"}} },
		"a probe":    func(c *component) { c.probes.liveness = "/livez" },
		"a volume": func(c *component) {
			c.pod.Volumes = []cluster.HostPathMount{{Name: "v", HostPath: "/v", MountPath: "/v"}}
		},
		"an input":      func(c *component) { c.inputs = digest([]byte("b")) },
		"an annotation": func(c *component) { c.annotations = map[string]string{"a": "b"} },
	} {
		one := component{name: imageEtcd, requests: cpu("100m"), inputs: digest([]byte("a"))}
		change(&one)
		manifest, err := in.staticPod(in.Cluster.Hosts[0], one)
		if err != nil {
			t.Fatal(err)
		}
		again, err := in.staticPod(in.Cluster.Hosts[0], one)
		if err != nil || !bytes.Equal(manifest, again) {
			t.Errorf("%s: made twice, it differs: %v", name, err)
		}
		var pod corev1.Pod
		if err := yaml.Unmarshal(manifest, &pod); err != nil {
			t.Fatal(err)
		}
		sum := pod.Annotations[AnnotationInputs]
		if other, known := seen[sum]; known || sum == "" {
			t.Errorf("a change of %s and one of %s give the digest %q", name, other, sum)
		}
		seen[sum] = name
	}
}

// TestAnotherImageOfTheSameNameRestarts every Pod that is made of it: an upgrade is over when what it brought runs.
func TestAnotherImageOfTheSameNameRestarts(t *testing.T) {
	rendered := func(digest string) map[string]string {
		in := input(t, three(), modern())
		in.Bill.Images = slices.Clone(in.Bill.Images)
		for i := range in.Bill.Images {
			in.Bill.Images[i].Manifest.Digest = digest
		}
		found := map[string]string{}
		etcd, err := EtcdPod(in, "a", StackedCluster(in.Cluster))
		if err != nil {
			t.Fatal(err)
		}
		found["etcd"] = string(etcd)
		objects, err := ClusterObjects(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects.Objects {
			if kind := object.Key.Kind; kind == "DaemonSet" || kind == "Deployment" {
				found[object.Key.String()] = string(object.Content)
			}
		}
		return found
	}
	one, other := rendered("sha256:1"), rendered("sha256:2")
	if len(one) != 4 { // etcd, kube-proxy, CoreDNS, flannel
		t.Errorf("rendered are %v", slices.Sorted(maps.Keys(one)))
	}
	for name, content := range one {
		if content == other[name] {
			t.Errorf("%s is the same with another image", name)
		}
	}
}

// TestInitialClusterIsKept: its members are, and its state is always existing.
func TestInitialClusterIsKept(t *testing.T) {
	in := input(t, three(), modern())
	for _, initial := range []InitialCluster{
		StackedCluster(in.Cluster),
		{Members: []Member{{"old", "https://10.1.1.1:2380"}, {"a", "https://10.9.0.1:2380"}}, State: StateNew},
	} {
		manifest, err := EtcdPod(in, "a", initial)
		if err != nil {
			t.Fatal(err)
		}
		want := initial
		want.State = StateExisting
		found, ok := InitialClusterOf(manifest)
		if diff := cmp.Diff(want, found); !ok || diff != "" {
			t.Errorf("read back (%v) differs:\n%s", ok, diff)
		}
	}
	if members := StackedCluster(in.Cluster).Members; len(members) != 3 {
		t.Errorf("the initial cluster has %d members, want every control plane", len(members))
	}
	for _, broken := range []string{"", "a: [", "kind: Pod\n", "spec: {containers: [{command: [etcd]}]}"} {
		if found, ok := InitialClusterOf([]byte(broken)); ok {
			t.Errorf("%q gives %v", broken, found)
		}
	}
}
