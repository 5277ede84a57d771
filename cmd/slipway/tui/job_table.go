package tui

import (
	"cmp"
	"errors"
	"slices"

	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/workflow"
)

// isRefused tells whether a workflow was refused by its checks, with nothing changed.
func isRefused(err error) bool {
	_, late := errors.AsType[*workflow.ChangedError](err)
	_, refused := errors.AsType[*checks.Refused](err)
	return refused && !late
}

// checkTable is the results by check and host.
type checkTable struct {
	checks []string
	hosts  []string // the cluster has no name
	cells  map[[2]string]*checks.Result
}

// tableOf has the checks in the order of how much needs attention: what stops first.
func tableOf(results []checks.Result) checkTable {
	t := checkTable{cells: map[[2]string]*checks.Result{}}
	worst := map[string]int{}
	for i := range results {
		r := &results[i]
		if !slices.Contains(t.checks, r.Check) {
			t.checks = append(t.checks, r.Check)
		}
		if !slices.Contains(t.hosts, r.Host) {
			t.hosts = append(t.hosts, r.Host)
		}
		t.cells[[2]string{r.Check, r.Host}] = r
		worst[r.Check] = max(worst[r.Check], weight(r.Outcome))
	}
	slices.SortStableFunc(t.checks, func(a, b string) int { return cmp.Compare(worst[b], worst[a]) })
	if at := slices.Index(t.hosts, ""); at > 0 {
		t.hosts = slices.Insert(slices.Delete(t.hosts, at, at+1), 0, "")
	}
	return t
}

func weight(o checks.Outcome) int {
	switch o {
	case checks.Stops:
		return 3
	case checks.Warned:
		return 2
	case checks.NotAsked:
		return 1
	case checks.OK:
	}
	return 0
}

func outcomeMark(r *checks.Result) mark {
	if r == nil {
		return markNone
	}
	switch r.Outcome {
	case checks.Stops:
		return markBad
	case checks.Warned:
		return markWarning
	case checks.NotAsked:
		return markSkipped
	case checks.OK:
	}
	return markWell
}
