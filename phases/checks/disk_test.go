package checks

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestRoomIsReckonedForEachFileSystem: two that are alike do not share their room, and etcd's data and logs need some
// where they have a file system of their own.
func TestRoomIsReckonedForEachFileSystem(t *testing.T) {
	const gib = int64(1) << 30
	root := hosts.Disk{Path: "/", Device: "/dev/sda1", Free: 90 * gib, Size: 100 * gib}
	alike := func(path, device string) hosts.Disk {
		return hosts.Disk{Path: path, Device: device, Free: 55 * gib / 10, Size: 6 * gib}
	}
	logs := hosts.Disk{Path: "/var/log", Device: "/dev/sdd", Free: 100 << 20, Size: gib}
	etcd := func(free, size int64) hosts.Disk {
		return hosts.Disk{Path: "/var/lib/etcd", Device: "/dev/sde", Free: free, Size: size}
	}
	for name, test := range map[string]struct {
		disks []hosts.Disk
		quota string
		want  string // the finding: its severity and what it says
	}{
		"two that are alike":            {[]hosts.Disk{root, alike("/var/lib/slipway", "/dev/sdb"), alike("/var/lib/containerd", "/dev/sdc")}, "", "warning about 536.9 MB of 6.4 GB would be left below /var/lib/containerd:"},
		"one, by two paths":             {[]hosts.Disk{root, alike("/var/lib/slipway", "/dev/sdb"), alike("/var/lib/containerd", "/dev/sdb")}, "", " 5.9 GB free below /var/lib/slipway, /var/lib/containerd, about"},
		"one that is no device":         {[]hosts.Disk{root, alike("/var/lib/slipway", ""), alike("/var/lib/containerd", "/dev/sdb")}, "", " 5.9 GB free below /var/lib/slipway, /var/lib/containerd, about"},
		"little room for logs":          {[]hosts.Disk{root, logs}, "", "warning 104.9 MB of 1.1 GB free below /var/log"},
		"logs on another file system":   {[]hosts.Disk{root, {Path: "/var/log", Device: root.Device, Free: root.Free, Size: root.Size}}, "", ""},
		"no room for etcd":              {[]hosts.Disk{root, etcd(100<<20, 3*gib)}, "", " 104.9 MB free below /var/lib/etcd, about 134.2 MB needed"},
		"little room for etcd to grow":  {[]hosts.Disk{root, etcd(gib, gib)}, "", "warning the file system below /var/lib/etcd has 1.1 GB, and etcd's database may grow to 2.1 GB"},
		"a quota that fits":             {[]hosts.Disk{root, etcd(gib, gib)}, "536870912", ""},
		"a quota that is larger":        {[]hosts.Disk{root, etcd(3*gib, 3*gib)}, "8589934592", "warning the file system below /var/lib/etcd has 3.2 GB, and etcd's database may grow to 8.6 GB"},
		"one that etcd nearly has full": {[]hosts.Disk{root, etcd(200<<20, 3*gib)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := view.View{Cluster: testCluster("cp-1"), Bill: bundle.Bill{Images: []bundle.Image{
				{Name: "kube-proxy", Manifest: bundle.Blob{Digest: "sha256:a", Size: 1}, Layers: []bundle.Blob{{Digest: "sha256:b", Size: gib}}},
			}}}
			if test.quota != "" {
				v.Cluster.ExtraArgs.Etcd = []cluster.Arg{{Name: "quota-backend-bytes", Value: test.quota}}
			}
			found := fullDisks(v, v.Cluster.Hosts[0], hosts.Facts{Disks: test.disks})
			if len(found) > 1 || (len(found) == 1) != (test.want != "") {
				t.Fatalf("%v", found)
			}
			if test.want != "" && !strings.HasPrefix(string(found[0].Severity)+" "+found[0].Seen, test.want) {
				t.Errorf("%s %s", found[0].Severity, found[0].Seen)
			}
		})
	}
}
