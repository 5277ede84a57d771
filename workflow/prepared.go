package workflow

import (
	"context"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Prepared is a plan that is ready to be shown and applied.
type Prepared struct {
	Plan     plan.Plan
	Contents plan.Contents
	// Forecast is what the plan's drains will do; nil where it drains nothing.
	Forecast *forecast.Forecast
	// interrupted is how to go on where an interrupt leaves something undone; empty: by the same command.
	interrupted string
	// fresh is asked when the hosts are leased, before the first step: ErrStale where the
	// plan no longer fits. Nil where they were leased before they were looked at.
	fresh func(context.Context) error
	ways  ways
}

// ways lead to what a plan changes. They are the plan's own and are never changed, so that whoever shows it may
// look there while its run goes on in another goroutine: hosts and client may be called concurrently, and
// a connection that the run has ended since gives an error.
type ways struct {
	hosts  map[string]hosts.Host
	api    *api.Client // nil where there is none
	silent bool        // no API server answered when the plan was made
}
