package phases

import (
	"fmt"
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
	d, err := in.begin(view.Join)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	targets := in.Targets(view.Join)
	drafts, err := d.draftHosts(targets)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	planes, workers, balancers := split(drafts)
	for _, h := range workers {
		if err := h.joinAsWorker(nil, nil); err != nil {
			return plan.Plan{}, nil, err
		}
	}
	for _, h := range slices.Concat(planes, balancers) {
		h.install()
	}
	apis, err := d.joinPlanes(planes)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	arrived, err := d.joinBalancers(targets, slices.Concat(planes, balancers), apis)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	nodes := collect(nodesOf(drafts), func(h *hostDraft) string { return h.awaitNode(ownOf(apis, h)) })
	collect(nodesOf(drafts), func(h *hostDraft) string {
		waits := ownOf(nodes, h)
		if h.runsControlPlane() {
			waits = join(waits, arrived, h.clients) // what is marked no join looks at again
		}
		return h.mark(waits, nil)
	})
	return d.done()
}

// joinPlanes brings up the API servers of control planes that join.
func (d *draft) joinPlanes(planes []*hostDraft) ([]string, error) {
	if len(planes) == 0 {
		return nil, nil
	}
	input, err := d.in.manifests()
	if err != nil {
		return nil, err
	}
	if d.in.Cluster.StackedEtcd() {
		members := d.membership()
		for _, h := range members.inTurn(planes) {
			voting, err := members.join(h, input)
			if err != nil {
				return nil, err
			}
			// An API server asks its own etcd only, and a learner answers nobody.
			h.staticPod(manifests.APIServerManifest, voting)
		}
	} else {
		for _, h := range planes {
			h.staticPods(nil)
			h.startKubelet(nil)
		}
	}
	apis := collect(planes, (*hostDraft).awaitAPI)
	for _, h := range planes {
		h.apiClients(ownOf(apis, h))
	}
	return apis, nil
}

// joinBalancers makes new API servers known to those who send clients to them, and new
// balancers to each other. It gives the steps after which a control plane has arrived.
func (d *draft) joinBalancers(targets []cluster.Host, drafts []*hostDraft, apis []string) ([]string, error) {
	if len(drafts) == 0 {
		return nil, nil
	}
	told, err := d.balancersFollow(d.in, targets, apis)
	if err != nil {
		return nil, err
	}
	informed, err := d.followInfo(d.in, apis)
	if err != nil {
		return nil, err
	}
	for _, h := range drafts {
		h.startKeepalived(told)
		h.tidy()
	}
	reached, err := reach(nodesOf(drafts), apis)
	if err != nil {
		return nil, err
	}
	return join(told, informed, balancing(drafts), reached), nil
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

func (in Input) joinProblems(targets []cluster.Host) []Problem {
	if !in.ClusterFacts.Reachable {
		return []Problem{{
			Check: "membership", Severity: SeverityError,
			Detail: "no API server of the cluster answers: " + orUnknown(in.ClusterFacts.Cause),
			Fix:    "see what holds it up by: slipway status; a cluster that is not there yet is made by: slipway init",
		}}
	}
	if !in.Completed() {
		return []Problem{{
			Check: "membership", Severity: SeverityError,
			Detail: "the cluster is only half-made: an init was interrupted",
			Fix:    "let it complete, with the new hosts as well: slipway init",
		}}
	}
	problems := problemsOf(in.movedEndpoint(), in.memberProblems(targets), in.untoldHolders(targets))
	for _, host := range targets {
		if host.IsNode() {
			problems = append(problems, in.settingsProblems(host.Name)...)
		}
	}
	return problems
}

// settingsProblems says which of the cluster's settings a host cannot have.
func (in Input) settingsProblems(name string) []Problem {
	facts, seen := in.Facts[name]
	if !seen {
		return nil
	}
	settings, err := in.ChosenSettings()
	if err != nil {
		return []Problem{{Check: "settings", Severity: SeverityError, Detail: fmt.Sprint(err)}}
	}
	var problems []Problem
	for _, unmet := range settings.Unmet(facts) {
		problems = append(problems, Problem{
			Check: "settings", Host: name, Severity: SeverityError, Detail: unmet,
			Fix: "the cluster's settings were chosen at init for the hosts that it had; take another host",
		})
	}
	return problems
}
