package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// isDown tells whether a component of the host was asked and does not answer. Where it may listen
// elsewhere than where it was asked, one that answers on no host does so.
func (h *hostDraft) isDown(component string) bool {
	down, certain := false, h.listensAsAsked(component)
	for _, health := range h.in.ClusterFacts.Health {
		if health.Component == component {
			down = down || health.Host == h.host.Name && !health.Healthy
			certain = certain || health.Healthy
		}
	}
	return down && certain
}

// listensAsAsked tells whether a component runs by what the file says, and so listens where it was
// asked: the plan changes nothing that says where.
func (h *hostDraft) listensAsAsked(component string) bool {
	switch component {
	case hosts.ComponentAPIServer: // its port stays
		return true
	case hosts.ComponentKubelet:
		return !h.makes(startsKubelet)
	}
	return !h.rewrites(manifests.ManifestsFolder + "/" + component + ".yaml")
}

func (h *hostDraft) etcdIsDown() bool {
	return slices.ContainsFunc(view.MembersOf(h.in.ClusterFacts.Members, h.host), func(m hosts.Member) bool { return !m.Healthy })
}

func (h *hostDraft) etcdIsUp() bool { return !h.etcdIsDown() }
