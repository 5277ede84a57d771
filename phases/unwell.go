package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// What the API and the units show of a host is late: a node is Ready for 40 s after its kubelet
// has ended, and nothing there tells of a scheduler that ends again and again. So the components
// of control planes are asked too.

// unwell tells whether the host does not do its work now, as far as is known: perhaps by what it
// was changed to last.
func (h *hostDraft) unwell() bool {
	if h.startsNeeded() {
		return true
	}
	if !h.in.ClusterFacts.Reachable { // then every host is waited for
		return len(h.well()) > 0 && len(h.disturbed()) == 0
	}
	if !h.isNode() {
		return false
	}
	node, there := h.in.Node(h.host.Name)
	return !there || !node.Ready && h.in.Cluster.Networking.AddOn != cluster.AddOnNone ||
		slices.ContainsFunc(h.in.ClusterFacts.Health, func(health hosts.Health) bool {
			return health.Host == h.host.Name && h.isDown(health.Component)
		})
}

// awaitUnwell waits for the components of control planes that do not answer and that the plan does
// nothing about: by these waits the other hosts go. Where nothing is changed on any host there is
// nothing to go by it, and nothing to do.
func awaitUnwell(planes []*hostDraft) {
	for _, h := range planes {
		if h.makes(startsKubelet) {
			continue // all of the host is waited for
		}
		wait := podsWait{name: "unwell", why: "it does not answer", patience: h.in.againPatience()}
		h.awaitPodsOf(wait, func(file manifests.File) bool {
			return h.isDown(podName(file.Path)) && !h.rewrites(file.Path)
		})
		if h.isDown(hosts.ComponentKubelet) && !h.makes(does[plan.WaitNode]) {
			h.waitNode("its kubelet does not answer", true, nil)
		}
	}
}
