package tui

import (
	"context"
	"io"
	"os"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// Options are what the TUI is begun with.
type Options struct {
	In, Out  *os.File
	File     string // the cluster file, which need not be there yet; empty: one that is found
	Bundle   string // empty: one is looked for
	Terminal Terminal
	Language text.Language

	// Open opens a session, as commands do.
	Open func(file, bundle string, front workflow.Frontend) (*workflow.Session, error)
	// Line, Promise, Forecast and Explain say things as the other front ends do. A Line may be empty.
	Line     func(plan.Event) string
	Promise  func(api.SmokeResult) string
	Forecast func(forecast.Forecast) string
	Explain  func(err error, interrupted bool) string
	Trial    func(workflow.Trial) string
	// Secret asks for a password on a terminal that nothing else is drawn on.
	Secret workflow.AskSecret
	// Probe is what hosts are looked at with, before there is a session.
	Probe workflow.Options
	// Event is told of all events of workflows that are carried out here; may be nil.
	Event func(plan.Event)
	// Lines tells a workflow line by line.
	Lines func() workflow.Frontend
	// Status writes how a cluster is.
	Status func(ctx context.Context, file string, out io.Writer) error
	// HostNames are those of a cluster file, in its order; none where it cannot be read.
	HostNames func(file string) []string
}
