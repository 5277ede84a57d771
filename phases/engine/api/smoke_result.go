package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// SmokeOutcome is what became of a promise.
type SmokeOutcome string

// What becomes of a promise.
const (
	SmokeKept     SmokeOutcome = "kept"
	SmokeBroken   SmokeOutcome = "broken"
	SmokeNotAsked SmokeOutcome = "not asked"
)

// SmokeResult is one promise of a cluster, and whether it is kept.
type SmokeResult struct {
	Promise string       `json:"promise"`
	Outcome SmokeOutcome `json:"outcome"`
	// Detail is what was seen or, of a promise that was not asked, why it was not.
	Detail  string  `json:"detail,omitempty"`
	Seconds float64 `json:"seconds"`

	// Of a broken promise: the object and the node that it broke on, why, what proves that, and
	// what to do.
	Object   string   `json:"object,omitempty"`
	Node     string   `json:"node,omitempty"`
	Cause    string   `json:"cause,omitempty"`
	Evidence []string `json:"evidence,omitempty"`
	Fix      string   `json:"fix,omitempty"`
}

// String says of a broken promise where it broke and why, with the line that proves it.
func (r SmokeResult) String() string {
	where := strings.Join(slices.DeleteFunc([]string{r.Object, r.Node}, func(text string) bool { return text == "" }), " on ")
	text := r.Promise + ": " + strings.TrimPrefix(where+": "+r.Cause, ": ")
	if len(r.Evidence) > 0 {
		text += " (" + r.Evidence[0] + ")"
	}
	return text
}

// SmokeError is the promises that are broken.
type SmokeError struct {
	Broken []SmokeResult
	Of     int // how many there are
}

func (e *SmokeError) Error() string {
	var names []string
	for _, one := range e.Broken {
		names = append(names, one.Promise)
	}
	return fmt.Sprintf("%d of %d promises are broken: %s", len(e.Broken), e.Of, strings.Join(names, ", "))
}

// notAsked is why a promise is not asked.
type notAsked string

func (e notAsked) Error() string { return string(e) }

// brokenPromise is a promise that is not kept: where that shows, and why.
type brokenPromise struct {
	object hosts.ObjectKey
	node   string
	err    error
}

func (e *brokenPromise) Error() string { return e.err.Error() }
func (e *brokenPromise) Unwrap() error { return e.err }
