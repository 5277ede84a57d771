package checks

import (
	"cmp"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/view"
)

func silentForSchedule(v view.View) []Finding {
	return silent(v, "see what holds it up by: slipway status", "no API server answers, so no node can be changed")
}

// withoutNode are the hosts named that have no node.
func withoutNode(v view.View) []Finding {
	named, err := v.Named(v.Hosts)
	if err != nil || !v.ClusterFacts.Reachable {
		return nil // that is told
	}
	var all []Finding
	for _, host := range named {
		switch _, there := v.Node(host.Name); {
		case !host.IsNode():
			all = append(all, finding("leave it out", "it is a load balancer, and no node: it runs no Pods").on(host.Name))
		case !there:
			all = append(all, finding("leave it out; it comes into the cluster by: slipway join", "it has no node in the cluster").on(host.Name))
		}
	}
	return all
}

// blockedDrains is what the forecast says would keep a drain from its end, and what the user wants
// done about it.
func blockedDrains(v view.View) []Finding {
	f, left, err := v.DrainForecast(v.TargetNames(view.Drain))
	if err != nil {
		return []Finding{finding("write it as kubectl takes it: app=web,tier!=db", "--pod-selector: %v", err)}
	}
	var all []Finding
	for _, host := range left {
		for _, found := range blockers(v, host) {
			found.Severity, found.Seen = Warning, "left out: "+found.Seen
			all = append(all, found)
		}
	}
	if len(f.Hosts) == 0 && len(left) > 0 {
		all = append(all, finding("see what each needs, above", "every host is left out: no drain would end"))
	}
	for _, host := range f.Hosts {
		all = append(all, blockers(v, host)...)
	}
	return all
}

// blockedTurns is what the forecast says would keep one of the drains of a plan in turns from its end.
// Of many it names the first, the errors before the warnings.
func blockedTurns(v view.View) []Finding {
	f, err := v.TurnsForecast()
	if err != nil {
		return []Finding{finding("", "%v", err)}
	}
	var all []Finding
	for _, host := range f.Hosts {
		all = append(all, blockers(v, host)...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Severity, b.Severity) }) // none is an error
	if len(all) <= mostBlockers {
		return all
	}
	more := finding("see all of them by: --forecast", "%d more things would keep drains from their end", len(all)-mostBlockers)
	more.Severity = all[mostBlockers].Severity
	return append(all[:mostBlockers], more)
}

// mostBlockers is how many things in the way of drains are told by name.
const mostBlockers = 40

// blockers are what blocks a host's drain; what may pass is told where the user waits for that.
func blockers(v view.View, host forecast.Host) []Finding {
	var all []Finding
	add := func(who string, notes []forecast.Note) {
		for _, note := range notes {
			if note.Severity != forecast.Blocks {
				continue
			}
			found := finding(note.Fix+orChoose(note.May), "%s%s", who, note.Seen).on(host.Name)
			if v.OnBlocked == cluster.OnBlockedWait && may(note, forecast.Wait) || note.Kind == forecast.KindNode && mends(v) {
				found.Severity = Warning
			}
			all = append(all, found)
		}
	}
	add("", host.Notes)
	for _, pod := range host.Pods {
		who := pod.Name
		if pod.Owner != "" {
			who += " (" + pod.Owner + ")"
		}
		add(who+": ", pod.Notes)
	}
	return all
}

// mends tells whether a node that is not Ready may be what the workflow puts right: an upgrade that has begun
// has changed it, or is taken back.
func mends(v view.View) bool {
	return v.Workflow == view.Rollback || v.Workflow == view.Upgrade && v.UpgradeBegun()
}

func may(note forecast.Note, choice forecast.Choice) bool {
	for _, one := range note.May {
		if one == choice {
			return true
		}
	}
	return false
}

// orChoose says what else may be done.
func orChoose(may []forecast.Choice) string {
	if len(may) == 0 {
		return ""
	}
	var words []string
	for _, choice := range may {
		words = append(words, string(choice))
	}
	return "; or --on-blocked " + strings.Join(words, "|")
}
