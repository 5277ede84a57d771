package checks

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// toReboot are the targets that a reboot has not boot again yet, of those that run a control plane.
func toReboot(v view.View) []cluster.Host {
	return slices.DeleteFunc(slices.Clone(targets(v)), func(host cluster.Host) bool {
		return !host.HasRole(cluster.RoleControlPlane) || v.HasRebooted(host)
	})
}

// quorumForReboot is why etcd cannot do without the member of a host while that reboots. With fewer than three
// it never can, and that is told as what it is: the API is away meanwhile.
func quorumForReboot(v view.View) []Finding {
	voters := view.Voting(v.ClusterFacts.Members)
	if !v.Cluster.StackedEtcd() || len(voters) < leastMembers {
		return nil
	}
	var all []Finding
	for _, host := range toReboot(v) {
		own := view.Voting(view.MembersOf(voters, host))
		if len(own) == 0 {
			continue
		}
		rest := slices.Clone(voters)
		for i := range rest {
			if slices.ContainsFunc(own, func(m hosts.Member) bool { return m.ID == rest[i].ID }) {
				rest[i].Healthy, rest[i].Detail = false, "it reboots"
			}
		}
		if sum := view.TooFew(rest); sum != "" {
			all = append(all, finding("bring back the member that does not answer first; if its host only needs a reboot: slipway reboot, with that host alone",
				"while it reboots %s", sum).on(host.Name))
		}
	}
	return all
}

// awayWhileRebooting tells that no API server answers while a control plane reboots.
func awayWhileRebooting(v view.View) []Finding {
	planes := toReboot(v)
	if len(planes) == 0 {
		return nil
	}
	voters := len(view.Voting(v.ClusterFacts.Members))
	alone := len(v.Cluster.ControlPlanes()) == 1
	if !alone && (!v.Cluster.StackedEtcd() || voters >= leastMembers) {
		return nil
	}
	var names []string
	for _, host := range planes {
		names = append(names, host.Name)
	}
	why := "it is the only control plane"
	if !alone {
		why = "etcd has " + hosts.Count(voters, "member") + " with a vote, and no quorum without one"
	}
	return []Finding{finding("nothing that runs on other hosts ends by that; with three control planes the API stays",
		"while %s reboots no API server answers: %s", strings.Join(names, " or "), why)}
}
