package checks

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Gate is a check that a workflow has to pass, with what it has found.
type Gate struct {
	Check string `json:"check"`
	// Ignorable tells whether --ignore-checks lets its errors pass.
	Ignorable bool `json:"ignorable"`
	// NotAsked is why the gate was not asked: nobody knows what it would find. Empty: it was asked.
	NotAsked string    `json:"notAsked,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
}

// Passed tells whether the gate was asked and found nothing.
func (g Gate) Passed() bool { return g.NotAsked == "" && len(g.Findings) == 0 }

// Stops tells whether the workflow is not begun because of what the gate has found.
func (g Gate) Stops() bool { return len(Errors(g.Findings)) > 0 }

// Gates are the checks of a workflow by their names, in the order of the table, with what of the
// findings is theirs, and why one was not asked. What is found only while a plan is made, such as a quorum
// that does not hold, has a gate of its own, which cannot be ignored.
func Gates(workflow view.Workflow, v view.View, findings []Finding) []Gate {
	v.Workflow = workflow
	var gates []Gate
	for _, check := range Table {
		if !slices.Contains(check.In, workflow) {
			continue
		}
		at := slices.IndexFunc(gates, func(g Gate) bool { return g.Check == check.Name })
		if at < 0 {
			at, gates = len(gates), append(gates, Gate{Check: check.Name})
		}
		gates[at].Ignorable = gates[at].Ignorable || check.Needed == "" && check.Severity == Error
	}
	for _, found := range findings {
		at := slices.IndexFunc(gates, func(g Gate) bool { return covers(g.Check, found.Check) })
		if at < 0 {
			at, gates = len(gates), append(gates, Gate{Check: found.Check})
		}
		gates[at].Findings = append(gates[at].Findings, found)
	}
	for i, gate := range gates {
		if why, may := whyNotAsked[gate.Check]; may && len(gate.Findings) == 0 {
			gates[i].NotAsked = why(v)
		}
	}
	return gates
}

// whyNotAsked has, for the checks that find nothing where what they look at was not seen, why it was not.
var whyNotAsked = map[string]func(view.View) string{
	"KubernetesVersion": apiNotAsked,
	"Networking":        apiNotAsked,
	"NetworkAddOn":      apiNotAsked,
	"ClusterHealth":     apiNotAsked,
	"DeprecatedAPIs":    deprecatedNotAsked,
	"Drain":             drainsNotAsked,
	etcdSnapshot:        snapshotNotAsked,
}

func apiNotAsked(v view.View) string {
	if v.ClusterFacts.Reachable {
		return ""
	}
	return "no API server answers"
}

func deprecatedNotAsked(v view.View) string {
	if v.ClusterFacts.DeprecatedAPIs != nil || !v.ClusterFacts.Reachable {
		return apiNotAsked(v)
	}
	live, err := cluster.ParseVersion(v.ClusterFacts.Version)
	target, other := cluster.ParseVersion(v.Bill.KubernetesVersion)
	if err != nil || other != nil {
		return "the versions are not known"
	}
	if live.MinorString() != target.MinorString() {
		return "no answer has come"
	}
	return "the minor version stays"
}

// drainsNotAsked tells of a forecast that was not made, since whom the plan drains is not known.
func drainsNotAsked(v view.View) string {
	if !v.ClusterFacts.Reachable || v.Drains != nil {
		return apiNotAsked(v)
	}
	if unseen := v.Unseen(v.Workflow); len(unseen) > 0 {
		return isOrAre(unseen) + " not reached"
	}
	return "no plan can be made"
}

func snapshotNotAsked(v view.View) string {
	if _, _, found := v.SnapshotFrom(); found || !v.SnapshotDue() {
		return ""
	}
	return apiNotAsked(v)
}
