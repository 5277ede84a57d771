package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TrafficRow is what was tried of one flow between hosts.
type TrafficRow struct {
	Protocol cluster.Protocol `json:"protocol"`
	Port     int              `json:"port,omitempty"`
	Why      string           `json:"why"`
	Ways     int              `json:"ways"`   // from one host to another, for each family of addresses
	Tried    int              `json:"tried"`  // of them
	Broken   int              `json:"broken"` // of those that were tried
}

// Traffic sums up what was tried, a row for each flow that the cluster needs.
func Traffic(v view.View) []TrafficRow {
	var rows []TrafficRow
	for _, flow := range v.Cluster.Flows() {
		if flow.Optional {
			continue
		}
		row := TrafficRow{Protocol: flow.Protocol, Port: flow.Port, Why: flow.Why, Ways: len(flow.Ways())}
		for _, t := range triedOf(v, flow) {
			if t.Passage != hosts.NotTried {
				row.Tried++
			}
			if t.broken() {
				row.Broken++
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// brokenTraffic tells of ways between hosts that the cluster needs, and that traffic does not pass.
func brokenTraffic(v view.View) []Finding {
	var all []Finding
	for _, flow := range v.Cluster.Flows() {
		if flow.Optional {
			continue
		}
		ways := slices.DeleteFunc(triedOf(v, flow), func(t tried) bool { return !t.broken() })
		for _, group := range grouped(ways) {
			all = append(all, group.finding(v, flow).of("Traffic", strings.TrimSuffix(fmt.Sprintf("%s-%d", flow.Protocol, flow.Port), "-0")))
		}
	}
	return slices.Concat(all, unlistenedTraffic(v), unsentTraffic(v))
}

// wayGroup are broken ways of one flow with the same cause, that end at one host or begin there.
type wayGroup struct {
	at   cluster.Host
	ends bool // they end there
	ways []tried
}

// cause is what tells broken ways apart.
func (t tried) cause() string {
	return fmt.Sprint(t.Passage, t.Routed, t.answered(), t.arrived())
}

// grouped puts ways together that have one cause: by whom they lead to where they lead to few, as they do
// when that host lets nobody in; else by whom they come from.
func grouped(ways []tried) []wayGroup {
	causes := map[string][]tried{}
	var order []string
	for _, way := range ways {
		if cause := way.cause(); len(causes[cause]) == 0 {
			order = append(order, cause)
		}
		causes[way.cause()] = append(causes[way.cause()], way)
	}
	var groups []wayGroup
	for _, cause := range order {
		from, to := map[string]bool{}, map[string]bool{}
		for _, way := range causes[cause] {
			from[way.from.Name], to[way.to.Name] = true, true
		}
		ends := len(to) <= len(from)
		at := map[string]int{}
		for _, way := range causes[cause] {
			host := way.from
			if ends {
				host = way.to
			}
			i, known := at[host.Name]
			if !known {
				i = len(groups)
				at[host.Name], groups = i, append(groups, wayGroup{at: host, ends: ends})
			}
			groups[i].ways = append(groups[i].ways, way)
		}
	}
	return groups
}

// others are the hosts at the other end, and their addresses and the group's own.
func (g wayGroup) others() (names, addresses, own []string) {
	for _, way := range g.ways {
		other, address, mine := way.to.Name, way.To.Address, way.From
		if g.ends {
			other, address, mine = way.from.Name, way.From, way.To.Address
		}
		names, addresses, own = addName(names, other), addName(addresses, address), addName(own, mine)
	}
	return names, addresses, own
}

// finding says what is broken, of what kind, and where to look.
func (g wayGroup) finding(v view.View, flow cluster.Flow) Finding {
	names, addresses, own := g.others()
	what := strings.TrimSpace(fmt.Sprintf("%s %s", strings.ToUpper(string(flow.Protocol)), portText(flow))) + " (" + flow.Why + ")"
	from, to := []string{g.at.Name}, names
	sources, goals := own, addresses
	if g.ends {
		from, to, sources, goals = names, from, addresses, own
	}
	way := g.ways[0]
	seen, fix := way.explain()
	where := fmt.Sprintf("%s on %s from %s", protocolPort(flow), fewOf(to), strings.Join(firstFew(sources), ", "))
	found := finding(strings.NewReplacer("WHERE", where, "GOALS", fewOf(goals), "GOAL", goals[0]).Replace(fix), // what is typed takes one
		"%s from %s to %s %s", what, fewOf(from), fewOf(to), seen)
	if firewall := g.ownFirewall(v); firewall != "" {
		found.Seen += "; " + firewall
	}
	if g.mild(v) {
		found.Severity = Warning
	}
	return found.on(g.at.Name)
}

// mild tells whether the finding stops nothing: a host or a service that may not be up, or a
// firewall that the plan opens.
func (g wayGroup) mild(v view.View) bool {
	return !slices.ContainsFunc(g.ways, func(t tried) bool {
		if _, seen := v.Facts[t.to.Name]; !seen {
			return false // it may be down, and that is told elsewhere where it matters
		}
		settled := v.Settled(t.to, v.Facts[t.to.Name]) && v.Settled(t.from, v.Facts[t.from.Name])
		return !settled && !t.opens(v) && t.Passage != hosts.Connected && (t.answered() || t.Passage != hosts.Turned)
	})
}

// ownFirewall names a firewall that runs where the ways may be stopped.
func (g wayGroup) ownFirewall(v view.View) string {
	var named []string
	for _, way := range g.ways {
		at, will := way.to, ""
		switch {
		case way.opens(v):
			will = ", which the plan has let this through"
		case way.Passage == hosts.Barred:
			at = way.from
		case !way.stoppedThere():
			continue
		default:
			if rule, kept := way.keptOut(v); kept {
				will = ", and keeps this out by `" + rule.Text + "`"
			}
		}
		if firewall := v.Facts[at.Name].Firewall; firewall != "" {
			named = addName(named, firewall+" runs on "+at.Name+will)
		}
	}
	return fewOf(named)
}

const openIt = "let through WHERE: in the host's own packet filter (nft list ruleset shows it), and in what filters between the hosts, as a cloud's security group does"

// explain says what was seen of a broken way, and what to do.
func (t tried) explain() (seen, fix string) {
	words := ""
	if t.Detail != "" {
		words = ": " + t.Detail
	}
	switch {
	case t.Routed:
		return "passes a router, and adverts of VRRP count only from neighbours (a TTL of 255)",
			"put these hosts into one network, or take another endpoint.mode: local or external"
	case t.arrived():
		return "arrives, and the answer does not come back",
			"let answers through: WHERE goes, and the way back does not"
	case t.Passage == hosts.Connected:
		return "is answered by something else than the host",
			"see what takes connections to GOALS in its place: a proxy, a load balancer, or a second machine with its address"
	case t.Passage == hosts.Silent && t.To.Protocol == hosts.TrafficVRRP:
		return "does not arrive: no answer",
			openIt + "; many clouds let no IP protocol 112 through: there take endpoint.mode: local or external"
	case t.Passage == hosts.Silent:
		return "does not arrive: no answer, so something on the way drops it", openIt
	case t.Passage == hosts.Turned && !t.answered():
		return "is refused: nothing listens there now, or a packet filter refuses it", "see that the service runs there (ss -ltn), else " + openIt
	case t.Passage == hosts.Turned:
		return "is refused, though a listener was there: a packet filter refuses it", openIt
	case t.Passage == hosts.Rejected:
		return "is rejected" + words + ": the host is not there, or a packet filter says so", openIt
	case t.Passage == hosts.Routeless:
		return "has no way: the host has no route there", "give it a route to GOALS: ip route get GOAL shows what is there"
	case t.Passage == hosts.Barred:
		return "is not let out by the host's own packet filter" + words, "see its rules for what goes out (nft list ruleset), and let through WHERE"
	}
	return "does not pass" + words, openIt
}

func portText(flow cluster.Flow) string {
	if flow.Port == 0 {
		return fmt.Sprintf("(IP protocol %d)", cluster.VRRPNumber)
	}
	return fmt.Sprint(flow.Port)
}

func protocolPort(flow cluster.Flow) string {
	if flow.Port == 0 {
		return fmt.Sprintf("IP protocol %d", cluster.VRRPNumber)
	}
	return fmt.Sprintf("%s port %d", strings.ToUpper(string(flow.Protocol)), flow.Port)
}
