package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/phases/view"
)

// Preflight tells, before anything is changed, all that stands in a workflow's way and what may
// surprise: what Report has found. Each check gives whatever it finds; nothing stops at the first.
func Preflight(workflow view.Workflow, v view.View) []Finding {
	return sorted(v, Findings(Report(workflow, v)))
}

// Some is Preflight by those checks alone that have one of these names. A name that the
// workflow has no check of is an error among the findings.
func Some(workflow view.Workflow, v view.View, names ...string) []Finding {
	meant := slices.DeleteFunc(slices.Clone(Table), func(c Check) bool { return !slices.Contains(names, c.Name) })
	found := sorted(v, Findings(reportOf(workflow, v, meant)))
	for _, name := range names {
		if !slices.ContainsFunc(meant, func(c Check) bool { return c.Name == name && slices.Contains(c.In, workflow) }) {
			found = append(found, Finding{Check: name, Severity: Error, Seen: fmt.Sprintf("%s has no check of this name", workflow)})
		}
	}
	return found
}

// sorted puts the cluster's findings first, then the hosts' in the file's order, on each the
// errors before the warnings.
func sorted(v view.View, findings []Finding) []Finding {
	rank := rankOf(v)
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Host], rank[b.Host]), cmp.Compare(a.Severity, b.Severity))
	})
	return findings
}

// MayIgnore says what is wrong with the names of checks that a workflow is to ignore.
func MayIgnore(workflow view.Workflow, names []string) error {
	for _, name := range names {
		known := false
		for _, check := range Table {
			if !covers(name, check.Name) && !(slices.Contains(perThing, check.Name) && covers(check.Name, name)) {
				continue
			}
			if known = true; check.Needed != "" {
				return fmt.Errorf("the check %s cannot be ignored: %s", check.Name, check.Needed)
			}
		}
		if !known {
			return fmt.Errorf("there is no check %q; those that can be ignored are %s", name, strings.Join(Ignorable(workflow), ", "))
		}
	}
	return nil
}

// Ignorable are the names of the checks whose errors a workflow can ignore.
func Ignorable(workflow view.Workflow) []string {
	var names []string
	for _, check := range Table {
		if check.Needed == "" && check.Severity == Error && slices.Contains(check.In, workflow) {
			names = append(names, check.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
