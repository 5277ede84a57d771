package workflow

import (
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Trial is one thing that ha test takes away, and what a client saw of it.
type Trial struct {
	What     string  `json:"what"`
	Host     string  `json:"host"`
	From     string  `json:"from"` // the host that the client stood on
	Gap      float64 `json:"gapSeconds"`
	Writes   int64   `json:"writes"` // acknowledged, all of them there afterwards
	Failures int64   `json:"failures"`
	Cause    string  `json:"cause,omitempty"` // what the client was told during the gap

	takeOut func(phases.Input, string) (plan.Plan, plan.Contents, error)
}

// note takes over what the client saw.
func (t *Trial) note(report api.GapReport) {
	t.Writes, t.Failures = report.Writes, report.Failures
	t.Gap, t.Cause = report.Longest.Seconds(), report.Cause
}
