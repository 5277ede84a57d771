package phases

import (
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Reboot plans to boot hosts again in turn: the control planes, the one whose etcd leads last; load
// balancers; the workers. Each is drained, leaves etcd's leadership and its API server's clients to
// others, and has to be well again before the next one's turn. Of what an interrupted reboot left,
// a host that has booted since is only waited for and uncordoned.
func Reboot(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Reboot, rebootPhases...)
}

// RebootDrains are the sets of hosts that Reboot drains, one set after another.
func RebootDrains(in Input) []forecast.Set { return in.drains(view.Reboot, rebootPhases) }

var rebootPhases = []func(*draft){
	(*draft).beginHosts,
	(*draft).rebootHosts,
	(*draft).rebootInTurn,
	(*draft).workOnWhatFails,
}

// bootTimeout is how long, in seconds, a host may take to answer again, at least: servers test their memory first.
const bootTimeout = 900

// bootLimit is half of what a wait may take at most, since nothing is seen of a host that boots.
func (in Input) bootLimit() int { return max(bootTimeout, in.limit()/2) }

func (d *draft) rebootHosts() {
	for _, h := range d.drafts {
		if !h.in.HasRebooted(h.host) {
			h.leaveToOthers()
			h.reboot()
		}
		h.awaitReboot()
		h.endReboot()
	}
}

// leaveToOthers has others do what the host does. That etcd can spare its member is seen when the drain is
// done: it may take its time.
func (h *hostDraft) leaveToOthers() {
	if node, there := h.in.Node(h.host.Name); there {
		drain := plan.Drain{Node: node.Name, DrainOptions: h.in.View.Drain}
		if h.cordonsForReboot(node) || node.CordonedBy != "" { // no note is put where a person has cordoned
			drain.By = view.RebootOf(h.in.EndingBoot(h.host))
		}
		h.inReboot("drain", "its Pods run elsewhere while it reboots", plan.Update, drain)
	}
	members := view.Voting(h.in.ClusterFacts.Members)
	if h.runsControlPlane() && len(h.in.Cluster.ControlPlanes()) > 1 {
		h.leaveEtcd(members, view.Voting(view.MembersOf(members, h.host)))
		h.leaveAPI()
	}
}

func (h *hostDraft) leaveEtcd(members, own []hosts.Member) {
	if !h.in.Cluster.StackedEtcd() || len(own) == 0 {
		return
	}
	if len(members) > 2 { // fewer have no quorum without one
		h.inReboot("quorum", "its etcd will be away", "", plan.QuorumHolds{Without: own[0].Name, Stays: true})
	}
	h.inReboot("move-leader", "its etcd will be away, and the others need no election then", plan.Update, plan.MoveLeader{From: own[0].Name})
}

// leaveAPI ends the kubelet, which would start it again, and the API server: one that ends lets what is
// under way come to its end and sends its clients elsewhere.
func (h *hostDraft) leaveAPI() {
	if !h.isUp(manifests.KubeletUnit) {
		return
	}
	const why = "clients go to another API server before the host is away"
	h.onReboot("kubelet", why, hosts.StopUnits{Names: []string{manifests.KubeletUnit}, Enabled: true})
	h.onReboot("api-server", why, hosts.StopPods{Only: []string{hosts.ComponentAPIServer + "-" + h.host.Name}, Grace: quitGrace})
}

// reboot asks for the reboot, and waits until the host answers again.
func (h *hostDraft) reboot() {
	boot := h.in.EndingBoot(h.host)
	h.onReboot("reboot", "it was asked for", hosts.Reboot{Boot: boot})
	h.inReboot("boot", "it reboots", "", plan.WaitBoot{Host: h.host.Name, Before: boot, Timeout: h.in.bootLimit()})
}

// awaitReboot waits until a host that has booted does all of its work again. Where an interrupted reboot has left it
// cordoned, what the API shows of it may still be from before.
func (h *hostDraft) awaitReboot() {
	node, there := h.in.Node(h.host.Name)
	_, left := view.CordonedForReboot(node)
	boots, waits := left || h.makes(does[hosts.Reboot]), after(h.rebootSteps())
	if h.runsControlPlane() && there && (boots || h.isDown(hosts.ComponentAPIServer)) {
		h.add(plan.Step{
			ID: clusterID(plan.PhaseWaitControlPlane, h.host.Name), Phase: plan.PhaseWaitControlPlane, Lane: h.rebootLane(),
			After: waits, Why: "it starts with its host", Cluster: plan.WaitAPI{Host: h.host.Name, Timeout: h.in.limit(), Patience: h.in.againPatience()},
		})
	}
	if h.in.Cluster.Balances(h.host) && boots {
		h.add(plan.Step{
			ID: clusterID(plan.PhaseWaitEndpoint, h.host.Name), Phase: plan.PhaseWaitEndpoint, Lane: h.rebootLane(),
			After: waits, Why: "its load balancer starts with it",
			Cluster: plan.WaitEndpoint{Host: h.host.Name, Address: manifests.BalancerAddress(h.in.Cluster, h.host), Timeout: h.in.limit(), Patience: h.in.endpointPatience()},
		})
	}
	switch {
	case !there:
	case boots:
		h.waitNode("its host reboots", true, waits)
	case h.nodeIsAway() != "":
		h.waitNode(h.nodeIsAway(), true, waits)
	}
}

// endReboot lets the node take Pods again, which a reboot has cordoned: this one, or one that was interrupted.
func (h *hostDraft) endReboot() {
	node, there := h.in.Node(h.host.Name)
	_, left := view.CordonedForReboot(node)
	if !there || !left && (node.Unschedulable || !h.makes(does[plan.Drain])) {
		return
	}
	by := view.RebootOf(h.in.EndingBoot(h.host))
	if left {
		by = node.CordonedBy
	}
	h.add(plan.Step{
		ID: clusterID(plan.PhaseReboot, h.host.Name, "uncordon"), Phase: plan.PhaseReboot, Lane: h.rebootLane(),
		After: after(join(h.rebootSteps(), h.well())), Why: "it has rebooted, and is well", Change: plan.Update,
		Cluster: plan.Uncordon{Node: node.Name, By: by},
	})
}

// rebootInTurn has the hosts reboot in turn. What is only waited for comes before.
func (d *draft) rebootInTurn() {
	resumed := keep(d.drafts, func(h *hostDraft) bool { return len(h.disturbed()) == 0 })
	before := madeOn(resumed, awaitsAPI, does[plan.WaitNode], does[plan.Uncordon])
	for _, some := range [][]*hostDraft{inOrder(d.planes), d.balancers} {
		fewAtOnce(some, before, 1)
		for _, h := range some {
			if len(h.disturbed()) > 0 {
				before = h.changed()
			}
		}
	}
	fewAtOnce(inOrder(d.workers), before, d.in.workersAtOnce())
}

// cordonsForReboot tells whether the node is cordoned for the reboot, and by nobody else.
func (h *hostDraft) cordonsForReboot(node hosts.Node) bool {
	_, is := view.CordonedForReboot(node)
	return is || !node.Unschedulable
}

func (h *hostDraft) rebootLane() string { return string(plan.PhaseReboot) + "/" + h.host.Name }

// rebootSteps lists the host's steps up to its reboot, and the wait for that.
func (h *hostDraft) rebootSteps() []string {
	return h.made(func(step plan.Step) bool { return step.Phase == plan.PhaseReboot })
}

// inReboot adds a step in the cluster, and onReboot one on the host, that waits for those before.
func (h *hostDraft) inReboot(thing, why string, change plan.Change, action plan.ClusterAction) {
	h.add(plan.Step{
		ID: clusterID(plan.PhaseReboot, h.host.Name, thing), Phase: plan.PhaseReboot, Lane: h.rebootLane(),
		After: after(h.rebootSteps()), Why: why, Change: change, Cluster: action,
	})
}

func (h *hostDraft) onReboot(thing, why string, action hosts.Action) {
	h.step(plan.PhaseReboot, thing, string(plan.PhaseReboot), plan.Update, why, action, h.rebootSteps())
}

// workOnWhatFails has a host work on as before where one of the steps up to its reboot fails. One that was told to
// reboot, and does not come back, stays cordoned.
func (d *draft) workOnWhatFails() {
	for _, h := range d.drafts {
		before := h.made(func(step plan.Step) bool {
			return step.Phase == plan.PhaseReboot && !does[plan.WaitBoot](step) && !does[plan.Uncordon](step)
		})
		again := func(step plan.Step) {
			step.Phase, step.Lane, step.Change, step.Rescues = plan.PhaseReboot, h.rebootLane()+"/again", plan.Update, before
			h.add(step)
		}
		if h.makes(does[hosts.StopUnits]) {
			again(plan.Step{
				ID: h.stepID(plan.PhaseReboot, "kubelet-again"), Host: h.host.Name, Why: "the host does not reboot",
				Action: hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true, Active: true, Inputs: h.asFound(manifests.KubeletUnit)},
			})
		}
		if node, _ := h.in.Node(h.host.Name); h.makes(does[plan.Drain]) && h.cordonsForReboot(node) {
			again(plan.Step{
				ID: clusterID(plan.PhaseReboot, h.host.Name, "uncordon-again"), Why: "it was cordoned for a reboot that is not done",
				Cluster: plan.Uncordon{Node: node.Name, By: view.RebootOf(h.in.EndingBoot(h.host))},
			})
		}
	}
}
