package workflow

import (
	"context"
	"errors"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Reboot boots hosts again, in turn.
var Reboot = Workflow{
	Name:  "reboot",
	Use:   "reboot -f FILE (HOST... | --all)",
	Short: "Reboot hosts one after another, and see that each is well again",
	Long: `Forecast what will become of the Pods, show that and the plan, ask, and reboot the named hosts, or
all: first the control planes, one after another, then the load balancers, and then the workers.
Each is cordoned and drained; a control plane hands etcd's leadership over, and its API server's
clients are sent to the others. When the host answers in another boot, and its API server and node
are well, it is uncordoned, and the next one has its turn. With a single control plane no API server
answers while that reboots. A host that a reboot which was interrupted has cordoned is taken up where it
is: name it again. How hosts are drained, and what to do where a drain would not end, the flags and
the section drain of the cluster file say.`,
	Example: `  slipway reboot -f ha.yaml worker-1 --forecast
  slipway reboot -f ha.yaml --all --workers-at-once 10%`,
	Args: SomeHosts,
	Options: append([]Option{
		{"all", "every host of the cluster file", func(r *Request) any { return &r.All }},
		atOnceChoice,
		blockedChoice("stop, wait or force"),
	}, drainChoices...),
	check: checkReboot,
	begin: func(_ context.Context, s *Session, r *Run) error {
		s.dial = reconnecting(s.dial)
		return s.checkDrainTimes(r.Request)
	},
	reach:       func(c *cluster.Cluster, r Request) []cluster.Host { return withControlPlanes(c, r.Hosts) },
	looked:      func(_ context.Context, s *Session, r *Run) error { return s.noteBoots(r) },
	plan:        of(phases.Reboot),
	forecast:    phases.TurnsForecast,
	drains:      phases.RebootDrains,
	health:      true,
	after:       (*Session).tellReboot,
	Interrupted: "the lines above say which hosts have rebooted: to go on, name only the others, since a host that is named reboots again",
	stops:       "it says which hosts are left, and how to go on with those alone: hosts that have booted would boot again",
}

func checkReboot(r Request) error {
	switch {
	case r.All && len(r.Hosts) > 0:
		return usagef("reboot: both hosts and --all were given: name hosts, or say --all, not both")
	case !r.All && len(r.Hosts) == 0:
		return usagef("reboot: name hosts, or say --all")
	}
	if err := checkAtOnce(r); err != nil {
		return err
	}
	return checkDrain(r, "name only the hosts that are to reboot")
}

// noteBoots notes which boots are to end: a host that shows another one later has rebooted.
func (s *Session) noteBoots(r *Run) error {
	in, err := s.inputOf(r)
	if err != nil {
		return err
	}
	boots := map[string]string{}
	for _, h := range s.cluster.Hosts {
		if _, seen := s.facts[h.Name]; seen {
			boots[h.Name] = in.EndingBoot(h)
		}
	}
	r.boots = boots
	return nil
}

// tellReboot says, where a reboot has stopped on its way, how to go on with the hosts that are left: those
// before have booted, and would boot again.
func (s *Session) tellReboot(r *Run, err error) error {
	run, stopped := errors.AsType[*engine.RunError](err)
	if !stopped {
		return err
	}
	open := undone(run)
	var left, done []string
	for _, name := range s.HostNames() {
		switch {
		case slices.ContainsFunc(open, func(step string) bool { return isAbout(step, name) }):
			left = append(left, name)
		case slices.ContainsFunc(r.planned.Steps, func(step plan.Step) bool { return isAbout(step.ID, name) }):
			done = append(done, name)
		}
	}
	if len(left) == 0 {
		return err
	}
	var last []string
	if len(done) > 0 {
		last = []string{"rebooted: " + namedHosts(done) + "; the same command would reboot them again"}
	}
	last = append(last, "left: "+namedHosts(left), "to go on with what is left: "+s.typed(r, left, "all"))
	return &StoppedError{Err: err, Last: last}
}
