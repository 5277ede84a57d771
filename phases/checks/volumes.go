package checks

import (
	"path"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// missingVolumes looks whether what the user's volumes and flags show to the static Pods is on
// the host: a component that lacks its file does not start, and an empty one in its place,
// which a container runtime makes, is no better.
func missingVolumes(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	told := map[string]bool{}
	for _, pod := range v.Cluster.StaticPods() {
		if pod.Field == "etcd" && !v.Cluster.StackedEtcd() {
			continue
		}
		for _, found := range slices.Concat(flagFilesMissing(pod, facts), volumesMissing(pod, facts)) {
			if !told[found.place] {
				told[found.place] = true
				all = append(all, finding("put it there first, on each control plane: "+found.place,
					"%s needs %s %s, and there is none", found.whose, found.what, found.place).of("FileExisting", found.place))
			}
		}
	}
	return all
}

// lack is what has to be in a place of the host and is not.
type lack struct{ whose, what, place string }

// flagFilesMissing are files that a component's flags name and that it reads.
func flagFilesMissing(pod cluster.StaticPod, facts hosts.Facts) []lack {
	var found []lack
	for _, file := range pod.Files() {
		if file.Written || file.Host == "" || cluster.Within(file.Host, "/etc/kubernetes/pki") {
			continue // keys and certificates may be Slipway's, and come
		}
		if have, there := facts.Files[file.Host]; !there || have.Type == hosts.TypeDirectory {
			found = append(found, lack{file.Flag + " of " + pod.Field, "the file", file.Host})
		}
	}
	return found
}

// volumesMissing are volumes that have to be there, by what the cluster file says that they are.
func volumesMissing(pod cluster.StaticPod, facts hosts.Facts) []lack {
	var found []lack
	for _, volume := range pod.Volumes {
		place := path.Clean(volume.HostPath)
		have, there := facts.Files[place]
		what := ""
		switch volume.PathType {
		case "File":
			if !there || !mayBe(have, hosts.TypeFile) {
				what = "the file"
			}
		case "Directory":
			if !there || !mayBe(have, hosts.TypeDirectory) {
				what = "the folder"
			}
		case "Socket", "CharDevice", "BlockDevice":
			if !there {
				what = "the " + volume.PathType
			}
		}
		if what != "" {
			found = append(found, lack{"volume " + volume.Name + " of " + pod.Field, what, place})
		}
	}
	return found
}

// mayBe tells whether what is there is of a type: what a link leads to, the kubelet looks at.
func mayBe(have hosts.File, wanted hosts.FileType) bool {
	return have.Type == wanted || have.Type == hosts.TypeSymlink
}
