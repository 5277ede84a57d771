package workflow

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// Runbook is a workflow as prose, with its exact steps for a cluster as it is now. It is made of
// the plan that the workflow would carry out, and of the row of the table that makes it so.
type Runbook struct {
	Cluster string `json:"cluster"`
	About   string `json:"about"`
	Asked   string `json:"asked"` // what one is asked before
	Stops   string `json:"stops"` // how to go on where it has stopped
	plan.Runbook
}

// goOn is how to go on with a workflow that is one plan.
const goOn = "what was done stays done: the same command looks again, plans what is left, and goes on from there"

// What one is asked.
const (
	askedNothing = "nobody is asked"
	askedOnce    = "the plan is shown, and carried out only when you agree; with --yes nobody is asked"
)

// Runbook makes the plan of a workflow, and writes it as prose. Nothing is changed.
func (s *Session) Runbook(ctx context.Context, r *Run) (Runbook, error) {
	ready, err := s.Prepare(ctx, r)
	if err != nil {
		return Runbook{}, err
	}
	return bookOf(r.Workflow, s.cluster.Name, ready.Plan)
}

func bookOf(w Workflow, cluster string, p plan.Plan) (Runbook, error) {
	made, err := plan.RunbookOf(p)
	if err != nil {
		return Runbook{}, fmt.Errorf("write the runbook of %s: %w", w.Name, err)
	}
	book := Runbook{Cluster: cluster, About: w.Long, Asked: askedOnce, Stops: goOn, Runbook: made}
	if w.Unasked {
		book.Asked = askedNothing
	}
	if w.stops != "" {
		book.Stops = w.stops
	}
	book.Workflow = w.Name
	return book, nil
}

// Text is a runbook for people.
func (b Runbook) Text() string {
	return fmt.Sprintf("# %s of %s\n\n%s\n\nBefore: %s.\nWhen it stops: %s.\n\n%s", b.Workflow, b.Cluster, strings.TrimSpace(b.About), b.Asked, b.Stops, b.Runbook.Text())
}
