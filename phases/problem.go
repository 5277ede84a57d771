package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// Severity is how much a problem matters.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // nothing is begun
	SeverityWarning Severity = "warning" // told, and gone on
)

// Problem is one thing that stands in the way, and what to do about it.
type Problem struct {
	Check    string   `json:"check"`          // ports, clock, membership, …
	Host     string   `json:"host,omitempty"` // empty where it is the cluster's
	Severity Severity `json:"severity"`
	Detail   string   `json:"detail"` // what was seen
	Fix      string   `json:"fix,omitempty"`
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Host != "" {
		fmt.Fprintf(&b, "%s: ", p.Host)
	}
	fmt.Fprintf(&b, "%s: %s", p.Check, p.Detail)
	if p.Fix != "" {
		fmt.Fprintf(&b, " (%s)", p.Fix)
	}
	return b.String()
}

// Errors are those of the problems that nothing is begun with.
func Errors(problems []Problem) []Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Severity != SeverityError })
}

func problemsOf(lists ...[]Problem) []Problem { return slices.Concat(lists...) }

// problemUnlessSettled is an error of a host that is to come, and a warning of one that is there.
func (in Input) problemUnlessSettled(check string, host cluster.Host, facts hosts.Facts, fix, detail string, args ...any) Problem {
	if in.Settled(host, facts) {
		return warning(check, host, fix, detail, args...)
	}
	return problem(check, host, fix, detail, args...)
}
