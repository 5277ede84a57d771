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
what runs there. A snapshot of etcd is taken to this machine, and is proved to restore. Then the control planes change, one after another: each is drained, hands etcd's
leadership over, and has to serve the new version before the next one's turn. What runs in the cluster
follows, and then the workers, each drained. What an interrupted or failed upgrade left is taken up
where it is: run the same command again. So does one that --pause-after has ended on the way, without
that option or with a later host. At the end the cluster is asked for its promises, as by slipway smoke.
The version is the bundle's, whatever kubernetesVersion in the file says.
What stands in the way is told before anything is touched, and so is what the drains will do: each check has
a name, by which --ignore-checks passes it. How hosts are drained, and what to do where a drain would not
end, the flags and the section drain of the cluster file say.`,
	Bundle: true,
	Options: append([]Option{{
		Name: "pause-after", Of: func(r *Request) any { return &r.PauseAfter },
		Usage: "end when this host has its turn behind it, or all that comes before the workers: HOST or " + view.PauseAfterControlPlanes,
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
	{"skip-smoke", "do not ask the cluster for its promises at the end, as slipway smoke does", func(r *Request) any { return &r.SkipSmoke }},
	blockedChoice("where a drain would not end: stop, wait or force"),
}, drainChoices...)

// atOnceChoice is the choice of how many workers have their turn at a time.
var atOnceChoice = Option{
	Name: "workers-at-once", Of: func(r *Request) any { return &r.WorkersAtOnce },
	Usage: "how many workers have their turn at a time, as a number or a share such as 10%, unless the section upgrade of the file says so; a tenth of them where neither does, and the first one alone",
}

// errLeftOut stands for the connection to a host that is left out.
var errLeftOut = errors.New("it is left out, and not contacted")

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
		s.down[name] = errLeftOut
	}
	return s.checkDrainTimes(r.Request)
}

// checkTurns refuses skip as well: a host whose drain would not end is not left with the version of
// before while the others go on.
func checkTurns(r Request) error {
	if _, err := cluster.AtOnce(r.WorkersAtOnce, 1); err != nil {
		return usagef("--workers-at-once %w", err)
	}
	if r.PauseAfter != "" && slices.Contains(r.Without, r.PauseAfter) {
		return usagef("--pause-after %s: a host that is left out has no turn", r.PauseAfter)
	}
	if r.Drain.OnBlocked == string(cluster.OnBlockedSkip) {
		return usagef("--on-blocked skip: a host is not left out of an upgrade because its drain would not end: say stop, wait or force")
	}
	return checkDrain(r)
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
	s.fileVersion, s.cluster.KubernetesVersion = s.cluster.KubernetesVersion, s.bill.KubernetesVersion
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
	goOn := fmt.Sprintf("slipway upgrade apply -f %s --bundle %s", s.File, s.Bundle)
	if err == nil && len(r.Without) > 0 {
		s.front.Note("left out: %s; when it is up again: %s", strings.Join(r.Without, ", "), goOn)
	}
	if err != nil || len(r.left) == 0 {
		return s.tellVersion(r, err)
	}
	done := slices.DeleteFunc(s.HostNames(), func(name string) bool {
		return slices.Contains(r.left, name) || slices.Contains(r.Without, name)
	})
	s.front.Note("the upgrade to %s pauses; done: %s; left: %s; to go on: %s",
		s.bill.KubernetesVersion, cmp.Or(strings.Join(done, ", "), "no host"), strings.Join(r.left, ", "), goOn)
	return nil
}

// tellVersion says, after an upgrade, what the cluster file still has to say.
func (s *Session) tellVersion(_ *Run, err error) error {
	if err == nil && s.fileVersion != "" && s.fileVersion != s.cluster.KubernetesVersion {
		s.front.Note("the cluster runs Kubernetes %s now: write kubernetesVersion: %s into %s, which says %s",
			s.cluster.KubernetesVersion, s.cluster.KubernetesVersion, s.File, s.fileVersion)
	}
	return err
}

// tellSnapshot says where the snapshot is that was taken, whatever became of the run.
func (s *Session) tellSnapshot() {
	if s.snapshots.kept != "" {
		s.front.Note("etcd's snapshot from before the upgrade is %s: it holds the cluster's Secrets; how to restore it docs/runbooks.md says", s.snapshots.kept)
	}
}
