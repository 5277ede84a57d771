package phases

import (
	"path"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// checkVolumes looks whether what the user's volumes and flags show to the static Pods is on
// the host: a component that lacks its file does not start, and an empty one in its place,
// which a container runtime makes, is no better.
func checkVolumes(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	if !host.HasRole(cluster.RoleControlPlane) {
		return nil
	}
	var problems []Problem
	told := map[string]bool{}
	missing := func(where, place, what string) {
		if !told[place] {
			told[place] = true
			problems = append(problems, problem("volumes", host, "put it there first, on each control plane: "+place,
				"%s needs %s %s, and there is none", where, what, place))
		}
	}
	for _, pod := range in.Cluster.StaticPods() {
		if pod.Field == "etcd" && !in.Cluster.StackedEtcd() {
			continue
		}
		for _, file := range pod.Files() {
			if file.Written || file.Host == "" || cluster.Within(file.Host, "/etc/kubernetes/pki") {
				continue // keys and certificates may be Slipway's, and come
			}
			if have, there := facts.Files[file.Host]; !there || have.Type == hosts.TypeDirectory {
				missing(file.Flag+" of "+pod.Field, file.Host, "the file")
			}
		}
		for _, volume := range pod.Volumes {
			place := path.Clean(volume.HostPath)
			have, there := facts.Files[place]
			linked := there && have.Type == hosts.TypeSymlink // the kubelet follows it
			switch volume.PathType {
			case "File":
				if !linked && have.Type != hosts.TypeFile {
					missing("volume "+volume.Name+" of "+pod.Field, place, "the file")
				}
			case "Directory":
				if !linked && have.Type != hosts.TypeDirectory {
					missing("volume "+volume.Name+" of "+pod.Field, place, "the folder")
				}
			case "Socket", "CharDevice", "BlockDevice":
				if !there {
					missing("volume "+volume.Name+" of "+pod.Field, place, "the "+volume.PathType)
				}
			}
		}
	}
	return problems
}
