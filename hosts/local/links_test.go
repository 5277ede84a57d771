//go:build linux

package local_test

import (
	"os"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// linked makes a directory elsewhere, and the link that leads there.
func (m *machine) linked(path, target string) {
	m.t.Helper()
	m.write(target+"/member/snap/db", "data")
	m.write("/var/lib/.keep", "")
	if err := os.Symlink(m.at(target), m.at(path)); err != nil {
		m.t.Fatal(err)
	}
}

func TestLinkedTreeIsEmptiedAndItsLinkStays(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.linked("/var/lib/etcd", "/data/etcd")
	m.do(host, m.writeFile(host, "/var/lib/etcd/ours", "x", 0o600))
	m.do(host, hosts.RemovePath{Path: "/var/lib/etcd", Recursive: true})
	if !m.has("/var/lib/etcd") || !m.has("/data/etcd") || m.has("/data/etcd/member") || m.has("/data/etcd/ours") {
		t.Error("the link or its directory is gone, or what was in it is not")
	}
	if left := m.record(host).Paths; len(left) > 0 {
		t.Errorf("the record still names %v", left)
	}
	m.once(host, hosts.RemovePath{Path: "/var/lib/etcd", IfEmpty: true}, hosts.Unchanged)
	m.do(host, hosts.Forget{})
}

func TestLinkOfOursIsRemovedAlone(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/data/theirs", "x")
	m.do(host, hosts.MakeSymlink{Path: "/var/lib/current", Target: m.at("/data")})
	m.do(host, hosts.RemovePath{Path: "/var/lib/current", Recursive: true})
	if m.has("/var/lib/current") || !m.has("/data/theirs") {
		t.Error("the link stayed, or what it leads to went")
	}
}

func TestLinkToWhatHoldsItIsNotEmptied(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.linked("/var/lib/etcd", "/var")
	err := m.fails(host, hosts.RemovePath{Path: "/var/lib/etcd", Recursive: true})
	if !strings.Contains(err.Error(), "holds the link") || !m.has("/var/member/snap/db") {
		t.Errorf("a link to its own parent: %v", err)
	}
}

func TestDirectoryThatWasMovedBehindALinkIsForgotten(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/var/lib/.keep", "")
	m.do(host, hosts.MakeDirectory{Path: "/var/lib/etcd", Mode: 0o700})
	if err := os.Rename(m.at("/var/lib/etcd"), m.at("/etcd")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(m.at("/etcd"), m.at("/var/lib/etcd")); err != nil {
		t.Fatal(err)
	}
	m.once(host, hosts.RemovePath{Path: "/var/lib/etcd", IfEmpty: true}, hosts.Unchanged)
	m.do(host, hosts.Forget{})
}

func TestMountsBehindALink(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.linked("/var/lib/kubelet", "/data/kubelet")
	mount(t, m.at("/data/kubelet/pods/a"), "")
	m.write("/data/kubelet/pods/a/token", "x")
	err := m.fails(host, hosts.RemovePath{Path: "/var/lib/kubelet", Recursive: true})
	if !strings.Contains(err.Error(), "unmount it first") || !m.has("/data/kubelet/member/snap/db") {
		t.Errorf("removal over a mount behind a link: %v", err)
	}
	m.do(host, hosts.Unmount{Below: "/var/lib/kubelet"})
	if m.has("/data/kubelet/pods/a/token") {
		t.Error("it is still mounted")
	}
	m.do(host, hosts.RemovePath{Path: "/var/lib/kubelet", Recursive: true})
}

// A link of Slipway's in whose place somebody put a file is no longer Slipway's.
func TestForgetLeavesAFileInTheLinksPlace(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.do(host, hosts.MakeSymlink{Path: "/root/.kube/config", Target: "/etc/kubernetes/admin.conf"})
	if err := os.Remove(m.at("/root/.kube/config")); err != nil {
		t.Fatal(err)
	}
	m.write("/root/.kube/config", "all my clusters")
	m.do(host, hosts.Forget{})
	if m.read("/root/.kube/config") != "all my clusters" {
		t.Error("it is not what it was")
	}
}

func TestTreeBehindALinkIsSeen(t *testing.T) {
	m := newMachine(t)
	m.linked("/var/lib/etcd", "/data/etcd")
	if err := os.Symlink("/nowhere", m.at("/var/lib/lost")); err != nil {
		t.Fatal(err)
	}
	files := m.observe(m.host(), hosts.Query{Trees: []string{"/var/lib/etcd", "/var/lib/lost", "/var/lib/none"}}).Files
	tree := files["/var/lib/etcd"]
	if tree.Type != hosts.TypeDirectory || tree.Target != m.at("/data/etcd") {
		t.Errorf("the tree is seen as %+v", tree)
	}
	if file := files["/var/lib/etcd/member/snap/db"]; file.Size != 4 || file.Digest == "" {
		t.Errorf("the file in it is seen as %+v", file)
	}
	if files["/var/lib/lost"].Type != hosts.TypeSymlink || len(files) != 5 {
		t.Errorf("seen are %v", files)
	}
}
