package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// ClusterDoer carries out what is done to the cluster and not to a host.
// phases/engine/api has the one that speaks to a real one.
type ClusterDoer interface {
	// Do compares, then carries out one action. content gives the bytes behind a ref of
	// the plan; progress may be called from one goroutine at a time until Do returns.
	Do(ctx context.Context, action plan.ClusterAction, content func(ref string) ([]byte, error),
		progress func(hosts.Progress)) (hosts.Outcome, error)
}

// Options are what Apply works with.
type Options struct {
	// Hosts are the connected hosts by name: at least those of the plan. The others are
	// asked why when something fails.
	Hosts map[string]hosts.Host
	// APIPort is where the API servers listen.
	APIPort int
	// Cluster may be nil where the plan has no cluster step.
	Cluster ClusterDoer
	// Content finds what the plan names by ref: what was rendered, and the bundle's blobs.
	Content func(ref string) (hosts.Blob, bool)
	// Events is told everything, in order, from one goroutine at a time. May be nil.
	Events func(plan.Event)
	// Journal gets a JSON line for each beginning and end. May be nil.
	Journal io.Writer
	// Holder is who takes the lease: user@machine, process id.
	Holder string
	// Lease names hosts to take beside those of the plan: the control planes, where the
	// plan changes the cluster only.
	Lease []string
	// Held tells that Hold has taken the lease, and whoever did gives it back: what is taken
	// again is only told which plan it is for.
	Held bool
	// Waits is told which host is asked for its lease; what it gives is called when that has
	// answered. May be nil.
	Waits func(host, what string) (end func())
	// Leased is asked when every host is leased and before the first step: an error ends the
	// run with nothing done. May be nil.
	Leased func(context.Context) error
	// Uploads bounds how many hosts get large blobs at once; 4 unless said.
	Uploads int
	// Now is the clock; time.Now unless said.
	Now func() time.Time
}

const defaultUploads = 4

func (o Options) withDefaults() Options {
	if o.Uploads <= 0 {
		o.Uploads = defaultUploads
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Events == nil {
		o.Events = func(plan.Event) {}
	}
	if o.Journal == nil {
		o.Journal = io.Discard
	}
	if o.Content == nil {
		o.Content = func(string) (hosts.Blob, bool) { return hosts.Blob{}, false }
	}
	return o
}

// check tells all at once what the plan names and the options do not hold.
func (o Options) check(p plan.Plan) error {
	var problems []error
	told := map[string]bool{}
	for _, step := range p.Steps {
		if step.Cluster != nil && o.Cluster == nil {
			problems = append(problems, fmt.Errorf("step %s: no connection to the cluster", step.ID))
		}
		if _, connected := o.Hosts[step.Host]; step.Host != "" && !connected && !told[step.Host] {
			told[step.Host] = true
			problems = append(problems, fmt.Errorf("host %s is in the plan, but not connected", step.Host))
		}
		for _, ref := range plan.Refs(step) {
			if _, found := o.Content(ref); !found {
				problems = append(problems, fmt.Errorf("step %s: content %s is neither rendered nor in the bundle", step.ID, ref))
			}
		}
	}
	return errors.Join(problems...)
}
