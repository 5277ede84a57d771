package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Severity is how much a finding matters.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // nothing is begun
	Warning Severity = "warning" // told, and gone on
)

// Finding is one thing that a check has seen, and what to do about it.
type Finding struct {
	Check    string   `json:"check"`
	Host     string   `json:"host,omitempty"` // empty where it is the cluster's
	Severity Severity `json:"severity"`
	Seen     string   `json:"detail"`
	Fix      string   `json:"fix,omitempty"`
}

func (f Finding) String() string {
	var b strings.Builder
	if f.Host != "" {
		fmt.Fprintf(&b, "%s: ", f.Host)
	}
	fmt.Fprintf(&b, "%s: %s", f.Check, f.Seen)
	if f.Fix != "" {
		fmt.Fprintf(&b, " (%s)", f.Fix)
	}
	return b.String()
}

// Together makes one finding of those that say the same of several hosts, in the place of the first: two hundred hosts
// without a time service are one line.
func Together(findings []Finding) []Finding {
	names := map[Finding][]string{}
	var order []Finding
	for _, found := range findings {
		host := found.Host
		found.Host = ""
		if _, known := names[found]; !known {
			order = append(order, found)
		}
		if !slices.Contains(names[found], host) {
			names[found] = append(names[found], host)
		}
	}
	for i, found := range order {
		order[i].Host = strings.Join(hosts.SomeOf(names[found]), ", ")
	}
	return order
}

// Errors are those of the findings that nothing is begun with.
func Errors(findings []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Severity != Error })
}

// Refused is what was not begun, because of what would be wrong with it.
type Refused struct{ Findings []Finding }

func (e *Refused) Error() string {
	lines := make([]string, 0, len(e.Findings))
	for _, found := range e.Findings {
		lines = append(lines, found.String())
	}
	return strings.Join(lines, "\n")
}

// finding is as severe as its check. The check's name and the host are filled in by who asks.
func finding(fix, seen string, args ...any) Finding {
	return Finding{Seen: fmt.Sprintf(seen, args...), Fix: fix}
}

func warning(fix, seen string, args ...any) Finding {
	return Finding{Severity: Warning, Seen: fmt.Sprintf(seen, args...), Fix: fix}
}

// on is the finding of a host, where the check looks at the cluster.
func (f Finding) on(host string) Finding {
	f.Host = host
	return f
}

// of is the finding under the name of the one thing that it is about, as kubeadm writes it:
// Port-6443, DirAvailable--var-lib-etcd.
func (f Finding) of(check string, thing any) Finding {
	f.Check = check + "-" + strings.ReplaceAll(fmt.Sprint(thing), "/", "-")
	return f
}

// late is an error of a host that is to come, and a warning of one that is in the cluster: what may
// repair the rest is not stopped by it.
func late(v view.View, host cluster.Host, facts hosts.Facts, fix, seen string, args ...any) Finding {
	if v.Settled(host, facts) {
		return warning(fix, seen, args...)
	}
	return finding(fix, seen, args...)
}

// ignored tells whether the user ignores a check: by its name, in any case as with kubeadm, or by
// the beginning of it that stands before a hyphen.
func ignored(v view.View, check string) bool {
	return slices.ContainsFunc(v.IgnoreChecks, func(name string) bool { return covers(name, check) })
}

func covers(name, check string) bool {
	name, check = strings.ToLower(name), strings.ToLower(check)
	return check == name || strings.HasPrefix(check, name+"-")
}
