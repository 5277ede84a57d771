package phases

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Cordon plans to keep new Pods away from hosts. What Slipway has cordoned for a time stays so.
func Cordon(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Cordon, func(d *draft) {
		d.eachNode(view.Cordon, func(h *hostDraft, node hosts.Node) {
			if !node.Unschedulable || node.CordonedBy != "" {
				h.schedule("cordon", "nothing new should come to it", plan.Cordon{Node: node.Name})
			}
		})
	})
}

// Uncordon plans to let hosts take Pods again, whoever has cordoned them.
func Uncordon(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Uncordon, func(d *draft) {
		d.eachNode(view.Uncordon, func(h *hostDraft, node hosts.Node) {
			if node.Unschedulable || node.CordonedBy != "" {
				h.schedule("uncordon", "it may take Pods again", plan.Uncordon{Node: node.Name})
			}
		})
	})
}

// Drain plans to cordon hosts, all before any of them is drained, and to have their Pods run
// elsewhere. While it is under way the nodes are noted to be cordoned by it; each that is drained
// stays cordoned, as what the user wants, and one whose drain does not come to its end is uncordoned.
func Drain(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Drain, (*draft).drainTargets)
}

// DrainForecast is what Drain will do; hosts that are to be left out are in it.
func DrainForecast(in Input) (forecast.Forecast, error) {
	f, left, err := in.DrainForecast(in.TargetNames(view.Drain))
	f.Hosts = append(f.Hosts, left...)
	return f, err
}

func (d *draft) drainTargets() {
	const by = string(view.Drain)
	f, left, err := d.in.DrainForecast(d.in.TargetNames(view.Drain))
	if err != nil {
		d.fail(err)
		return
	}
	stays := map[string]bool{}
	for _, host := range left {
		stays[host.Name] = true
	}
	var drained []*drainedNode
	d.eachNode(view.Drain, func(h *hostDraft, node hosts.Node) {
		if !stays[node.Name] {
			drained = append(drained, &drainedNode{
				hostDraft: h, goes: f.Of(node.Name).Going() > 0,
				ours: !node.Unschedulable || node.CordonedBy == by, foreign: node.CordonedBy != "",
			})
		}
	})
	for _, n := range drained {
		if n.ours && n.goes { // also one that a run which was killed has cordoned: it is to be rescued as well
			n.did(n.schedule("cordon", "nothing new should come to it", plan.Cordon{Node: n.host.Name, By: by}))
		}
	}
	for _, n := range drained {
		if n.goes {
			action := plan.Drain{Node: n.host.Name, DrainOptions: d.in.View.Drain}
			if n.ours || n.foreign { // not a person's: no note is put there, and another's stays
				action.By = by
			}
			n.did(n.schedule("drain", "its Pods have to run elsewhere", action))
		}
		if n.ours {
			n.did(n.schedule("keep", "it stays cordoned until: slipway uncordon", plan.Cordon{Node: n.host.Name}))
		}
	}
	for _, n := range drained {
		if n.ours && n.goes {
			n.add(plan.Step{
				ID: clusterID(plan.PhaseDrain, n.host.Name, "uncordon"), Phase: plan.PhaseDrain, Lane: string(plan.PhaseDrain), Rescues: n.steps,
				Why: "it was cordoned for what is not done", Change: plan.Update, Cluster: plan.Uncordon{Node: n.host.Name, By: by},
			})
		}
	}
}

// drainedNode is a node that is drained.
type drainedNode struct {
	*hostDraft
	goes    bool     // some Pod of it
	ours    bool     // nobody else has cordoned it
	foreign bool     // another workflow has, for a time
	steps   []string // what is done to it
}

func (n *drainedNode) did(step string) { n.steps = append(n.steps, step) }

// eachNode is for the targets that have a node.
func (d *draft) eachNode(workflow view.Workflow, do func(*hostDraft, hosts.Node)) {
	for _, host := range d.in.Targets(workflow) {
		if node, there := d.in.Node(host.Name); there {
			do(d.forNode(host), node)
		}
	}
}

func (d *draft) forNode(host cluster.Host) *hostDraft { return d.forHost(host, manifests.HostState{}) }

// schedule adds a step about where Pods run; such steps are done one after another.
func (h *hostDraft) schedule(thing, why string, action plan.ClusterAction) string {
	return h.add(plan.Step{
		ID: clusterID(plan.PhaseDrain, h.host.Name, thing), Phase: plan.PhaseDrain, Lane: string(plan.PhaseDrain),
		Why: why, Change: plan.Update, Cluster: action,
	})
}
