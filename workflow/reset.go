package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Reset takes hosts out of a cluster and cleans them.
var Reset = Workflow{
	Name:  "reset",
	Use:   "reset -f FILE (HOST... | --all)",
	Short: "Take hosts out of the cluster and undo all that Slipway did there",
	Long: `Drain the named hosts, take them out of the cluster, stop and remove what the record on
each host says is Slipway's, and put back what was changed. Then look again, and list
whatever is left. With --all, the whole cluster and its data are gone afterwards.`,
	Args: SomeHosts,
	Options: []Option{
		{"all", "every host of the cluster file", func(r *Request) any { return &r.All }},
		{"force", "reset a host even though no API server answers, or leave out one that can not be reached", func(r *Request) any { return &r.Force }},
	},
	check: func(r Request) error {
		switch {
		case r.All && len(r.Hosts) > 0:
			return usagef("reset: both hosts and --all were given: name hosts, or say --all, not both")
		case !r.All && len(r.Hosts) == 0:
			return usagef("reset: name hosts, or say --all")
		}
		return nil
	},
	begin: func(_ context.Context, s *Session, r *Run) error {
		if len(r.Hosts) == 0 {
			r.Hosts = s.HostNames()
		}
		return nil
	},
	reach: func(c *cluster.Cluster, r Request) []cluster.Host { return withBalancers(c, r.Hosts) },
	plan:  of(func(in phases.Input) (plan.Plan, plan.Contents, error) { return phases.Reset(in, in.Hosts) }),
	alone: true,
	verify: func(ctx context.Context, s *Session, r *Run) (err error) {
		if r.kept, err = s.whoMayRun(); err != nil { // before what was seen is overwritten
			return err
		}
		return s.nothingLeft(ctx, r.Hosts)
	},
	after: (*Session).forget,
}

// forget removes what the state folder has of the hosts that are clean.
func (s *Session) forget(r *Run, err error) error {
	if err == nil && !r.verified { // there is no proof that these hosts were the cluster's
		r.kept, err = s.whoMayRun()
		r.kept = cmp.Or(r.kept, "nothing was to be undone on its hosts")
	}
	left, unclean := errors.AsType[*leftError](err)
	if err != nil && !unclean {
		return err
	}
	return errors.Join(err, s.dropKeys(r.Hosts, left, r.kept))
}

// leftError is a reset that was carried out, and yet some of its hosts have something left,
// or were not seen again.
type leftError struct {
	left map[string][]string // by host
}

func (e *leftError) Error() string {
	var b strings.Builder
	b.WriteString("reset is done, but this is left or not known:")
	for _, name := range slices.Sorted(maps.Keys(e.left)) {
		fmt.Fprintf(&b, "\n  %s:\n    %s", name, strings.Join(e.left[name], "\n    "))
	}
	b.WriteString("\nrun the same command again")
	return b.String()
}

// clean tells whether a host was seen with nothing left on it.
func (e *leftError) clean(name string) bool { return e == nil || len(e.left[name]) == 0 }

// whoMayRun says why hosts that the file lacks may run in the cluster still; empty: none does.
func (s *Session) whoMayRun() (string, error) {
	if s.folder() == nil {
		return "", nil
	}
	in, err := s.input()
	if err != nil {
		return "", err
	}
	joined, err := s.folder().AllJoined()
	why := checks.Unseen(in.View, joined)
	if before, kept := s.folder().Kept(); kept && why == "" && !in.ClusterFacts.Reachable {
		why = "no API server answers, and when the hosts were reset before, the keys were kept: " + before
	}
	return why, err
}

// dropKeys removes from the state folder what belonged to hosts that were reset; all of
// it once no host of the file is left, unless kept says why others may run still: they are
// reached by these keys alone. Keys of a host that could not be reached stay, or that has
// something left. What the folder has of the other hosts themselves goes in any case: they are
// new to the next init.
func (s *Session) dropKeys(names []string, left *leftError, kept string) error {
	if s.folder() == nil {
		return nil
	}
	named := slices.DeleteFunc(s.HostNames(), func(name string) bool { return !slices.Contains(names, name) })
	gone := slices.DeleteFunc(slices.Clone(named), func(name string) bool {
		_, unreached := s.down[name]
		return unreached || !left.clean(name)
	})
	all := len(s.cluster.Hosts)
	if len(gone) == all && kept == "" {
		return s.folder().Remove()
	}
	if len(named) == all && kept != "" { // the next reset can not learn it any more
		if err := s.folder().MarkKept(kept); err != nil {
			return err
		}
	}
	if err := s.dropLeaves(gone); err != nil || len(gone) < all {
		return err
	}
	s.front.Note("the cluster's keys are kept: %s; when nothing of the cluster runs any more: rm -r %s", kept, s.folder().Path())
	return nil
}

// dropLeaves removes what was minted for hosts that have left.
func (s *Session) dropLeaves(names []string) error {
	for _, name := range names {
		if err := s.folder().DropLeaves(name); err != nil {
			return err
		}
	}
	return nil
}

// nothingLeft looks again at every host that was reset, and tells what is still there. Of one
// that does not answer any more nobody knows it.
func (s *Session) nothingLeft(ctx context.Context, names []string) error {
	before := maps.Clone(s.facts)
	err := s.observe(ctx, func(h cluster.Host) hosts.Query {
		return phases.InspectQuery(s.cluster, before[h.Name].Record)
	})
	if err != nil {
		return err
	}
	found := map[string][]string{}
	for _, name := range names {
		old, reset := before[name]
		if !reset { // it could not be reached, and --force left it out
			continue
		}
		left := []string{fmt.Sprintf("it could not be looked at again: %v", s.down[name])}
		if facts, seen := s.facts[name]; seen {
			left = phases.Leftovers(old.Record, facts)
		}
		if len(left) > 0 {
			found[name] = left
		}
	}
	if len(found) > 0 {
		return &leftError{found}
	}
	return nil
}
