//go:build linux

package local_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/local"
)

func TestSysctlIsSetAndComesBack(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/proc/sys/net/ipv4/ip_forward", "0\n")
	m.write("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
	m.write("/proc/sys/net/ipv4/conf/eth0.100/rp_filter", "2\n")
	m.do(host, hosts.SetSysctl{Key: "net.ipv4.ip_forward", Value: "1"})
	m.do(host, hosts.SetSysctl{Key: "net.ipv4.conf.eth0/100.rp_filter", Value: "0"})
	m.once(host, hosts.SetSysctl{Key: "net/ipv4/ip_local_port_range", Value: "32768 60999"}, hosts.Unchanged)
	m.once(host, hosts.SetSysctl{Key: "net.ipv4.ip_forward", Value: "0"}, hosts.Changed)
	m.once(host, hosts.SetSysctl{Key: "net.ipv4.ip_forward", Value: "1"}, hosts.Changed)
	for _, key := range []string{"net.nothing", "../etc/passwd", "net..ipv4", ""} {
		m.fails(host, hosts.SetSysctl{Key: key, Value: "1"})
	}
	want := []hosts.Prior{
		{Setting: "sysctl/net.ipv4.ip_forward", Value: "0", Set: "1"},
		{Setting: "sysctl/net.ipv4.conf.eth0/100.rp_filter", Value: "2", Set: "0"},
	}
	if diff := cmp.Diff(want, m.record(host).Priors); diff != "" {
		t.Fatalf("priors (-want +got):\n%s", diff)
	}
	for _, prior := range want {
		m.do(host, hosts.Restore{Setting: prior.Setting})
	}
	if m.read("/proc/sys/net/ipv4/ip_forward") != "0\n" || m.read("/proc/sys/net/ipv4/conf/eth0.100/rp_filter") != "2\n" {
		t.Error("the values did not come back")
	}
}

func TestModulesThatAreThere(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/proc/filesystems", "nodev\tproc\n\toverlay\n")
	m.write("/proc/modules", "nf_conntrack 172032 1 xt_conntrack, Live 0x0\nveth_like 1 0 - Live 0x0\n")
	m.write("/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n")
	m.write("/sys/module/dm_thin_pool/refcnt", "0\n")
	release := release(t)
	m.write("/lib/modules/"+release+"/modules.builtin", "kernel/net/vxlan.ko\nkernel/fs/some-thing.ko.xz\n")
	facts := m.observe(host, hosts.Query{Modules: []string{
		"overlay", "nf_conntrack", "br_netfilter", "dm-thin-pool", "vxlan", "some_thing", "veth", "ip_vs",
	}})
	want := map[string]bool{
		"overlay": true, "nf_conntrack": true, "br_netfilter": true, "dm-thin-pool": true, "vxlan": true,
		"some_thing": true, "veth": false, "ip_vs": false,
	}
	if diff := cmp.Diff(want, facts.Modules); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
	m.once(host, hosts.LoadModule{Name: "overlay"}, hosts.Unchanged)
	m.fails(host, hosts.LoadModule{Name: "../x"})
}

func release(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func TestHostname(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/hostname", "# ours\nold.example\n")
	m.do(host, hosts.SetHostname{Name: "cp-1"})
	if m.read("/etc/hostname") != "cp-1\n" || m.read("/proc/sys/kernel/hostname") != "cp-1\n" {
		t.Error("the name was not set")
	}
	m.do(host, hosts.SetHostname{Name: "cp-2"})
	m.do(host, hosts.Restore{Setting: "hostname"})
	if m.read("/etc/hostname") != "old.example\n" || m.read("/proc/sys/kernel/hostname") != "old\n" {
		t.Error("the first names did not come back")
	}
	for _, name := range []string{"", "UPPER", "a b", "-a", "a\nb"} {
		m.fails(host, hosts.SetHostname{Name: name})
	}
}

// resolver is a name service.
type resolver map[string]error

func (r resolver) LookupHost(_ context.Context, name string) ([]string, error) {
	if err := r[name]; err != nil {
		return nil, err
	}
	return []string{"192.0.2.1"}, nil
}

// TestNamesThatNobodyAnsweredFor are told apart from those that do not exist.
func TestNamesThatNobodyAnsweredFor(t *testing.T) {
	m := newMachine(t)
	m.write("/etc/hosts", "10.0.0.1 local\n")
	host := m.open(local.Options{Resolver: resolver{
		"gone": &net.DNSError{Err: "no such host", IsNotFound: true},
		"slow": &net.DNSError{Err: "i/o timeout", IsTimeout: true},
		"bad":  &net.DNSError{Err: "server misbehaving", Server: "10.0.0.53:53", IsTemporary: true},
		"odd":  &net.DNSError{Err: "no such device"},
		"else": errors.New("it broke"),
	}})
	facts := m.observe(host, hosts.Query{Names: []string{"slow", "local", "gone", "there", "bad", "odd", "else"}})
	want := hosts.Facts{Names: map[string][]string{"local": {"10.0.0.1"}, "there": {"192.0.2.1"}}, Unresolved: map[string]string{
		"slow": "no answer within 6 s", "bad": "the name server 10.0.0.53:53 failed: server misbehaving",
		"odd": "the name server failed: no such device", "else": "it broke",
	}}
	if diff := cmp.Diff(want, hosts.Facts{Names: facts.Names, Unresolved: facts.Unresolved}); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// slowly is a name service that answers after a while.
type slowly struct {
	after   time.Duration
	address string
}

func (s slowly) LookupHost(ctx context.Context, _ string) ([]string, error) {
	answer := time.NewTimer(s.after)
	defer answer.Stop()
	select {
	case <-answer.C:
		return []string{s.address}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestASlowNameServerIsAnAnswer: where the first of two is dead, a resolver takes 5 s.
func TestASlowNameServerIsAnAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for after, answers := range map[time.Duration]bool{1200 * time.Millisecond: true, 5200 * time.Millisecond: true, time.Minute: false} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				by := slowly{after, "127.0.0.1"}
				names, unanswered := local.LookUp(t.Context(), by, "api.internal")
				if got := len(names["api.internal"]) > 0; got != answers || (len(unanswered) > 0) == answers {
					t.Errorf("found %v, not answered %v", names, unanswered)
				}
				if why := unanswered["api.internal"]; !answers && why != "no answer within 6 s" {
					t.Errorf("it is said that %q", why)
				}
				why := local.Reach(t.Context(), by, "api.internal:"+port)
				if want := "api.internal cannot be looked up: no answer within 6 s"; answers && why != "" || !answers && why != want {
					t.Errorf("that it is not reached is said to be for %q", why)
				}
			})
		})
	}
}

func TestHostsEntry(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	const theirs = "127.0.0.1 localhost\n10.0.0.1 theirs"
	m.put("/etc/hosts", theirs, 0o644)
	m.do(host, hosts.AddHostsEntry{Address: "10.0.0.1", Names: []string{"cp-1", "cp-1.example"}})
	m.do(host, hosts.AddHostsEntry{Address: "10.0.0.11", Names: []string{"cp-11"}})
	m.do(host, hosts.AddHostsEntry{Address: "10.0.0.1", Names: []string{"cp-1"}})
	want := theirs + "\n10.0.0.1\tcp-1\t# slipway\n10.0.0.11\tcp-11\t# slipway\n"
	if got := m.read("/etc/hosts"); got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	facts := m.observe(host, hosts.Query{Names: []string{"cp-1", "LOCALHOST", "theirs"}})
	names := map[string][]string{"cp-1": {"10.0.0.1"}, "LOCALHOST": {"127.0.0.1"}, "theirs": {"10.0.0.1"}}
	if diff := cmp.Diff(names, facts.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	m.do(host, hosts.Restore{Setting: "hosts/10.0.0.1"})
	m.do(host, hosts.Restore{Setting: "hosts/10.0.0.11"})
	if got := m.read("/etc/hosts"); got != theirs+"\n" {
		t.Errorf("the file came back as %q", got)
	}
	m.fails(host, hosts.AddHostsEntry{Address: "10.0.0.1", Names: []string{"a\nb"}})
	m.fails(host, hosts.AddHostsEntry{Address: "nowhere", Names: []string{"a"}})
	m.fails(host, hosts.AddHostsEntry{Address: "10.0.0.1"})
}

func TestHostsFileThatIsMounted(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/hosts", "")
	m.write("/elsewhere", "127.0.0.1 localhost\n")
	if err := syscall.Mount(m.at("/elsewhere"), m.at("/etc/hosts"), "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(m.at("/etc/hosts"), syscall.MNT_DETACH) })
	m.do(host, hosts.AddHostsEntry{Address: "10.0.0.1", Names: []string{"a"}})
	if got := m.read("/elsewhere"); got != "127.0.0.1 localhost\n10.0.0.1\ta\t# slipway\n" {
		t.Errorf("the mounted file is %q", got)
	}
}

func TestLeaseKeepsOthersActionsOut(t *testing.T) {
	m := newMachine(t)
	holder, other := m.host(), m.host()
	m.once(other, hosts.MakeDirectory{Path: "/etc/before", Mode: 0o755}, hosts.Changed)
	m.do(holder, hosts.TakeLease{Holder: "me@operator"})
	err := m.fails(other, hosts.MakeDirectory{Path: "/etc/during", Mode: 0o755})
	if err.Kind != hosts.KindLease || m.has("/etc/during") {
		t.Fatalf("an action beside a lease: %v", err)
	}
	m.once(other, hosts.MakeDirectory{Path: "/etc/before", Mode: 0o755}, hosts.Unchanged)
	m.once(holder, hosts.MakeDirectory{Path: "/etc/during", Mode: 0o755}, hosts.Changed)
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	m.once(other, hosts.MakeDirectory{Path: "/etc/after", Mode: 0o755}, hosts.Changed)
	if lease := m.observe(other, hosts.Query{}).Lease; lease != nil {
		t.Errorf("a free lease is seen as %+v", lease)
	}
}

func TestForgetSaysWhatIsLeft(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/proc/sys/net/ipv4/ip_forward", "0\n")
	m.write("/opt/.keep", "")
	m.do(host, m.writeFile(host, "/etc/kubernetes/admin.conf", "x", 0o600))
	m.do(host, m.writeFile(host, "/opt/made/file", "x", 0o600))
	m.do(host, hosts.SetSysctl{Key: "net.ipv4.ip_forward", Value: "1"})
	m.do(host, m.writeFile(host, "/etc/systemd/system/x.service", "x", 0o644))
	m.systemd.units["x.service"] = unit("loaded", "inactive", "disabled", "/etc/systemd/system/x.service")
	m.do(host, hosts.SetUnit{Name: "x.service", Active: true})
	m.containerd.images["docker.io/library/pause:latest"] = "sha256:1"
	blob := hosttest.Content([]byte("manifest"))
	m.upload(host, blob)
	m.once(host, hosts.LoadImage{Reference: "other", Manifest: hosts.ImageBlob{Digest: blob.Ref, Size: blob.Size}}, hosts.Changed)
	m.write("/opt/made/users-own", "x")

	err := m.fails(host, hosts.Forget{})
	for _, left := range []string{"/etc/kubernetes/admin.conf", "x.service", "image other", "sysctl/net.ipv4.ip_forward"} {
		if !strings.Contains(err.Error(), left) {
			t.Errorf("%s is not said to be left: %v", left, err)
		}
	}
	if strings.Contains(err.Error(), "pause") {
		t.Errorf("an image that is not ours is said to be left: %v", err)
	}
	m.do(host, hosts.SetUnit{Name: "x.service"})
	m.do(host, hosts.RemovePath{Path: "/etc/systemd/system/x.service"})
	m.do(host, hosts.RemovePath{Path: "/etc/systemd", Recursive: true})
	m.do(host, hosts.RemovePath{Path: "/etc/kubernetes", Recursive: true})
	m.do(host, hosts.RemovePath{Path: "/etc", IfEmpty: true})
	m.do(host, hosts.RemovePath{Path: "/opt/made/file"})
	m.once(host, hosts.RemovePath{Path: "/opt/made", IfEmpty: true}, hosts.Unchanged)
	m.do(host, hosts.Restore{Setting: "sysctl/net.ipv4.ip_forward"})
	delete(m.containerd.images, "docker.io/library/other:latest")
	m.do(host, hosts.Forget{})
	for _, dir := range []string{"/var/lib/slipway", "/run/slipway"} {
		if m.has(dir) {
			t.Errorf("%s is left", dir)
		}
	}
	if !m.has("/opt/made/users-own") {
		t.Error("what is not ours was removed")
	}
	m.once(host, hosts.TakeLease{Holder: "again"}, hosts.Changed)
}

func TestLoadImageReadsOnlyTheStore(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	manifest, layer := hosttest.Content([]byte("manifest")), hosttest.Content([]byte("layer"))
	image := hosts.LoadImage{
		Reference: "registry.k8s.io/pause:1",
		Manifest:  hosts.ImageBlob{Digest: manifest.Ref, Size: manifest.Size},
		Blobs:     []hosts.ImageBlob{{Digest: layer.Ref, Size: layer.Size}},
	}
	m.upload(host, manifest)
	if err := m.fails(host, image); !strings.Contains(err.Error(), layer.Ref) {
		t.Errorf("a blob that is missing: %v", err)
	}
	m.upload(host, layer)
	var last hosts.Progress
	if _, err := host.Do(t.Context(), image, func(p hosts.Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if last.Done != last.Total || last.Total != manifest.Size+layer.Size {
		t.Errorf("the last progress is %+v", last)
	}
	m.once(host, image, hosts.Unchanged)
	if images := m.record(host).Images; len(images) != 1 || images[0] != image.Reference {
		t.Errorf("the record names %v", images)
	}
	facts := m.observe(host, hosts.Query{Images: []string{image.Reference, "other"}})
	if diff := cmp.Diff(map[string]string{image.Reference: manifest.Ref}, facts.Images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

// TestAnImageIsNamedInPlaceOfAnother, which stays by its digest, so that it can be named again; also where that
// was cut.
func TestAnImageIsNamedInPlaceOfAnother(t *testing.T) {
	const name = "acme/app:1"
	one, other := hosttest.Content([]byte("one")), hosttest.Content([]byte("other"))
	beside := func(content hosts.Blob) string { return "docker.io/acme/app@" + content.Ref }
	load := func(reference string, content hosts.Blob) hosts.LoadImage {
		return hosts.LoadImage{Reference: reference, Manifest: hosts.ImageBlob{Digest: content.Ref, Size: content.Size}, Bundled: true}
	}
	m := newMachine(t)
	host := m.host()
	m.upload(host, one)
	m.upload(host, other)
	m.once(host, load(name, one), hosts.Changed)
	naming := hosts.NameImage{Name: name, Digest: other.Ref}
	if err := m.fails(host, naming); !strings.Contains(err.Error(), beside(other)) {
		t.Errorf("one that is not there: %v", err)
	}
	m.once(host, load(beside(other), other), hosts.Changed)
	for _, step := range []struct {
		names, keeps hosts.Blob
		cut          bool // before the last change
	}{
		{names: other, keeps: one},
		{names: one, keeps: other},
		{names: other, keeps: one, cut: true},
		{names: one, keeps: other, cut: true},
	} {
		if step.cut {
			m.containerd.refuses = errors.New("cut")
			m.fails(host, hosts.NameImage{Name: name, Digest: step.names.Ref})
			m.containerd.refuses = nil
		}
		m.once(host, hosts.NameImage{Name: name, Digest: step.names.Ref}, hosts.Changed)
		m.once(host, hosts.NameImage{Name: name, Digest: step.names.Ref}, hosts.Unchanged)
		want := map[string]string{"docker.io/" + name: step.names.Ref, beside(step.keeps): step.keeps.Ref}
		if diff := cmp.Diff(want, m.containerd.images); diff != "" {
			t.Errorf("containerd has (-want +got):\n%s", diff)
		}
		record := m.record(host)
		if diff := cmp.Diff(map[string]string{name: step.names.Ref, beside(step.keeps): step.keeps.Ref}, record.Bundled); diff != "" || len(record.Images) != 2 {
			t.Errorf("on record are %q, from the bundle (-want +got):\n%s", record.Images, diff)
		}
	}
	m.containerd.images = nil // it does not run
	if err := m.fails(host, naming); !strings.Contains(err.Error(), "containerd does not run") {
		t.Errorf("without containerd: %v", err)
	}
}

// TestOnlyTheBundlesImagesAreUnloaded: by the record, while they are what it says.
func TestOnlyTheBundlesImagesAreUnloaded(t *testing.T) {
	const name, full = "acme/app:1", "docker.io/acme/app:1"
	blob := hosttest.Content([]byte("manifest"))
	manifest := hosts.ImageBlob{Digest: blob.Ref, Size: blob.Size}
	bundled := hosts.LoadImage{Reference: name, Manifest: manifest, Bundled: true}
	meant := hosts.UnloadImage{Name: name, Digest: blob.Ref}
	for what, test := range map[string]struct {
		loads  []hosts.LoadImage
		before func(*machine)
		action hosts.UnloadImage
		want   hosts.Result
		there  bool // and pinned
	}{
		"it goes":                  {loads: []hosts.LoadImage{bundled}, action: meant, want: hosts.Changed},
		"a container uses it":      {loads: []hosts.LoadImage{bundled}, before: func(m *machine) { m.containerd.used = map[string]bool{full: true} }, action: meant, want: hosts.Changed},
		"the user's own":           {loads: []hosts.LoadImage{{Reference: name, Manifest: manifest}}, action: meant, want: hosts.Unchanged, there: true},
		"the user has it too":      {loads: []hosts.LoadImage{bundled, {Reference: full, Manifest: manifest}}, action: meant, want: hosts.Unchanged, there: true},
		"another digest is meant":  {loads: []hosts.LoadImage{bundled}, action: hosts.UnloadImage{Name: name, Digest: "sha256:other"}, want: hosts.Unchanged, there: true},
		"another image is meant":   {loads: []hosts.LoadImage{bundled}, action: hosts.UnloadImage{Name: "other:1", Digest: blob.Ref}, want: hosts.Unchanged, there: true},
		"it is another one by now": {loads: []hosts.LoadImage{bundled}, before: func(m *machine) { m.containerd.images[full] = "sha256:other" }, action: meant, want: hosts.Unchanged, there: true},
		"nobody loaded it":         {before: func(m *machine) { m.containerd.images[full] = blob.Ref }, action: meant, want: hosts.Unchanged, there: true},
	} {
		t.Run(what, func(t *testing.T) {
			m := newMachine(t)
			host := m.host()
			m.upload(host, blob)
			for _, load := range test.loads {
				m.once(host, load, hosts.Changed)
				m.once(host, load, hosts.Unchanged)
			}
			if test.before != nil {
				test.before(m)
			}
			m.once(host, test.action, test.want)
			m.once(host, test.action, hosts.Unchanged)
			if _, there := m.containerd.images[full]; there != test.there {
				t.Errorf("that it is there and pinned is %v", there)
			}
			if used := test.want == hosts.Changed && m.containerd.used[full]; used != slices.Contains(m.containerd.unpinned, full) {
				t.Errorf("unpinned are %q", m.containerd.unpinned)
			}
			if record := m.record(host); record != nil && slices.Contains(record.Images, name) != (len(test.loads) > 0 && test.there) {
				t.Errorf("on record are %q, from the bundle %v", record.Images, record.Bundled)
			}
		})
	}
}

func TestImagesAreWhereTheRuntimeLooks(t *testing.T) {
	for name, full := range map[string]string{
		"app:1":                         "docker.io/library/app:1",
		"app":                           "docker.io/library/app:latest",
		"acme/x:1":                      "docker.io/acme/x:1",
		"docker.io/x:1":                 "docker.io/library/x:1",
		"docker.io/library/x:1":         "docker.io/library/x:1",
		"index.docker.io/library/x:1":   "docker.io/library/x:1",
		"google_containers/pause:3":     "docker.io/google_containers/pause:3", // an imageRepository without a host
		"localhost/x:1":                 "localhost/x:1",
		"registry.k8s.io/pause:3.10.2":  "registry.k8s.io/pause:3.10.2",
		"mirror:5000/k8s/pause:3.10.2":  "mirror:5000/k8s/pause:3.10.2",
		"[2001:db8::1]:5000/pause:3.10": "[2001:db8::1]:5000/pause:3.10",
	} {
		m := newMachine(t)
		host := m.host()
		blob := hosttest.Content([]byte("manifest of " + full))
		m.upload(host, blob)
		image := hosts.LoadImage{Reference: name, Manifest: hosts.ImageBlob{Digest: blob.Ref, Size: blob.Size}}
		m.once(host, image, hosts.Changed)
		if diff := cmp.Diff(map[string]string{full: blob.Ref}, m.containerd.images); diff != "" {
			t.Errorf("%s is in containerd (-want +got):\n%s", name, diff)
		}
		if got := m.observe(host, hosts.Query{Images: []string{name}}).Images[name]; got != blob.Ref {
			t.Errorf("%s is seen as %q", name, got)
		}
		m.once(host, image, hosts.Unchanged)
	}
}

func TestStopPodsTakesTheControlGroupsAway(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.containerd.pods = []string{"a", "b"}
	for _, dir := range []string{"/sys/fs/cgroup/kubepods.slice/pod1", "/sys/fs/cgroup/memory/kubepods/burstable/pod2", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/kubepods-others.slice"} {
		if err := os.MkdirAll(m.at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.systemd.units["kubelet.service"] = unit("loaded", "active", "enabled", "")
	m.systemd.units["kubepods.slice"] = unit("loaded", "active", "", "")
	m.do(host, hosts.StopPods{})
	if !m.has("/sys/fs/cgroup/kubepods.slice/pod1") || m.systemd.units["kubepods.slice"].Active != "active" {
		t.Error("the control groups of a kubelet that runs were removed")
	}
	m.systemd.units["kubelet.service"] = unit("loaded", "inactive", "enabled", "")
	m.do(host, hosts.StopPods{})
	if m.has("/sys/fs/cgroup/kubepods.slice") || m.has("/sys/fs/cgroup/memory/kubepods") || !m.has("/sys/fs/cgroup/system.slice") || !m.has("/sys/fs/cgroup/kubepods-others.slice") {
		t.Error("the control groups that are left are not the right ones")
	}
	if m.systemd.units["kubepods.slice"].Active == "active" {
		t.Error("systemd still has the Pods' slice, and makes its control group anew")
	}
	m.once(host, hosts.StopPods{}, hosts.Unchanged)
	m.containerd.pods = []string{"c"}
	if m.do(host, hosts.StopPods{Grace: 30}); m.containerd.grace != 30*time.Second {
		t.Errorf("containers have %s to end", m.containerd.grace)
	}
}

func TestStopPodsEndsOnlyThoseThatAreNamed(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.containerd.pods = []string{"a", "b"}
	m.containerd.system = []string{"etcd-cp-1", "kube-apiserver-cp-1", "kube-proxy-x"}
	m.write("/sys/fs/cgroup/kubepods.slice/pod1/.keep", "")
	action := hosts.StopPods{Only: []string{"kube-apiserver-cp-1", "kube-scheduler-cp-1"}, Grace: 30}
	if outcome := m.do(host, action); outcome.Detail != "kube-apiserver-cp-1" {
		t.Errorf("the detail is %q", outcome.Detail)
	}
	if diff := cmp.Diff([]string{"kube-apiserver-cp-1"}, m.containerd.ended); diff != "" || m.containerd.grace != 30*time.Second {
		t.Errorf("with %s of grace were ended (-want +got):\n%s", m.containerd.grace, diff)
	}
	if len(m.containerd.pods) != 2 || !m.has("/sys/fs/cgroup/kubepods.slice/pod1") {
		t.Error("more was stopped than was named")
	}
}

// TestForwardingLeavesRedirectsAsTheyWere: the kernel itself, in the tests' own network namespace, sets anew
// whether a host takes them when it begins to forward, and when it stops.
func TestForwardingLeavesRedirectsAsTheyWere(t *testing.T) {
	const redirects = "/proc/sys/net/ipv4/conf/all/accept_redirects"
	for _, key := range []string{"net.ipv4.ip_forward", "net/ipv4/conf/all/forwarding"} {
		for _, before := range []string{"0", "1"} {
			t.Run(key+" over "+before, func(t *testing.T) {
				m := newMachine(t)
				host := m.host()
				m.write("/proc/sys/net/.keep", "")
				if err := os.Symlink("/proc/sys/net/ipv4", m.at("/proc/sys/net/ipv4")); err != nil {
					t.Fatal(err)
				}
				m.write("/proc/sys/net/ipv4/ip_forward", "0\n")
				m.write(redirects, before+"\n")
				m.do(host, hosts.SetSysctl{Key: key, Value: "1"})
				if got := strings.TrimSpace(m.read(redirects)); got != "0" {
					t.Errorf("while the host forwards it is %s", got)
				}
				for _, prior := range slices.Backward(m.record(host).Priors) {
					m.do(host, hosts.Restore{Setting: prior.Setting})
				}
				if got := strings.TrimSpace(m.read(redirects)); got != before || m.read("/proc/sys/net/ipv4/ip_forward") != "0\n" {
					t.Errorf("after a reset it is %s, and was %s", got, before)
				}
			})
		}
	}
}
