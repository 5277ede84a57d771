package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Join plans to bring in the hosts of the file that are not in the cluster yet. It
// touches only them, and the balancers that have to know of a new control plane. All are
// prepared at once; then the control planes become members of etcd one after another.
func Join(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Join,
		(*draft).renderHosts,
		(*draft).joinWorkers,
		(*draft).installServers,
		(*draft).openToJoining,
		(*draft).joinEtcd,
		(*draft).joinAPI,
		(*draft).tellBalancers,
		(*draft).startBalancers,
		(*draft).awaitEndpoints,
		(*draft).awaitJoined,
		(*draft).markJoined,
		(*draft).pruneHosts,
	)
}

// servers are the hosts that join as more than workers.
func (d *draft) servers() []*hostDraft { return slices.Concat(d.planes, d.balancers) }

// installServers brings them to where their static Pods can be written.
func (d *draft) installServers() {
	for _, h := range d.servers() {
		h.install()
	}
}

// openToJoining opens the firewalls of the others to the hosts that join. A worker's join reaches none of them:
// they let it in already, unless it comes from a network of its own (checks.strangeNetwork).
func (d *draft) openToJoining() {
	if len(d.servers()) > 0 {
		d.opened = d.firewallsFollow(d.in.Targets(view.Join))
	}
}

// joinEtcd makes control planes members of etcd, one after another, and writes their API servers'
// static Pods.
func (d *draft) joinEtcd() {
	if len(d.planes) == 0 {
		return
	}
	if !d.in.Cluster.StackedEtcd() {
		for _, h := range d.planes {
			h.staticPods(d.opened)
			h.startKubelet(nil)
		}
		return
	}
	input, err := d.in.manifests()
	if err != nil {
		d.fail(err)
		return
	}
	members := d.membership()
	for _, h := range members.membersFirst(d.planes) {
		// An API server asks its own etcd only, and a learner answers nobody.
		h.staticPod(manifests.APIServerManifest, members.join(h, input))
	}
}

// joinAPI waits for the API servers that join, and brings up what talks to them.
func (d *draft) joinAPI() {
	for _, h := range d.planes {
		h.awaitAPI()
	}
	for _, h := range d.planes {
		h.apiClients(h.made(awaitsAPI))
	}
}

// tellBalancers makes new API servers known to those who send clients to them, and new
// balancers to each other.
func (d *draft) tellBalancers() {
	if len(d.servers()) > 0 {
		apis := d.inCluster(awaitsAPI)
		d.balancersFollow(d.in, d.in.Targets(view.Join), apis)
		d.followInfo(d.in, apis)
	}
}

// startBalancers starts the keepalived that join, when the others know of them.
func (d *draft) startBalancers() {
	told := d.told()
	for _, h := range d.servers() {
		h.startKeepalived(told)
		h.tidy()
	}
}

// awaitJoined waits for the nodes that join.
func (d *draft) awaitJoined() {
	for _, h := range d.nodes() {
		h.awaitNode(h.made(awaitsAPI))
	}
}

// markJoined marks the nodes that join: a control plane's, when all is done that others need of
// it, since what is marked no join looks at again.
func (d *draft) markJoined() {
	arrived := join(d.told(), d.inCluster(appliesObject(clusterInfoKey)), madeOn(d.servers(), startsBalancer), madeOn(d.planes, awaitsEndpoint))
	for _, h := range d.nodes() {
		waits := h.made(does[plan.WaitNode])
		if h.runsControlPlane() {
			waits = join(waits, arrived, h.made(writesPods(isClient)))
		}
		h.mark(waits, nil)
	}
}

// JoinTargets are the hosts that a join brings in: those named, or all of the file,
// that are not in the cluster, or that an interrupted join left half-way.
func JoinTargets(in Input) []cluster.Host { return in.Targets(view.Join) }

// JoinReach are the hosts that a join has to look at, by what has been observed. Where all
// who come are workers nothing changes on the others, and so these are they, and those
// that are not what the API says of them: whose nodes are not ready. Else they are all of
// the file.
func JoinReach(in Input) []cluster.Host {
	targets := JoinTargets(in)
	if !in.Completed() || len(targets) == 0 || slices.ContainsFunc(targets, func(h cluster.Host) bool { return !ComesAlone(in.Cluster, h) }) {
		return in.Cluster.Hosts
	}
	return keep(in.Cluster.Hosts, func(host cluster.Host) bool {
		node, _ := in.Node(host.Name)
		return among(targets, host.Name) || host.IsNode() && !node.Ready
	})
}

// Joined are the hosts that are in the cluster, by what has been observed of them or, of
// nodes, by what the API says.
func Joined(in Input) []cluster.Host {
	return keep(in.Cluster.Hosts, func(host cluster.Host) bool {
		_, seen := in.Facts[host.Name]
		_, there := in.Node(host.Name)
		return (seen || there) && in.Joined(host.Name)
	})
}

// ComesAlone tells whether a host can join without other hosts being told: a worker can.
func ComesAlone(c *cluster.Cluster, host cluster.Host) bool {
	return host.IsNode() && !host.HasRole(cluster.RoleControlPlane) && !c.MayHold(host)
}
