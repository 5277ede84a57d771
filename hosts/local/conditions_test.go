//go:build linux

package local_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// TestConditions looks at what only checks look at: here it is all bad.
func TestConditions(t *testing.T) {
	m := newMachine(t)
	m.write("/proc/sys/kernel/modules_disabled", "1\n")
	m.write("/etc/hosts", "192.0.2.7 localhost other\n")
	m.write("/usr/bin/mount", "")
	m.systemd.environment = []string{"PATH=/usr/bin", "HTTPS_PROXY=http://joe:secret@proxy:3128", "https_proxy=", "no_proxy=10.0.0.0/8", "http_proxy=proxy:80"}
	m.systemd.units["chronyd.service"] = local.UnitState{Load: "loaded", Active: "active"}
	addBridge(t, "cni0")
	facts := m.observe(m.host(), hosts.Query{Conditions: &hosts.ConditionsQuery{
		Modules: []string{"no_such_module"}, Programs: []string{"mount", "losetup"}, Peers: []string{"127.0.0.9"},
		Leftovers: &hosts.LeftoversQuery{Links: []string{"cni0"}, Units: []string{"kubelet.service"}},
	}})
	if facts.Conditions == nil {
		t.Fatalf("nothing is seen: %v", facts.Unanswered)
	}
	got := *facts.Conditions
	got.Unsynchronized = false // as this machine's clock is
	want := hosts.Conditions{
		Modules: map[string]bool{"no_such_module": false}, ModulesLocked: true, MissingPrograms: []string{"losetup"},
		Proxy:      map[string]string{"https_proxy": "http://proxy:3128", "http_proxy": "proxy:80", "no_proxy": "10.0.0.0/8"},
		TimeKeeper: "chronyd.service", Localhost: []string{"192.0.2.7"}, RouteTo: map[string]string{"127.0.0.9": "lo"},
		Leftovers: hosts.Leftovers{Links: []string{"cni0"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestModulesThatTheKernelCanLoad: one that is locked loads none, wherever they lie.
func TestModulesThatTheKernelCanLoad(t *testing.T) {
	m := newMachine(t)
	m.write("/lib/modules/"+release(t)+"/modules.dep", "kernel/drivers/net/vxlan/vxlan.ko.zst: kernel/net/ipv4/udp_tunnel.ko.zst\n")
	m.write("/proc/modules", "ip_vs 16384 0 - Live 0x0\n")
	for locked, want := range map[string]map[string]bool{
		"0": {"vxlan": true, "ip_vs": true, "ip_vs_rr": false}, "1": {"vxlan": false, "ip_vs": true, "ip_vs_rr": false},
	} {
		m.write("/proc/sys/kernel/modules_disabled", locked+"\n")
		got := m.observe(m.host(), hosts.Query{Conditions: &hosts.ConditionsQuery{Modules: []string{"vxlan", "ip_vs", "ip_vs_rr"}}}).Conditions
		if diff := cmp.Diff(want, got.Modules); diff != "" {
			t.Errorf("locked %s (-want +got):\n%s", locked, diff)
		}
	}
}

// TestFileSystemsAreToldApart by what they are mounted from, where that is a device.
func TestFileSystemsAreToldApart(t *testing.T) {
	m := newMachine(t)
	m.write("/var/log/.keep", "")
	mount(t, m.at("/var/log"), "")
	found := map[string]hosts.Disk{}
	for _, disk := range m.observe(m.host(), hosts.Query{}).Disks {
		found[disk.Path] = disk
	}
	root, logs := found["/"], found["/var/log"]
	if logs.Size == 0 || logs.Device != "" || logs.Shares(root) {
		t.Errorf("a tmpfs of its own is seen as %+v, beside %+v", logs, root)
	}
	if etcd := found["/var/lib/etcd"]; !etcd.Shares(root) || etcd.Device != root.Device {
		t.Errorf("what lies on the root is seen as %+v, beside %+v", etcd, root)
	}
	mounts, err := mountinfo.GetMounts(mountinfo.ParentsFilter(m.at("/")))
	if err != nil || len(mounts) == 0 {
		t.Fatalf("%v, %v", mounts, err)
	}
	slices.SortFunc(mounts, func(a, b *mountinfo.Info) int { return len(b.Mountpoint) - len(a.Mountpoint) })
	if source := mounts[0].Source; strings.HasPrefix(source, "/") && root.Device != source {
		t.Errorf("the root is mounted from %q, and seen as from %q", source, root.Device)
	}
}

// TestWhatUfwLetsOut: only where it lets nothing else out.
func TestWhatUfwLetsOut(t *testing.T) {
	m := newMachine(t)
	m.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
	m.write("/etc/ufw/user.rules", rule("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", "")+rule("allow tcp 443,6443 10.0.0.0/24 any 0.0.0.0/0 out", "by hand")+
		rule("allow_log any any 0.0.0.0/0 any 0.0.0.0/0 out_cni0", "")+rule("deny tcp 25 0.0.0.0/0 any 0.0.0.0/0 out", "")+rule("allow tcp 53 0.0.0.0/0 99 0.0.0.0/0 out", "")+
		rule("route:allow any any 0.0.0.0/0 any 0.0.0.0/0 out_cni0", "")+rule("allow udp 123 0.0.0.0/0 any 10.0.0.1 NTP - out", ""))
	m.write("/etc/ufw/user6.rules", rule("allow any any ::/0 any ::/0 out", ""))
	out := []hosts.PacketRule{
		{Protocol: "tcp", Ports: "443,6443", To: "10.0.0.0/24", From: "0.0.0.0/0"}, {To: "0.0.0.0/0", From: "0.0.0.0/0", Link: "cni0"},
		{Protocol: "udp", Ports: "123", To: "0.0.0.0/0", From: "10.0.0.1"}, {To: "::/0", From: "::/0"},
	}
	for policy, want := range map[string]*hosts.Outgoing{
		`"ACCEPT"`: nil, "": nil, `"DROP"`: {Default: "deny", Allowed: out}, `reject`: {Default: "reject", Allowed: out},
	} {
		m.write("/etc/default/ufw", "IPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_OUTPUT_POLICY="+policy+"\n")
		got := m.observe(m.host(), hosts.Query{Conditions: &hosts.ConditionsQuery{}}).Conditions
		if got == nil {
			t.Fatal("nothing is seen")
		}
		if diff := cmp.Diff(want, got.Outgoing); diff != "" {
			t.Errorf("%s (-want +got):\n%s", policy, diff)
		}
	}
}

// TestLeftoversAreNoClustersOwn: on a host that has a record they are that cluster's.
func TestLeftoversAreNoClustersOwn(t *testing.T) {
	m := newMachine(t)
	addBridge(t, "cni0")
	link := m.at("/etc/systemd/system/multi-user.target.wants/kubelet.service")
	m.write("/etc/systemd/system/multi-user.target.wants/.keep", "")
	if err := os.Symlink("/etc/systemd/system/kubelet.service", link); err != nil {
		t.Fatal(err)
	}
	query := hosts.Query{Conditions: &hosts.ConditionsQuery{Leftovers: &hosts.LeftoversQuery{Links: []string{"cni0"}, Units: []string{"kubelet.service"}, Processes: []string{"sleep"}}}}
	host := m.host()
	seen := m.observe(host, query).Conditions.Leftovers
	if !slices.Equal(seen.Links, []string{"cni0"}) || !slices.Equal(seen.Units, []string{"/etc/systemd/system/multi-user.target.wants/kubelet.service"}) {
		t.Errorf("seen are %+v", seen)
	}
	if _, err := host.Do(t.Context(), hosts.Claim{Cluster: hosts.Identity{Name: "try", ID: strings.Repeat("a", 64)}}, nil); err != nil {
		t.Fatal(err)
	}
	if seen := m.observe(host, query).Conditions.Leftovers; len(seen.Links)+len(seen.Units) > 0 {
		t.Errorf("of a host that a cluster has: %+v", seen)
	}
}

// TestProcessesThatAreLeft finds a real one.
func TestProcessesThatAreLeft(t *testing.T) {
	program, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "60")
	command.Args[0] = "/usr/bin/kubelet"
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	m := newMachine(t)
	if err := os.RemoveAll(m.at("/proc")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/proc", m.at("/proc")); err != nil {
		t.Fatal(err)
	}
	host := m.host()
	seen := m.observe(host, hosts.Query{Conditions: &hosts.ConditionsQuery{Leftovers: &hosts.LeftoversQuery{Processes: []string{"kubelet"}}}}).Conditions.Leftovers
	if !slices.Contains(seen.Processes, hosts.Process{PID: command.Process.Pid, Name: "kubelet"}) {
		t.Errorf("seen are %v", seen.Processes)
	}
}

// TestMountsOfPlaces: what counts is the mount that a place lies on, also before it is made.
func TestMountsOfPlaces(t *testing.T) {
	m := newMachine(t)
	m.write("/opt/.keep", "")
	if err := unix.Mount("slipway-test", m.at("/opt"), "tmpfs", unix.MS_NOEXEC|unix.MS_NOSUID, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(m.at("/opt"), unix.MNT_DETACH) })
	seen := m.observe(m.host(), hosts.Query{Conditions: &hosts.ConditionsQuery{Places: []string{"/opt/slipway/components", "/scratch"}}}).Conditions.Mounts
	real, err := filepath.EvalSymlinks(m.at("/opt"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (hosts.Mount{At: real, Type: "tmpfs", NoExec: true, NoSUID: true}); seen["/opt/slipway/components"] != want {
		t.Errorf("%+v, want %+v", seen["/opt/slipway/components"], want)
	}
	if other := seen["/scratch"]; other.At == real || other.NoExec {
		t.Errorf("beside it: %+v", other)
	}
}
