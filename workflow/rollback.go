package workflow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// UpgradeRollback brings a cluster back to what its hosts have kept.
var UpgradeRollback = Workflow{
	Name:  "upgrade rollback",
	Use:   "rollback -f FILE",
	Short: "Bring a cluster back to the version that it had before the last upgrade",
	Long: `Show the plan, ask, carry it out, and verify. Each host goes back to the binaries and files that
it kept when the upgrade came to it, byte for byte: first the workers, then what runs in the cluster,
and then the control planes, one after another. No bundle is needed. An upgrade that stopped half-way
is taken back in the same way. Where etcd is of a newer minor version by now, it first stores its data
as the older one does; nothing that was written since is lost. At the end slipway smoke tests that the
cluster works.

Where the last upgrade failed on its first host, that host has its old version again, and nothing is
left to take back: a rollback then leads to the version before that one. The plan and the question say
from which version to which.`,
	Example: `  slipway plan upgrade rollback -f ha.yaml
  slipway upgrade rollback -f ha.yaml`,
	Options:  turnsChoices,
	check:    checkTurns,
	begin:    func(_ context.Context, s *Session, r *Run) error { return s.beginTurns(r) },
	reach:    allButLeftOut,
	looked:   func(ctx context.Context, s *Session, r *Run) error { return s.lookAtKept(ctx, r) },
	plan:     of(phases.Rollback),
	forecast: phases.TurnsForecast,
	drains:   phases.RollbackDrains,
	health:   true,
	after:    (*Session).tellRollback,
	smoke:    smokeOf,
}

// lookAtKept finds what the hosts have kept at the last upgrade, reads it from them, and makes the
// bundle of then the one that is wanted.
func (s *Session) lookAtKept(ctx context.Context, r *Run) error {
	back := s.lastKept()
	if len(back.hosts) == 0 {
		return s.noWayBack(s.nothingKept()...)
	}
	if err := s.readKept(ctx, back); err != nil {
		return err
	}
	bill, found := back.bill()
	if found != nil {
		return s.noWayBack(*found)
	}
	s.back, s.bill = back, bill
	s.cluster.KubernetesVersion = bill.KubernetesVersion
	return s.look(ctx, r) // by the other bundle there is other to look at
}

// noWayBack refuses a rollback, and says with each finding what is left instead.
func (s *Session) noWayBack(found ...checks.Finding) error {
	for i := range found {
		found[i].Check, found[i].Severity = "KeptVersion", checks.Error
		found[i].Fix = strings.TrimPrefix(found[i].Fix+"; "+checks.SnapshotIsLeft(s.snapshots.path()), "; ")
	}
	return &checks.Refused{Findings: found}
}

// nothingKept are the hosts whose kept version is not whole or, where there is none, the cluster without a
// kept version.
func (s *Session) nothingKept() []checks.Finding {
	var found []checks.Finding
	for _, name := range s.HostNames() {
		for _, before := range slices.Sorted(maps.Keys(s.facts[name].KeptBroken)) {
			found = append(found, checks.Finding{
				Host: name, Seen: "what it has kept from before an upgrade is not whole: " + s.facts[name].KeptBroken[before],
				Fix: "where that upgrade has changed nothing yet, there is nothing to take back",
			})
		}
	}
	if len(found) > 0 {
		return found
	}
	return []checks.Finding{{
		Seen: fmt.Sprintf("no host of %s has kept a version from before an upgrade: there was no upgrade, or a rollback has put back what was kept, or an older Slipway made the upgrade", s.cluster.Name),
		Fix:  "where nothing is to be taken back, there is nothing to do; another version is brought by: slipway upgrade apply",
	}}
}

// lastKept is what the hosts have kept when the last of all bundles came.
func (s *Session) lastKept() *kept {
	var last hosts.Kept
	for _, facts := range s.facts {
		for _, one := range facts.Kept {
			if one.At.After(last.At) {
				last = one
			}
		}
	}
	back := &kept{before: last.Before, hosts: map[string]hosts.Kept{}, contents: map[string][]byte{}}
	for name, facts := range s.facts {
		for _, one := range facts.Kept {
			if one.Before == last.Before {
				back.hosts[name] = one
			}
		}
	}
	return back
}

// mostRead is the size, in bytes, of the files that are read: what is larger is a program, and lies in
// its version's folder too.
const mostRead = 1 << 20

// readKept reads the contents of the files that hosts have kept.
func (s *Session) readKept(ctx context.Context, back *kept) error {
	for name, one := range back.hosts {
		var query hosts.Query
		for _, was := range one.Paths {
			if was.Type == hosts.TypeFile && was.Size <= mostRead {
				if _, known := back.contents[was.Digest]; !known {
					query.Contents = append(query.Contents, hosts.KeptContent(back.before, was.Digest))
				}
			}
		}
		facts, err := s.lookAt(ctx, name, s.hosts[name], query)
		if err != nil {
			return fmt.Errorf("read what %s has kept: %w", name, err)
		}
		for _, was := range one.Paths {
			if content, there := facts.Contents[hosts.KeptContent(back.before, was.Digest)]; there {
				back.contents[was.Digest] = content
			}
		}
	}
	return nil
}
