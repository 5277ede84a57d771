package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/view"
)

// UpgradeApply brings a cluster to the version of a bundle.
var UpgradeApply = Workflow{
	Name:  "upgrade apply",
	Use:   "apply -f FILE --bundle FILE",
	Short: "Bring a cluster to the version of a bundle, host by host",
	Long: `Show the plan, ask, carry it out, and verify. First the version is staged on every host, beside
what runs there. A snapshot of etcd is taken to this machine, and is proved to restore. Then the
control planes change, one after another: each is drained, hands etcd's leadership over, and has to
serve the new version before the next one's turn. What runs in the cluster follows, and then the
workers, each drained. At the end slipway smoke tests that the cluster works.

To go on after an upgrade that failed or was interrupted, run the same command again. To go on after
a pause, run it without --pause-after, or with a later host.

The version is the bundle's, whatever kubernetesVersion in the file says. What stands in the way is
told before anything is touched, and so is what the drains will do. Each check has a name, by which
--ignore-checks ignores it. How hosts are drained, and what to do where a drain would not end, is said
by the flags or by the section drain of the cluster file.`,
	Example: `  slipway upgrade apply -f ha.yaml --bundle new.tar --pause-after control-planes
  slipway upgrade apply -f ha.yaml --bundle new.tar --workers-at-once 10% --on-blocked wait`,
	Bundle: true,
	Options: append([]Option{{
		Name: "pause-after", Of: func(r *Request) any { return &r.PauseAfter },
		Usage: "pause after the turn of this HOST, or with " + view.PauseAfterControlPlanes + " before the first worker",
	}}, turnsChoices...),
	check: checkTurns,
	begin: func(_ context.Context, s *Session, r *Run) error {
		if err := errors.Join(s.knownPause(r.PauseAfter), s.beginTurns(r)); err != nil {
			return err
		}
		return s.takeBundlesVersion()
	},
	reach: allButLeftOut,
	query: func(s *Session, h cluster.Host) hosts.Query {
		return phases.UpgradeQuery(s.cluster, s.bill, h)
	},
	plan:       of(phases.Upgrade),
	forecast:   phases.TurnsForecast,
	drains:     phases.UpgradeDrains,
	health:     true,
	deprecated: true,
	after: func(s *Session, r *Run, err error) error {
		s.tellSnapshot()
		return s.tellUpgrade(r, err)
	},
	smoke: smokeOf,
}

// turnsChoices are how hosts take their turns, and how each is drained.
var turnsChoices = append([]Option{
	atOnceChoice,
	{
		Name: "without", Of: func(r *Request) any { return &r.Without },
		Usage: "leave out these hosts, which are down and come later: they are not contacted",
	},
	{"skip-smoke", "do not run the smoke test at the end", func(r *Request) any { return &r.SkipSmoke }},
	blockedChoice("stop, wait or force"),
}, drainChoices...)

// atOnceChoice is the choice of how many workers have their turn at a time.
var atOnceChoice = Option{
	Name: "workers-at-once", Of: func(r *Request) any { return &r.WorkersAtOnce },
	Usage: "how many workers have their turn at a time, as a number or a share such as 10%, unless the section upgrade of the file says so; a tenth of them where neither does, and the first one alone",
}

// leftOutError stands for the connection to a host that is left out.
type leftOutError struct{ host string }

func (e *leftOutError) Error() string { return e.host + ": left out by --without" }

// allButLeftOut are the hosts that are reached.
func allButLeftOut(c *cluster.Cluster, r Request) []cluster.Host {
	return slices.DeleteFunc(slices.Clone(c.Hosts), func(h cluster.Host) bool { return slices.Contains(r.Without, h.Name) })
}

// beginTurns holds what was asked for against the cluster file.
func (s *Session) beginTurns(r *Run) error {
	if err := s.known(r.Without); err != nil {
		return usagef("--without: %w", err)
	}
	for _, name := range r.Without {
		s.down[name] = &leftOutError{name}
	}
	isOut := func(h cluster.Host) bool { return slices.Contains(r.Without, h.Name) }
	if planes := s.cluster.ControlPlanes(); len(planes) > 0 && len(slices.DeleteFunc(slices.Clone(planes), isOut)) == 0 {
		return usagef("--without %s: no control plane is left through which the cluster can be reached", strings.Join(r.Without, ","))
	}
	return s.checkDrainTimes(r.Request)
}

// checkTurns refuses a request for turns that says what there is not.
func checkTurns(r Request) error {
	if err := checkAtOnce(r); err != nil {
		return err
	}
	if r.PauseAfter != "" && slices.Contains(r.Without, r.PauseAfter) {
		return usagef("--pause-after %s: a host that is left out has no turn", r.PauseAfter)
	}
	return checkDrain(r, "no host keeps the old version because its drain would not end")
}

func checkAtOnce(r Request) error {
	if _, err := cluster.AtOnce(r.WorkersAtOnce, 1); err != nil {
		return usagef("--workers-at-once %w", err)
	}
	return nil
}

// takeBundlesVersion makes the version of the bundle the one that is wanted.
func (s *Session) takeBundlesVersion() error {
	version, err := cluster.ParseVersion(s.bill.KubernetesVersion)
	if err == nil {
		err = cluster.Installable(version)
	}
	if err != nil {
		return fmt.Errorf("take the version of the bundle %s: %w", s.Bundle, err)
	}
	s.cluster.KubernetesVersion = s.bill.KubernetesVersion
	return nil
}

// knownPause refuses a turn that there is not.
func (s *Session) knownPause(after string) error {
	if after == "" || after == view.PauseAfterControlPlanes {
		return nil
	}
	if err := s.known([]string{after}); err != nil {
		return usagef("--pause-after: %w; or say %s", err, view.PauseAfterControlPlanes)
	}
	return nil
}

// tellUpgrade says, after an upgrade or a part of one, what is done, what is left, and how to go on.
func (s *Session) tellUpgrade(r *Run, err error) error {
	if err != nil {
		return s.stoppedInTurn(r, err)
	}
	if len(r.Without) > 0 {
		s.front.Note("left out: %s; when it is up again: %s", strings.Join(r.Without, ", "), s.typed(r, nil, "without", "pause-after"))
	}
	if len(r.left) == 0 {
		s.tellVersion()
		return nil
	}
	done := slices.DeleteFunc(s.HostNames(), func(name string) bool {
		return slices.Contains(r.left, name) || slices.Contains(r.Without, name)
	})
	s.front.Note("the upgrade to %s pauses; done: %s; left: %s; to go on: %s",
		s.bill.KubernetesVersion, cmp.Or(strings.Join(done, ", "), "no host"), strings.Join(r.left, ", "), s.typed(r, nil, "pause-after"))
	return nil
}

// tellRollback is tellUpgrade of the way back.
func (s *Session) tellRollback(r *Run, err error) error {
	if err != nil {
		return s.stoppedInTurn(r, err)
	}
	s.tellVersion()
	return nil
}

// tellVersion says, after an upgrade or a way back, what the cluster file still has to say. A file without a
// version means the bundle's, so it has nothing to say.
func (s *Session) tellVersion() {
	runs := s.cluster.KubernetesVersion
	file, err := loadFor(s.Options, runs)
	if err == nil && file.KubernetesVersion != runs {
		s.front.Note("the cluster runs Kubernetes %s now: write kubernetesVersion: %s into %s, which says %s", runs, runs, s.File, file.KubernetesVersion)
	}
}

// tellSnapshot says where the snapshot is that was taken, whatever became of the run.
func (s *Session) tellSnapshot() {
	if s.snapshots.kept != "" {
		s.front.Note("etcd's snapshot from before the upgrade is %s: it holds the cluster's Secrets; how to restore it docs/runbooks.md says", s.snapshots.kept)
	}
}
