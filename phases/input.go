package phases

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Input is all that a plan depends on.
type Input struct{ view.View }

// manifests is the input of a rendering.
func (in Input) manifests() (manifests.Input, error) {
	settings, err := in.ChosenSettings()
	if err != nil {
		return manifests.Input{}, err
	}
	return manifests.Input{
		Cluster:       in.Cluster,
		PKI:           in.PKI,
		Leaves:        in.Leaves,
		Bill:          in.Bill,
		Facts:         in.Facts,
		Settings:      settings,
		ControlPlanes: in.Pool(),
		Balancers:     in.Holders(),
		EtcdFiles:     in.EtcdFiles,
		RegistryFiles: in.RegistryFiles,
	}, nil
}

// takesTurns tells whether hosts are changed one after another: a first init changes all at once.
// Where no API server says that init has completed, one may only be silent for a moment.
func (in Input) takesTurns() bool {
	return in.Workflow.ChangesVersion() || in.Workflow == view.Init && (in.Completed() || !in.ClusterFacts.Reachable && in.hasWorked())
}

// workersAtOnce is how many workers an upgrade changes at a time, once the first of them is well: a
// tenth of them, unless said.
func (in Input) workersAtOnce() int {
	if in.WorkersAtOnce > 0 {
		return in.WorkersAtOnce
	}
	const tenth = 10
	return max(1, len(keep(in.Targets(in.Workflow), func(host cluster.Host) bool { return !host.HasRole(cluster.RoleControlPlane) && host.IsNode() }))/tenth)
}

// hasWorked tells whether a kubelet runs on a control plane whose API server has answered before.
func (in Input) hasWorked() bool {
	return slices.ContainsFunc(in.Cluster.ControlPlanes(), func(host cluster.Host) bool {
		facts := in.Facts[host.Name]
		return view.ServedOnce(facts) && facts.Units[manifests.KubeletUnit].Active == "active"
	})
}

// planesTakeTurns tells whether control planes can be changed one after another: where etcd is
// silent, it may need what is changed on several of them.
func (in Input) planesTakeTurns() bool {
	return in.takesTurns() && (in.Completed() || in.etcdServes())
}

// etcdServes tells whether an API server can come up by what is done on its own host alone.
func (in Input) etcdServes() bool {
	return !in.Cluster.StackedEtcd() || len(in.ClusterFacts.Members) > 0 && view.TooFew(view.Voting(in.ClusterFacts.Members)) == ""
}

// etcdMinor is the minor version of the bundle's etcd, as etcd writes it: 3.6; empty where there is none.
func (in Input) etcdMinor() string {
	etcd, there := in.Bill.Component("etcd")
	if !there {
		return ""
	}
	return etcdMinorOf(etcd.Version)
}

// etcdMinorOf is the minor version of a version with a leading v, of an image's tag too; empty where it
// is none.
func etcdMinorOf(version string) string {
	version, _, _ = strings.Cut(version, "-")
	parsed, err := cluster.ParseVersion(version)
	if err != nil {
		return ""
	}
	return parsed.MinorString()[1:]
}
