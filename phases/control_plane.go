package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// startControlPlanes brings up etcd and the API servers, all at once.
func (d *draft) startControlPlanes() {
	founders := madeOn(d.planes, LetsBegin)
	for _, h := range d.planes {
		h.staticPods(join(founders, h.quorumInTurn()))
		h.startKubelet(nil)
		h.awaitPods("servers", isServer)
	}
	for _, h := range d.planes {
		h.awaitServing()
	}
	for _, h := range d.planes {
		h.awaitAPI()
	}
}

// startControllers brings up what only talks to the API server.
func (d *draft) startControllers() {
	first := d.firstControllers()
	for _, h := range d.planes {
		h.startKeepalived(nil)
		h.apiClients(h.afterFirstControllers(first))
		h.awaitPods("clients", isClient)
		h.tidy()
	}
}

// turnTimeout is how long, in seconds, spare controllers wait at most for the first ones to
// have brought up nodes and add-ons.
const turnTimeout = 30

// firstControllers is the control plane whose controllers start before the others': the strongest.
func (d *draft) firstControllers() *hostDraft {
	starting := keep(d.planes, (*hostDraft).startsControllers)
	if len(starting) == 0 {
		return nil
	}
	return slices.MaxFunc(starting, func(a, b *hostDraft) int { return a.facts.CPUs - b.facts.CPUs })
}

// afterFirstControllers gives the steps after which the host's controllers start. Those of one control plane do so
// first: one leads, and the others' starting costs it time. The others wait for nothing of the
// first's, only for a while: where it never comes up, they do.
func (h *hostDraft) afterFirstControllers(first *hostDraft) []string {
	answers := h.made(awaitsAPI)
	network := h.in.Cluster.Networking.AddOn != cluster.AddOnNone // else nodes get Ready when the user brings one
	if h == first || h.in.takesTurns() || !network || len(answers) == 0 || !h.startsControllers() {
		return answers
	}
	return []string{h.add(plan.Step{
		ID: clusterID("wait-turn", h.host.Name), Phase: plan.PhaseWaitControlPlane, Lane: plan.LaneWait + "/turn/" + h.host.Name,
		After: after(answers), Why: "the controllers of one control plane lead, the others stand by",
		Cluster: plan.WaitTurn{Host: h.host.Name, Objects: rollouts(h.objects), Timeout: turnTimeout},
	})}
}
