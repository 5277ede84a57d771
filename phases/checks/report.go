package checks

import (
	"cmp"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Outcome is what became of a check.
type Outcome string

// The outcomes. A check that was not asked may have found anything.
const (
	OK       Outcome = "ok"
	Warned   Outcome = "warning"
	Stops    Outcome = "error"
	NotAsked Outcome = "not asked"
)

// Result is what a check has found on one host, or in the cluster.
type Result struct {
	Check   string  `json:"check"`
	Host    string  `json:"host,omitempty"` // empty where it is the cluster's
	Outcome Outcome `json:"outcome"`
	// Ignorable tells whether --ignore-checks lets its errors pass.
	Ignorable bool `json:"ignorable,omitempty"`
	// NotAsked is why it was not asked.
	NotAsked string    `json:"notAsked,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
}

// Why a check was not asked of a host.
const (
	hostUnseen   = "the host was not looked at"
	factsMissing = "the host did not tell all that is planned by"
)

// Report has a result for every check of a workflow and every host that it looks at, or the cluster: for
// those that found nothing as well, and those that could not be asked. It is in the table's
// order, the cluster before the hosts, which are in the file's order. What a check of the
// cluster has found on a host is that host's.
func Report(workflow view.Workflow, v view.View) []Result { return reportOf(workflow, v, Table) }

// reportOf is Report by a part of the table.
func reportOf(workflow view.Workflow, v view.View, table []Check) []Result {
	v.Workflow = workflow
	r := report{view: v, at: map[[2]string]int{}}
	for _, check := range table {
		if slices.Contains(check.In, v.Workflow) && !(v.HostsOnly && slices.Contains(ofBundle, check.Name)) {
			r.ask(check)
		}
	}
	return r.sorted()
}

// ofBundle are the checks that look at the bundle, which a prepare of the hosts' settings alone does not have.
var ofBundle = []string{"KubernetesVersion", "EtcdStartGuard", "Platform"}

// report gathers results: what the table has several rows for is one.
type report struct {
	view    view.View
	results []Result
	at      map[[2]string]int // by check and host
}

// ask asks a check of all that it looks at.
func (r *report) ask(check Check) {
	if check.Scope == Cluster {
		r.add(check, "", r.notAsked(check), check.Look(r.view, cluster.Host{}, hosts.Facts{}))
		return
	}
	for _, host := range check.Scope.hosts(r.view) {
		facts, seen := r.view.Facts[host.Name]
		switch {
		case !seen:
			r.add(check, host.Name, hostUnseen, nil)
		case check.Scope != File && reliesOnMissing(r.view.Workflow, facts): // that is told; the rest would rest on it
			r.add(check, host.Name, factsMissing, nil)
		default:
			var found []Finding
			for _, one := range check.Look(r.view, host, facts) {
				found = append(found, one.on(host.Name))
			}
			r.add(check, host.Name, r.notAsked(check), found)
		}
	}
}

// notAsked is why a check finds nothing where what it looks at was not seen. A cluster that is only to come
// has nothing that could be seen.
func (r *report) notAsked(check Check) string {
	if check.Name == "Traffic" || check.Name == "PathMTU" {
		return trafficNotAsked(r.view)
	}
	why, may := whyNotAsked[check.Name]
	if !may || slices.Contains(fresh, r.view.Workflow) && !r.exists() {
		return ""
	}
	return why(r.view)
}

// exists tells whether there is a cluster already, be it silent.
func (r *report) exists() bool {
	return slices.ContainsFunc(r.view.Cluster.Hosts, func(host cluster.Host) bool {
		facts, seen := r.view.Facts[host.Name]
		return seen && r.view.Settled(host, facts)
	})
}

// add notes what a check has found: on the host that was asked, but for findings that name another one.
func (r *report) add(check Check, host, notAsked string, found []Finding) {
	if len(found) > 0 {
		notAsked = ""
	}
	elsewhere := len(found) > 0
	for _, one := range found {
		elsewhere = elsewhere && one.Host != host
	}
	if !elsewhere {
		r.of(check, host, notAsked)
	}
	for _, one := range found {
		result := r.of(check, one.Host, "")
		result.Findings = append(result.Findings, r.settled(check, one))
	}
}

// of is the result of a check on a host.
func (r *report) of(check Check, host, notAsked string) *Result {
	key := [2]string{check.Name, host}
	at, known := r.at[key]
	if !known {
		at = len(r.results)
		r.at[key] = at
		r.results = append(r.results, Result{Check: check.Name, Host: host})
	}
	result := &r.results[at]
	result.NotAsked = cmp.Or(result.NotAsked, notAsked)
	result.Ignorable = result.Ignorable || check.Needed == "" && check.Severity == Error
	return result
}

// settled is a finding as its check and the user have it: by whom, and how much it matters.
func (r *report) settled(check Check, found Finding) Finding {
	found.Check = cmp.Or(found.Check, check.Name)
	found.Severity = cmp.Or(found.Severity, check.Severity)
	if found.Severity == Error && check.Needed == "" && ignored(r.view, found.Check) {
		found.Severity = Warning
		found.Seen += "; ignored by --ignore-checks"
	}
	return found
}

func (r *report) sorted() []Result {
	order, rank := map[string]int{}, rankOf(r.view)
	for i := range r.results {
		result := &r.results[i]
		if _, known := order[result.Check]; !known {
			order[result.Check] = i
		}
		result.settle()
	}
	slices.SortStableFunc(r.results, func(a, b Result) int {
		return cmp.Or(cmp.Compare(order[a.Check], order[b.Check]), cmp.Compare(rank[a.Host], rank[b.Host]))
	})
	return r.results
}

// settle says how it came out: what was found is known, whatever else could not be asked.
func (r *Result) settle() {
	switch {
	case len(Errors(r.Findings)) > 0:
		r.Outcome, r.NotAsked = Stops, ""
	case len(r.Findings) > 0:
		r.Outcome, r.NotAsked = Warned, ""
	case r.NotAsked != "":
		r.Outcome = NotAsked
	default:
		r.Outcome = OK
	}
}

// With adds findings that only the making of a plan has shown, where the report has none of their check on
// their host.
func With(results []Result, findings []Finding) []Result {
	told := Findings(results)
	for _, found := range findings {
		if slices.ContainsFunc(told, func(other Finding) bool { return other.Check == found.Check && other.Host == found.Host }) {
			continue
		}
		at := slices.IndexFunc(results, func(r Result) bool { return r.Host == found.Host && covers(r.Check, found.Check) })
		if at < 0 {
			at, results = len(results), append(results, Result{Check: found.Check, Host: found.Host})
		}
		results[at].Findings = append(results[at].Findings, found)
		results[at].settle()
	}
	return results
}

// Findings are those of all results.
func Findings(results []Result) []Finding {
	var all []Finding
	for _, result := range results {
		all = append(all, result.Findings...)
	}
	return all
}
