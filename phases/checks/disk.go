package checks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// unpackedFactor is how much larger an image's layers are on disk than as they travel;
// containerd keeps both.
const unpackedFactor = 4

// need is what will be written below a path.
type need struct {
	path  string
	bytes int64
}

// fullDisks holds what has to be brought to the host against what its disks have left.
func fullDisks(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	type volume struct {
		disk  hosts.Disk
		paths []string
		bytes int64
	}
	keeps := evictionLimits(v.Cluster)
	var volumes []*volume
	for _, n := range needs(v, host, facts) {
		disk, known := diskOf(facts.Disks, n.path)
		if !known {
			continue
		}
		i := slices.IndexFunc(volumes, func(v *volume) bool { return v.disk.Shares(disk) })
		if i < 0 {
			volumes = append(volumes, &volume{disk: disk})
			i = len(volumes) - 1
		}
		volumes[i].bytes += n.bytes
		volumes[i].paths = append(volumes[i].paths, n.path)
	}
	var all []Finding
	for _, v := range volumes {
		holdsImages := slices.Contains(v.paths, manifests.ContainerdData)
		where := strings.Join(v.paths, ", ")
		switch left := v.disk.Free - v.bytes; {
		case left < 0:
			all = append(all, finding("free at least "+hosts.Size(-left)+" on this file system (df -h "+v.disk.Path+" shows it)",
				"%s free below %s, about %s needed", hosts.Size(v.disk.Free), where, hosts.Size(v.bytes)))
		case holdsImages && left < keeps.of(imageSpace, v.disk.Size):
			all = append(all, warning("free at least "+hosts.Size(keeps.of(imageSpace, v.disk.Size)-left)+" on this file system (df -h "+v.disk.Path+" shows it)",
				"about %s of %s would be left below %s: the kubelet evicts Pods when less than %s is free",
				hosts.Size(left), hosts.Size(v.disk.Size), where, keeps[imageSpace]))
		}
	}
	return slices.Concat(all, lackingRoom(v.Cluster, host, facts), smallForEtcd(v, host, facts))
}

// lackingRoom is a file system of the kubelet's or containerd's that Pods would be evicted for at once.
func lackingRoom(c *cluster.Cluster, host cluster.Host, facts hosts.Facts) []Finding {
	if !host.IsNode() {
		return nil
	}
	keeps := evictionLimits(c)
	var all []Finding
	if disk, known := diskOf(facts.Disks, manifests.KubeletFolder); known && disk.Free < keeps.of(nodeSpace, disk.Size) {
		all = append(all, warning("free at least "+hosts.Size(keeps.of(nodeSpace, disk.Size)-disk.Free)+" on this file system (df -h "+manifests.KubeletFolder+" shows it)",
			"%s of %s free below %s: the kubelet evicts Pods when less than %s is free", hosts.Size(disk.Free), hosts.Size(disk.Size), manifests.KubeletFolder, keeps[nodeSpace]))
	}
	for _, of := range []struct{ path, signal string }{{manifests.KubeletFolder, nodeInodes}, {manifests.ContainerdData, imageInodes}} {
		place := of.path
		disk, known := diskOf(facts.Disks, place)
		if known && disk.Inodes > 0 && disk.InodesFree < keeps.of(of.signal, disk.Inodes) {
			all = append(all, warning("remove small files (df -i "+place+" shows how many there may be), or make the file system anew with more inodes (mkfs.ext4 -N)",
				"%d of %d inodes free below %s: the kubelet evicts Pods when less than %s are free", disk.InodesFree, disk.Inodes, place, keeps[of.signal]))
		}
	}
	kubelets, _ := diskOf(facts.Disks, manifests.KubeletFolder)
	if logs, known := diskOf(facts.Disks, logFolder); known && !logs.Shares(kubelets) && logs.Free < logRoom {
		all = append(all, warning("free at least "+hosts.Size(logRoom-logs.Free)+" on this file system (df -h "+logFolder+" shows it)",
			"%s of %s free below %s, where containers' logs and the journal go", hosts.Size(logs.Free), hosts.Size(logs.Size), logFolder))
	}
	return all
}

// logFolder is where the kubelet keeps containers' logs, and systemd its journal; logRoom is below how many free bytes
// that is told: a container's log may take five files of 10 MiB.
const (
	logFolder = "/var/log"
	logRoom   = 500 << 20
)

// etcdQuota is how large etcd's database may grow unless quota-backend-bytes says so, in bytes: etcd's own default.
const etcdQuota = 2 << 30

// smallForEtcd is a file system that etcd's database does not fit on when it has grown as large as it may.
func smallForEtcd(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	disk, known := diskOf(facts.Disks, manifests.EtcdData)
	if !known || !host.HasRole(cluster.RoleControlPlane) || !v.Cluster.StackedEtcd() {
		return nil
	}
	quota := int64(etcdQuota)
	for _, arg := range v.Cluster.ExtraArgs.Etcd {
		if number, err := strconv.ParseInt(arg.Value, 10, 64); err == nil && arg.Name == "quota-backend-bytes" && number > 0 {
			quota = number
		}
	}
	return when(disk.Size < quota, warning("make it larger (df -h "+manifests.EtcdData+" shows it), or set etcd's quota-backend-bytes in extraArgs lower",
		"the file system below %s has %s, and etcd's database may grow to %s: a full disk ends etcd", manifests.EtcdData, hosts.Size(disk.Size), hosts.Size(quota)))
}

// needs are what the host lacks of the bundle, by where it goes: blobs in the store
// until they are in their place, unpacked files, and images with their layers; and the log that a new etcd begins with.
func needs(v view.View, host cluster.Host, facts hosts.Facts) []need {
	var store, files, images int64
	seen := map[string]bool{}
	stored := func(digest string, size int64) {
		if !seen[digest] {
			seen[digest] = true
			store += size
		}
	}
	wanted := manifests.Skeleton(v.Cluster, v.Bill, host)
	for _, set := range wanted.Sets {
		sizes := map[string]int64{}
		for _, layer := range set.Layers {
			sizes[layer.Digest] = layer.Size
		}
		for _, file := range set.Files {
			have, there := facts.Files[file.Path]
			if v.Workflow == view.Upgrade && !file.Staged() && have.Type == hosts.TypeFile {
				store += have.Size // it is kept beside what comes
			}
			if there && have.Digest == file.Digest {
				continue
			}
			files += file.Size // beside what is there, also where it replaces that: it is renamed when it is whole
			if file.Layer != "" {
				stored(file.Layer, sizes[file.Layer]) // links and copies need only what is on the host
			}
		}
	}
	unpacked := map[string]bool{}
	for _, image := range wanted.Images {
		beside, err := hosts.DigestName(image.Reference, image.Manifest.Digest)
		if facts.Images[image.Reference] == image.Manifest.Digest || err == nil && facts.Images[beside] == image.Manifest.Digest {
			continue
		}
		for _, blob := range image.Blobs() {
			stored(blob.Digest, blob.Size)
			if !unpacked[blob.Digest] {
				unpacked[blob.Digest] = true
				images += blob.Size * (1 + unpackedFactor)
			}
		}
	}
	all := []need{{"/var/lib/slipway", store}, {"/opt", files}, {manifests.ContainerdData, images}}
	if host.HasRole(cluster.RoleControlPlane) && v.Cluster.StackedEtcd() && !view.HasEtcdData(facts) {
		all = append(all, need{manifests.EtcdData, 2 * hosts.EtcdLogRoom}) // it makes the second file of its log at once
	}
	return all
}

// diskOf is the file system that a path lies on: the one shown for the longest path
// above it.
func diskOf(disks []hosts.Disk, path string) (hosts.Disk, bool) {
	var found hosts.Disk
	known := false
	for _, disk := range disks {
		if (disk.Path == "/" || cluster.Within(path, disk.Path)) && (!known || len(disk.Path) > len(found.Path)) {
			found, known = disk, true
		}
	}
	return found, known
}
