package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// tried is a way between two hosts that was tried.
type tried struct {
	from, to cluster.Host
	hosts.Probed
	listened *hosts.Listened // what the host it leads to says of it; nil: nothing
}

// triedOf are the ways of a flow that were tried, in the order of the file.
func triedOf(v view.View, flow cluster.Flow) []tried {
	owner := map[string]cluster.Host{}
	for _, host := range flow.To {
		for _, address := range host.Addresses {
			owner[address] = host
		}
	}
	var all []tried
	for _, from := range flow.From {
		traffic := v.Facts[from.Name].Traffic
		if traffic == nil {
			continue
		}
		for _, probed := range traffic.Probed {
			to, known := owner[probed.To.Address]
			if known && probed.To.Protocol == string(flow.Protocol) && probed.To.Port == flow.Port {
				all = append(all, tried{from, to, probed, listenedAt(v.Facts[to.Name], probed.To)}.orTooLate())
			}
		}
	}
	return all
}

// orTooLate is the way as not tried where nobody may have listened any more when it was tried: it proves nothing then.
func (t tried) orTooLate() tried {
	own := t.Passage == hosts.Passed || t.Passage == hosts.Routeless || t.Passage == hosts.Barred
	if !own && t.answered() && t.listened.Over && !t.arrived() {
		t.Passage, t.Detail = hosts.NotTried, fmt.Sprintf("%s listened no more: the hosts together took longer than %d s", t.to.Name, hosts.LongestListen)
	}
	return t
}

func listenedAt(facts hosts.Facts, port hosts.Port) *hosts.Listened {
	if facts.Traffic == nil {
		return nil
	}
	for i, listened := range facts.Traffic.Listened {
		if listened.Port == port {
			return &facts.Traffic.Listened[i]
		}
	}
	return nil
}

// answered tells whether the run's own listener was there.
func (t tried) answered() bool { return t.listened != nil && !t.listened.Taken && t.listened.Why == "" }

// arrived tells whether the host that it leads to has heard it, whatever became of the answer.
func (t tried) arrived() bool {
	return t.answered() && slices.Contains(t.listened.Heard, t.From)
}

// broken tells whether the cluster's traffic would not pass.
func (t tried) broken() bool {
	switch t.Passage {
	case hosts.Passed:
		return t.Routed
	case hosts.Connected:
		return t.answered()
	case hosts.NotTried:
		return false
	}
	return true
}

func addName(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// namesInFinding is how many hosts a finding names.
const namesInFinding = 6

func firstFew(names []string) []string {
	if more := len(names) - namesInFinding; more > 0 {
		return append(slices.Clone(names[:namesInFinding]), fmt.Sprintf("and %d more", more))
	}
	return names
}

func fewOf(names []string) string { return strings.Join(firstFew(names), ", ") }

// opens tells whether the plan opens what may have stopped it: the firewall that runs where it leads to. A
// route that is missing, what the sender's own filter keeps back, and a way back that is closed stay as they are.
func (t tried) opens(v view.View) bool {
	_, kept := t.keptOut(v)
	return t.stoppedThere() && !kept && willOpen(v, t.to)
}

// keptOut is the rule of the firewall's user that keeps it out, whatever Slipway opens.
func (t tried) keptOut(v view.View) (hosts.InRule, bool) {
	from, err1 := netip.ParseAddr(t.From)
	to, err2 := netip.ParseAddr(t.To.Address)
	if err1 != nil || err2 != nil {
		return hosts.InRule{}, false
	}
	flow := cluster.Flow{Protocol: cluster.Protocol(t.To.Protocol), Port: t.To.Port}
	return refusal(v, flow, cluster.Pair{From: t.from, To: t.to, FromAddress: from.Unmap(), ToAddress: to.Unmap()})
}

// stoppedThere tells whether the firewall of the host that it leads to may have stopped it.
func (t tried) stoppedThere() bool {
	switch t.Passage {
	case hosts.Silent, hosts.Rejected, hosts.Turned:
		return !t.arrived()
	}
	return false
}

// willOpen tells whether the plan opens a host's firewall.
func willOpen(v view.View, host cluster.Host) bool {
	facts := v.Facts[host.Name]
	return facts.Firewall != "" && manifests.Firewall(v.Cluster, host, facts) != nil && !isOpen(v, host, facts)
}
