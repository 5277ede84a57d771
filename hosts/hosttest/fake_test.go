package hosttest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// do carries out actions that must all change something, and then must not.
func do(t *testing.T, host hosts.Host, actions ...hosts.Action) {
	t.Helper()
	for _, want := range []hosts.Result{hosts.Changed, hosts.Unchanged} {
		for _, action := range actions {
			outcome, err := host.Do(t.Context(), action, nil)
			if err != nil {
				t.Fatalf("%s: %v", hosts.Describe(action).Deed, err)
			}
			if outcome.Result != want {
				t.Errorf("%s is %s, want %s", hosts.Describe(action).Deed, outcome.Result, want)
			}
		}
	}
}

func observe(t *testing.T, host hosts.Host, query hosts.Query) hosts.Facts {
	t.Helper()
	facts, err := host.Observe(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func upload(t *testing.T, host hosts.Host, contents ...string) []hosts.Blob {
	t.Helper()
	var blobs []hosts.Blob
	for _, content := range contents {
		blobs = append(blobs, hosttest.Content([]byte(content)))
	}
	if err := host.Upload(t.Context(), blobs, nil); err != nil {
		t.Fatal(err)
	}
	return blobs
}

// everything is what the tests of the Fake look at.
var everything = hosts.Query{
	Trees:   []string{"/etc", "/opt", "/usr/local/bin"},
	Units:   []string{"containerd.service", "firewalld.service", "none.service"},
	Sysctls: []string{"net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"},
	Modules: []string{"overlay", "br_netfilter"},
	Images:  []string{"registry.k8s.io/pause:3.10.2"},
	Names:   []string{"api.example", "cp-1", "nobody"},
	Links:   []string{"cni0", "veth*"},
	Tables:  []string{"kube-proxy"},
	Chains:  []string{"KUBE-FIREWALL"},
}

// wholeHost is one of each action that leaves something behind.
func wholeHost(blobs []hosts.Blob) []hosts.Action {
	return []hosts.Action{
		hosts.Claim{Cluster: hosts.Identity{ID: "1111", Name: "one"}},
		hosts.DisableSwap{},
		hosts.SetSysctl{Key: "net.ipv4.ip_forward", Value: "1"},
		hosts.SetSysctl{Key: "net.bridge.bridge-nf-call-iptables", Value: "1"},
		hosts.LoadModule{Name: "overlay"},
		hosts.SetHostname{Name: "cp-1"},
		hosts.AddHostsEntry{Address: "192.0.2.9", Names: []string{"api.example"}},
		hosts.WriteFile{Path: "/etc/systemd/system/containerd.service", Mode: 0o644, Content: blobs[0].Ref, Size: blobs[0].Size},
		hosts.WriteFile{Path: "/etc/motd", Mode: 0o600, Content: blobs[1].Ref, Size: blobs[1].Size},
		hosts.MakeDirectory{Path: "/opt/cni/bin", Mode: 0o755},
		hosts.Unpack{Set: "runc", Files: []hosts.UnpackFile{
			{Path: "/usr/local/bin/runc", Layer: blobs[2].Ref, Entry: "runc", Digest: "sha256:99", Size: 9, Mode: 0o755},
			{Path: "/usr/local/bin/r", Target: "runc"},
		}},
		hosts.SetUnit{Name: "containerd.service", Enabled: true, Active: true, Inputs: "v1"},
		hosts.SetUnit{Name: "firewalld.service"},
		hosts.LoadImage{
			Reference: "registry.k8s.io/pause:3.10.2",
			Manifest:  hosts.ImageBlob{Digest: blobs[0].Ref}, Blobs: []hosts.ImageBlob{{Digest: blobs[1].Ref}},
		},
	}
}

func newMachine() *hosttest.Fake {
	machine := hosttest.NewFake("bare")
	machine.PutFile("/etc/motd", []byte("welcome"), 0o644)
	machine.PutUnit("firewalld.service", true, true)
	machine.Edit(func(facts *hosts.Facts) { facts.Swaps = []string{"/dev/sda2"} })
	return machine
}

func TestFakeShowsWhatWasDone(t *testing.T) {
	machine := newMachine()
	host := machine.Host()
	do(t, host, wholeHost(upload(t, host, "unit", "motd", "layer"))...)
	facts := observe(t, host, everything)
	if facts.Hostname != "cp-1" || len(facts.Swaps) != 0 {
		t.Errorf("host name %q, swaps %v", facts.Hostname, facts.Swaps)
	}
	for name, diff := range map[string]string{
		"units": cmp.Diff(map[string]hosts.Unit{
			"containerd.service": {Load: "loaded", Active: "active", Enabled: "enabled", Inputs: "v1"},
			"firewalld.service":  {Load: "loaded", Active: "inactive", Enabled: "disabled"},
			"none.service":       {Load: "not-found", Active: "inactive"},
		}, facts.Units),
		"sysctls": cmp.Diff(map[string]string{
			"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1",
		}, facts.Sysctls),
		"modules": cmp.Diff(map[string]bool{"overlay": true, "br_netfilter": false}, facts.Modules),
		"runc": cmp.Diff(hosts.File{
			Type: hosts.TypeFile, Mode: 0o755, Size: 9, Digest: "sha256:99",
		}, facts.Files["/usr/local/bin/runc"]),
		"names": cmp.Diff(map[string][]string{"api.example": {"192.0.2.9"}}, facts.Names),
	} {
		if diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if len(facts.Images) != 1 || len(facts.Record.Priors) != 8 {
		t.Errorf("images %v, priors %v", facts.Images, facts.Record.Priors)
	}
}

// TestFakeGoesBackToWhatItWas undoes all that the record names and forgets the rest.
func TestFakeGoesBackToWhatItWas(t *testing.T) {
	machine := newMachine()
	host := machine.Host()
	before := observe(t, host, everything)
	do(t, host, wholeHost(upload(t, host, "unit", "motd", "layer"))...)
	if _, err := host.Do(t.Context(), hosts.Forget{}, nil); err == nil || !strings.Contains(err.Error(), "/usr/local/bin/runc") {
		t.Errorf("too early, forgetting ends with %v", err)
	}
	do(t, host, hosts.SetUnit{Name: "containerd.service"})
	record := machine.Record()
	for _, prior := range record.Priors {
		do(t, host, hosts.Restore{Setting: prior.Setting, Value: prior.Value})
	}
	slices.Reverse(record.Paths)
	for _, owned := range record.Paths {
		if owned.Path != "/etc/motd" {
			do(t, host, hosts.RemovePath{Path: owned.Path})
		}
	}
	do(t, host, hosts.RemovePath{Path: "/var/lib/containerd", Recursive: true})
	do(t, host, hosts.Forget{})
	after := observe(t, host, everything)
	before.Time = after.Time
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if left := machine.Stored(); len(left) != 0 {
		t.Errorf("left in the store: %v", left)
	}
}

func TestFakeKeepsAnOrder(t *testing.T) {
	host := hosttest.NewFake("cp-1").Host()
	blobs := upload(t, host, "manifest")
	image := hosts.LoadImage{Reference: "pause", Manifest: hosts.ImageBlob{Digest: blobs[0].Ref}}
	for name, action := range map[string]hosts.Action{
		"an image without containerd":  image,
		"a unit without its file":      hosts.SetUnit{Name: "kubelet.service", Active: true},
		"files of a layer not sent":    hosts.Unpack{Set: "x", Files: []hosts.UnpackFile{{Path: "/x", Layer: "sha256:1"}}},
		"a path that is not absolute":  hosts.MakeDirectory{Path: "etc"},
		"a file in place of directory": hosts.MakeSymlink{Path: "/etc", Target: "x"},
	} {
		var known *hosts.Error
		if _, err := host.Do(t.Context(), action, nil); !errors.As(err, &known) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFakeIsCleared(t *testing.T) {
	machine := hosttest.NewFake("cp-1")
	host := machine.Host()
	machine.Leftovers([]string{"coredns"}, []string{"/var/lib/kubelet/pods/x"}, []string{"cni0", "veth12", "eth1"},
		[]string{"kube-proxy", "mine"}, []string{"KUBE-SERVICES", "DOCKER"})
	machine.PutFile("/var/lib/kubelet/pods/x/file", nil, 0o600)
	if _, err := host.Do(t.Context(), hosts.RemovePath{Path: "/var/lib/kubelet", Recursive: true}, nil); err == nil {
		t.Error("what is mounted was removed")
	}
	do(t, host, hosts.StopPods{}, hosts.Unmount{Below: "/var/lib/kubelet"},
		hosts.RemoveNetwork{Links: []string{"cni0", "veth*"}, Tables: []string{"kube-proxy"}, Chains: []string{"KUBE-SERVICES"}},
		hosts.RemovePath{Path: "/var/lib/kubelet", Recursive: true})
	facts := observe(t, host, hosts.Query{Links: []string{"*"}, Tables: []string{"mine", "kube-proxy"}, Chains: []string{"KUBE-SERVICES", "DOCKER"}})
	if diff := cmp.Diff([][]string{{"eth1"}, {"mine"}, {"DOCKER"}}, [][]string{facts.Links, facts.Tables, facts.Chains}); diff != "" {
		t.Error(diff)
	}
}

// TestFakeSeesWhatAUnitWasStartedWith: what it reads has changed, or is to be read once more.
func TestFakeSeesWhatAUnitWasStartedWith(t *testing.T) {
	machine := hosttest.NewFake("cp-1")
	machine.PutFile("/etc/systemd/system/haproxy.service", nil, 0o644)
	host := machine.Host()
	balancer := func(inputs string) hosts.SetUnit {
		return hosts.SetUnit{Name: "haproxy.service", Enabled: true, Active: true, Inputs: inputs, Reload: true}
	}
	for _, action := range []hosts.SetUnit{
		balancer("1"), balancer("2"), {Name: "haproxy.service", Enabled: true}, balancer("2"), {Name: "haproxy.service"}, balancer("3"),
	} {
		do(t, host, action)
	}
	again := balancer("3")
	again.Restart = true
	for range 2 {
		if outcome, err := host.Do(t.Context(), again, nil); err != nil || outcome.Result != hosts.Changed {
			t.Errorf("what it reads was put right: %v, %v", outcome, err)
		}
	}
}

func TestFakeStopsOnlyThePodsThatAreNamed(t *testing.T) {
	machine := hosttest.NewFake("cp-1")
	machine.Leftovers([]string{"kube-apiserver-cp-1", "etcd-cp-1", "default/etcd-cp-1"}, nil, nil, nil, nil)
	host := machine.Host()
	do(t, host, hosts.StopPods{Only: []string{"etcd-cp-1", "kube-scheduler-cp-1"}, Grace: 30})
	if diff := cmp.Diff([]string{"kube-apiserver-cp-1", "default/etcd-cp-1"}, machine.Pods()); diff != "" {
		t.Error(diff)
	}
}

func TestFakeShowsWhatItIsAskedToTry(t *testing.T) {
	machine := hosttest.NewFake("cp-1", "192.0.2.10/24")
	host := machine.Host()
	const elsewhere, here = "198.51.100.1:6443", "127.0.0.1:16443"
	stop, err := machine.Serve("tcp", here, hosttest.Echo)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	query := hosts.Query{
		Reach: []string{elsewhere, here}, Sync: "/var/lib/etcd",
		VirtualIP: &hosts.VirtualIPQuery{Address: "192.0.2.100", Unit: "keepalived.service"},
	}
	facts := observe(t, host, query)
	want := hosts.Facts{
		Reach: map[string]string{elsewhere: "connection refused", here: ""}, Sync: facts.Sync,
		VirtualIP: &hosts.VirtualIP{Interface: "eth0"},
	}
	seen := func(facts hosts.Facts) hosts.Facts {
		return hosts.Facts{Reach: facts.Reach, Sync: facts.Sync, VirtualIP: facts.VirtualIP}
	}
	if diff := cmp.Diff(want, seen(facts)); diff != "" || facts.Sync == 0 {
		t.Error(diff)
	}
	taken := hosts.VirtualIP{Interface: "eth0", Holder: "52:54:00:00:00:99", Routers: []hosts.Router{{Source: "192.0.2.9", RouterID: 7, Version: 3}}}
	machine.Edit(func(facts *hosts.Facts) {
		facts.Reach = map[string]string{elsewhere: ""}
		facts.Sync = time.Second
		facts.VirtualIP = &taken
	})
	want = hosts.Facts{Reach: map[string]string{elsewhere: "", here: ""}, Sync: time.Second, VirtualIP: &taken}
	if diff := cmp.Diff(want, seen(observe(t, host, query))); diff != "" {
		t.Error(diff)
	}
	blob := upload(t, host, "[Unit]")[0]
	do(t, host, hosts.WriteFile{Path: "/etc/systemd/system/keepalived.service", Mode: 0o644, Content: blob.Ref, Size: blob.Size},
		hosts.MakeDirectory{Path: "/var/lib/etcd/member", Mode: 0o700})
	want.Sync, want.VirtualIP = 0, nil
	if diff := cmp.Diff(want, seen(observe(t, host, query))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(hosts.Facts{}, seen(observe(t, host, hosts.Query{}))); diff != "" {
		t.Error(diff)
	}
}

// TestFakeUnmountsOnlyWhatIsBelow a path, as a real host does.
func TestFakeUnmountsOnlyWhatIsBelow(t *testing.T) {
	machine := hosttest.NewFake("cp-1")
	machine.Leftovers(nil, []string{"/var/lib/etcd"}, nil, nil, nil)
	host := machine.Host()
	if outcome, err := host.Do(t.Context(), hosts.Unmount{Below: "/var/lib/etcd"}, nil); err != nil || outcome.Result != hosts.Unchanged {
		t.Errorf("the path itself: %v, %v", outcome, err)
	}
	do(t, host, hosts.Unmount{Below: "/var/lib"})
}
