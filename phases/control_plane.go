package phases

import (
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
	for _, h := range d.planes {
		h.startKeepalived(nil)
		h.apiClients(h.inTurn())
		h.awaitPods("clients", isClient)
		h.tidy()
	}
}

// turnTimeout is how long, in seconds, spare controllers wait at most for the first ones to
// have brought up nodes and add-ons.
const turnTimeout = 30

// inTurn has the controllers of one control plane start before those of the others, whichever
// host's API server answers first: one leads, and the others' starting costs it time.
func (h *hostDraft) inTurn() []string {
	answers := h.made(awaitsAPI)
	network := h.in.Cluster.Networking.AddOn != cluster.AddOnNone // else nodes get Ready when the user brings one
	if h.in.takesTurns() || len(h.planes) < 2 || !network || len(answers) == 0 || !h.startsControllers() {
		return answers
	}
	return []string{h.add(plan.Step{
		ID: clusterID("wait-turn", h.host.Name), Phase: plan.PhaseWaitControlPlane, Lane: plan.LaneWait + "/turn/" + h.host.Name,
		After: after(answers), Why: "one control plane's controllers lead, the others are spares",
		Cluster: plan.WaitTurn{Host: h.host.Name, Objects: rollouts(h.objects), Timeout: turnTimeout},
	})}
}
