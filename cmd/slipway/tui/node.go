package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// nodeOf is how a host and its node are, in words.
func (s *shared) nodeOf(p *workflow.Picture, h workflow.HostStatus) (sign mark, node, version, pods string) {
	sign, version = markWell, clean(h.Kubelet)
	switch {
	case h.Waiting():
		sign = markRuns
	case h.Connection != workflow.ConnectionOK:
		sign = markBad
	case len(h.DownUnits()) > 0:
		sign = markWarning
	}
	for _, n := range p.Live.Nodes {
		if n.Name != h.Name {
			continue
		}
		node, version, pods = s.say(text.DashReady), clean(n.Version), fmt.Sprint(n.Pods)
		if !n.Ready {
			node, sign = s.say(text.DashNotReady), markBad
		}
		if n.Cordoned {
			node += ", " + s.say(text.DashCordoned)
			sign = max(sign, markWarning)
		}
		if len(n.Pressures) > 0 {
			node += ", " + strings.Join(n.Pressures, ", ")
			sign = markWarning
		}
		return sign, node, version, pods
	}
	switch {
	case slices.Contains(h.Roles, cluster.RoleLoadBalancer):
		return sign, "", "", ""
	case h.Waiting():
		return sign, s.say(text.DashNoAnswer), "", ""
	case standingOf(p) == standsNone:
		return sign, s.say(text.DashNoNode), "", ""
	}
	return sign, s.say(text.DashUnknown), version, ""
}
