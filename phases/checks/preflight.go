package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Preflight tells, before anything is changed, all that stands in a workflow's way and what may
// surprise. Each check gives whatever it finds; nothing stops at the first.
func Preflight(workflow view.Workflow, v view.View) []Finding {
	return ask(workflow, v, Table)
}

// Some is Preflight by those checks alone that have one of these names. A name that the
// workflow has no check of is an error among the findings.
func Some(workflow view.Workflow, v view.View, names ...string) []Finding {
	meant := slices.DeleteFunc(slices.Clone(Table), func(c Check) bool { return !slices.Contains(names, c.Name) })
	found := ask(workflow, v, meant)
	for _, name := range names {
		if !slices.ContainsFunc(meant, func(c Check) bool { return c.Name == name && slices.Contains(c.In, workflow) }) {
			found = append(found, Finding{Check: name, Severity: Error, Seen: fmt.Sprintf("%s has no check of this name", workflow)})
		}
	}
	return found
}

func ask(workflow view.Workflow, v view.View, table []Check) []Finding {
	v.Workflow = workflow
	var all []Finding
	for _, check := range table {
		if !slices.Contains(check.In, v.Workflow) {
			continue
		}
		for _, found := range check.findings(v) {
			found.Check = cmp.Or(found.Check, check.Name)
			found.Severity = cmp.Or(found.Severity, check.Severity)
			if found.Severity == Error && check.Needed == "" && ignored(v, found.Check) {
				found.Severity = Warning
				found.Seen += "; ignored by --ignore-checks"
			}
			all = append(all, found)
		}
	}
	return sorted(v, all)
}

// findings asks a check of all that it looks at.
func (c Check) findings(v view.View) []Finding {
	if c.Scope == Cluster {
		return c.Look(v, cluster.Host{}, hosts.Facts{})
	}
	var all []Finding
	for _, host := range c.Scope.hosts(v) {
		facts, seen := v.Facts[host.Name]
		if !seen || c.Scope != File && reliesOnMissing(v.Workflow, facts) {
			continue // that is told; what else there could be rests on facts that are missing
		}
		for _, found := range c.Look(v, host, facts) {
			all = append(all, found.on(host.Name))
		}
	}
	return all
}

// hosts are those that a scope means.
func (s Scope) hosts(v view.View) []cluster.Host {
	if s == File {
		return v.Cluster.Hosts
	}
	var meant []cluster.Host
	for _, host := range targets(v) {
		if s == Host || s == Node && host.IsNode() || s == ControlPlane && host.HasRole(cluster.RoleControlPlane) || s == Balancer && v.Cluster.Balances(host) {
			meant = append(meant, host)
		}
	}
	return meant
}

// sorted puts the cluster's findings first, then the hosts' in the file's order, on each the
// errors before the warnings.
func sorted(v view.View, findings []Finding) []Finding {
	rank := map[string]int{}
	for i, host := range v.Cluster.Hosts {
		rank[host.Name] = i + 1
	}
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
