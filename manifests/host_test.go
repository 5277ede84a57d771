package manifests

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestRenderingIsDeterministic: the same input gives the same bytes, whatever the order
// of a map, or every plan would find something to do.
func TestRenderingIsDeterministic(t *testing.T) {
	in := input(t, three(), modern())
	objects, err := ClusterObjects(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range in.Cluster.Hosts {
		first := render(t, in, host.Name)
		for range 20 {
			if again := render(t, in, host.Name); !reflect.DeepEqual(first, again) {
				t.Fatalf("host %s differs from one time to the next:\n%s\n%s", host.Name, describe(first), describe(again))
			}
		}
	}
	for range 20 {
		again, err := ClusterObjects(in)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(objects, again) {
			t.Fatalf("the objects differ from one time to the next:\n%s", cmp.Diff(objects, again))
		}
	}
}

// TestTheSkeletonIsTheHostWithoutContents: an observation asks for what it names, before there are
// keys, facts or a bundle.
func TestTheSkeletonIsTheHostWithoutContents(t *testing.T) {
	for _, c := range []*cluster.Cluster{one(), three(), vip(), loadBalancers(), local(), externalEtcd()} {
		in := input(t, c, modern())
		for _, host := range c.Hosts {
			full, bare, empty := render(t, in, host.Name), Skeleton(c, in.Bill, host), Skeleton(c, bundle.Bill{}, host)
			dated := func(path string) bool { return strings.HasPrefix(path, certs.KubeletFolder+"/kubelet-client-2") }
			if want := slices.DeleteFunc(full.Paths(), dated); !slices.Equal(bare.Paths(), want) {
				t.Errorf("%s of %s: paths (-host +skeleton):\n%s", host.Name, c.Name, cmp.Diff(want, bare.Paths()))
			}
			for _, skeleton := range []HostState{bare, empty} {
				if !reflect.DeepEqual(skeleton.Units, full.Units) || !slices.Equal(skeleton.Certificates(), full.Certificates()) ||
					!slices.Equal(skeleton.Kubeconfigs(), full.Kubeconfigs()) || len(skeleton.Files) != len(full.Files) {
					t.Errorf("%s of %s: the skeleton is\n%s\nwant\n%s", host.Name, c.Name, describe(skeleton), describe(full))
				}
			}
			if !slices.Equal(bare.References(), full.References()) || len(empty.Images)+len(empty.Sets) > 0 {
				t.Errorf("%s of %s: images %q, want %q", host.Name, c.Name, bare.References(), full.References())
			}
		}
	}
}

// TestRenderingChangesNoInput: planning is pure.
func TestRenderingChangesNoInput(t *testing.T) {
	in, untouched := input(t, three(), modern()), three()
	for _, host := range in.Cluster.Hosts {
		render(t, in, host.Name)
	}
	if _, err := ClusterObjects(in); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(untouched, in.Cluster); diff != "" {
		t.Errorf("the cluster was changed:\n%s", diff)
	}
}

// TestPrivateKeysAreSecret: a file with a key or a password in it is marked, has no other
// readers, and lies on no worker but for the kubelet's own.
func TestPrivateKeysAreSecret(t *testing.T) {
	in := input(t, three(), modern())
	password := base64.StdEncoding.EncodeToString([]byte("robot:hush"))
	for _, host := range in.Cluster.Hosts {
		for _, file := range render(t, in, host.Name).Files {
			plain := decodeAll(file.Content)
			hidden := bytes.Contains(plain, []byte("PRIVATE KEY")) || bytes.Contains(file.Content, []byte(password))
			if hidden != file.Secret || hidden && file.Mode != 0o600 {
				t.Errorf("%s on %s: holds a secret %v, marked %v, mode %04o", file.Path, host.Name, hidden, file.Secret, file.Mode)
			}
			worker := !host.HasRole(cluster.RoleControlPlane)
			if worker && bytes.Contains(plain, []byte("PRIVATE KEY")) && !strings.HasPrefix(file.Path, certs.KubeletFolder) {
				t.Errorf("%s on the worker %s holds a private key", file.Path, host.Name)
			}
		}
	}
}

// decodeAll puts in the place of what is base64 in a kubeconfig what it stands for.
func decodeAll(content []byte) []byte {
	return encoded.ReplaceAllFunc(content, func(text []byte) []byte {
		plain, err := base64.StdEncoding.DecodeString(string(text))
		if err != nil {
			return text
		}
		return plain
	})
}

// TestSuperAdminStaysWithTheOperator: no host has what passes over RBAC.
func TestSuperAdminStaysWithTheOperator(t *testing.T) {
	in := input(t, three(), modern())
	for _, host := range in.Cluster.Hosts {
		for _, file := range render(t, in, host.Name).Files {
			if strings.Contains(file.Path, "super-admin") {
				t.Errorf("%s is on %s", file.Path, host.Name)
			}
		}
	}
}

// TestPathsAreOnce: no path of a host is given twice, and each is absolute.
func TestPathsAreOnce(t *testing.T) {
	in := input(t, three(), modern())
	for _, host := range in.Cluster.Hosts {
		state, seen := render(t, in, host.Name), map[string]bool{}
		var paths []string
		for _, file := range state.Files {
			paths = append(paths, file.Path)
		}
		for _, link := range state.Links {
			paths = append(paths, link.Path)
		}
		for _, directory := range state.Directories {
			paths = append(paths, directory.Path)
		}
		for _, path := range paths {
			if seen[path] || !strings.HasPrefix(path, "/") {
				t.Errorf("%s on %s: given before %v", path, host.Name, seen[path])
			}
			seen[path] = true
		}
	}
}

// TestUnitsReadWhatIsThere: what a unit is restarted for is a file of the host, or of
// the bundle's programs.
func TestUnitsReadWhatIsThere(t *testing.T) {
	in := input(t, one(), modern())
	state := render(t, in, "worker-1")
	for _, unit := range state.Units {
		for _, path := range unit.Inputs {
			known := slices.ContainsFunc(state.Files, func(f File) bool { return f.Path == path })
			if !known && !strings.HasPrefix(path, BinFolder+"/") {
				t.Errorf("%s is to be restarted for %s, which nothing writes", unit.Name, path)
			}
		}
	}
}

// TestImagesAreComplete: everything that a container is made of is loaded first; with
// no network there is nowhere to pull it from.
func TestImagesAreComplete(t *testing.T) {
	for _, c := range []*cluster.Cluster{one(), three()} {
		in := input(t, c, modern())
		state := render(t, in, c.ControlPlanes()[0].Name)
		var loaded []string
		for _, image := range state.Images {
			loaded = append(loaded, image.Reference)
		}
		for _, wanted := range wantedImages(t, in, state) {
			if !slices.Contains(loaded, wanted) {
				t.Errorf("cluster %s: %s is not among %v", c.Name, wanted, loaded)
			}
		}
	}
}

func wantedImages(t *testing.T, in Input, state HostState) []string {
	t.Helper()
	var wanted []string
	for _, path := range []string{EtcdManifest, APIServerManifest, ControllerManifest, SchedulerManifest} {
		wanted = append(wanted, podAt(t, state, path).Spec.Containers[0].Image)
	}
	objects, err := ClusterObjects(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects.Objects {
		var workload struct {
			Spec struct {
				Template corev1.PodTemplateSpec `json:"template"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(object.Content, &workload); err != nil || len(workload.Spec.Template.Spec.Containers) == 0 {
			continue
		}
		for _, container := range workload.Spec.Template.Spec.Containers {
			wanted = append(wanted, container.Image)
		}
	}
	return wanted
}

func TestHostErrorsNameWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Input)
		want   string
	}{
		{"host", func(in *Input) { in.Cluster.Hosts = in.Cluster.Hosts[1:] }, "find host a: it is not in the cluster file"},
		{"leaf", func(in *Input) { delete(in.Leaves["a"], certs.EtcdPeer) }, "render host a: find certificate etcd/peer of a: it was not minted"},
		{"image", func(in *Input) { in.Bill.Images = in.Bill.Images[1:] }, "render host a: find image pause: it is not in the bundle"},
		{"set", func(in *Input) { in.Bill.Sets = []bundle.FileSet{{Name: bundle.SetNode}} }, "render host a: find set control-plane: it is not in the bundle"},
		{"CA file", func(in *Input) { delete(in.RegistryFiles, "ca.pem") }, "render registry registry.example:5000: find the CA file ca.pem"},
		{"credentials", func(in *Input) { in.RegistryFiles["login"] = []byte("robot\n") }, "read the credentials file login: it must have two lines"},
		{"endpoint", func(in *Input) { in.Cluster.Endpoint.Host = "" }, "endpoint.host is needed unless there is exactly one control plane"},
		{"kubelet document", func(in *Input) { in.Cluster.Kubelet = map[string]any{"maxPodz": 3} }, `check KubeletConfiguration: error unmarshaling JSON: while decoding JSON: json: unknown field "maxPodz"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := input(t, three(), modern())
			test.change(&in)
			_, err := Host(in, "a")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q in it", err, test.want)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error holds a password: %v", err)
			}
		})
	}
}

// TestNetworkConfiguration: every node gets flannel's with its own files; what holds Pods
// until flanneld is up stands first, where the bundle has it.
func TestNetworkConfiguration(t *testing.T) {
	in := input(t, one(), modern())
	plugins := func() []string {
		file := render(t, in, "worker-1").file(t, CNIConf)
		var list struct {
			Plugins []struct{ Type string }
		}
		if err := json.Unmarshal(file.Content, &list); err != nil {
			t.Fatal(err)
		}
		if file.Phase != plan.PhaseKubelet {
			t.Errorf("a host that is only prepared would be a Ready node: phase %s", file.Phase)
		}
		var types []string
		for _, plugin := range list.Plugins {
			types = append(types, plugin.Type)
		}
		return types
	}
	if diff := cmp.Diff([]string{"await-subnet", "flannel", "portmap"}, plugins()); diff != "" {
		t.Error(diff)
	}
	in.Bill.Components = nil
	if diff := cmp.Diff([]string{"flannel", "portmap"}, plugins()); diff != "" {
		t.Error(diff)
	}
	in.Cluster.Networking.AddOn = cluster.AddOnNone
	for _, file := range render(t, in, "worker-1").Files {
		if file.Path == CNIConf {
			t.Error("a network of the user's own gets flannel's configuration")
		}
	}
}

func TestLimitsAreOnlyRaised(t *testing.T) {
	facts := modern()
	facts.Sysctls["fs.inotify.max_user_watches"] = "99999999"
	state := render(t, input(t, one(), facts), "worker-1")
	want := map[string]string{
		"fs.inotify.max_user_instances": "8192", "fs.inotify.max_user_watches": "99999999",
		"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1", "net.bridge.bridge-nf-call-ip6tables": "1",
	}
	if diff := cmp.Diff(want, state.Sysctls); diff != "" {
		t.Error(diff)
	}
}

func TestNodeAddresses(t *testing.T) {
	for want, addresses := range map[string][]string{
		"10.0.0.1":         {"10.0.0.1"},
		"10.0.0.1,fd00::1": {"10.0.0.1", "10.1.0.1", "fd00::1"},
		"fd00::1,10.0.0.1": {"fd00::1", "10.0.0.1"},
	} {
		if got := nodeIP(cluster.Host{Addresses: addresses}); got != want {
			t.Errorf("%v: got %s, want %s", addresses, got, want)
		}
	}
}

func TestCgroupDriver(t *testing.T) {
	for _, test := range []struct {
		version, systemd int
		users            any
		want             string
	}{
		{2, 252, nil, "systemd"}, {1, 252, nil, "cgroupfs"}, {2, 0, nil, "cgroupfs"}, {2, 252, "cgroupfs", "cgroupfs"},
	} {
		facts := modern()
		facts.Cgroup.Version, facts.Systemd.Version = test.version, test.systemd
		c := one()
		if test.users != nil {
			c.Kubelet = map[string]any{"cgroupDriver": test.users}
		}
		state := render(t, input(t, c, facts), "worker-1")
		containerd := strings.Contains(string(state.file(t, ContainerdConfig).Content), "SystemdCgroup = true")
		kubelet := strings.Contains(string(state.file(t, KubeletConfig).Content), "cgroupDriver: "+test.want+"\n")
		if containerd != (test.want == "systemd") || !kubelet {
			t.Errorf("%+v: containerd by systemd %v, the kubelet says the same %v", test, containerd, kubelet)
		}
	}
}
