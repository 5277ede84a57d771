package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// HATest takes out, in turn, all that high availability promises to do without, by many small plans.
var HATest = Workflow{
	Name:  "ha test",
	Use:   "test -f FILE",
	Short: "Move the endpoint's address and take each control plane out in turn, and measure",
	Long: `Move the endpoint's virtual address, then stop all of one control plane after another
(keepalived, haproxy, kubelet, API server, etcd), each for some seconds, while a client
writes through the endpoint from a host that stays. What is measured is the longest time
in which no write was acknowledged. Each is put back, and the cluster well again, before
the next; also when the test is interrupted or fails. What a test that was killed has
left is put back by: slipway init.`,
	reach: everyHost,
	plan:  (*Session).planTrials,
	carry: func(ctx context.Context, s *Session, r *Run) error {
		_, err := s.HATest(ctx, r)
		return err
	},
	stops:  startsAgain,
	health: true,
}

// The words for trials.
const (
	trialAddress = "the endpoint's address moves"
	trialPlane   = "the control plane is taken out"
	trialLB      = "the load balancer is taken out"
)

// Times of a test.
const (
	trialHolds = 5 * time.Second // how long what is taken out stays out
	BackWithin = 5 * time.Minute // within which all must be well again
)

// startsAgain is what to do where a test could not put back what it had stopped.
const startsAgain = "what is still stopped there is started again by: slipway init"

// HATest tries everything in turn. The trials that it gives, and tells the front end one by one, were
// made, also where it fails.
func (s *Session) HATest(ctx context.Context, r *Run) ([]Trial, error) {
	if err := s.connect(ctx, s.cluster.Hosts); err != nil {
		return nil, err
	}
	if err := s.wellFor(ctx, r); err != nil {
		return nil, err
	}
	if err := s.agreeToTrials(ctx, r); err != nil {
		return nil, err
	}
	release, err := s.holdLease(ctx, r)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.tryAll(s.trials(), func(one *Trial) error { return s.try(ctx, r, one) })
}

// tryAll makes one trial after another, and tells of each when it was made. It ends with the first that fails.
func (s *Session) tryAll(trials []Trial, try func(*Trial) error) (made []Trial, err error) {
	for _, one := range trials {
		_, end := s.stage(StageTrial, one.Host, one.What)
		err := try(&one)
		end(err)
		made = append(made, one)
		s.front.Trial(one)
		if err != nil {
			return made, &ChangedError{fmt.Errorf("ha test: %s: %w", one.Host, err)}
		}
	}
	return made, nil
}

// planTrials is what all trials together stop. What is done in between, each host's return, is
// planned when it is time: by what is seen then.
func (s *Session) planTrials(in phases.Input) (plan.Plan, plan.Contents, error) {
	if problems := checks.Preflight(view.HATest, in.View); len(checks.Errors(problems)) > 0 {
		return plan.Plan{}, nil, &checks.Refused{Findings: problems}
	}
	var all plan.Plan
	for _, one := range s.trials() {
		made, _, err := one.takeOut(in, one.Host)
		if err != nil {
			return plan.Plan{}, nil, err
		}
		made.Steps = append(all.Steps, made.Steps...)
		all = made
	}
	all.Warnings = append(all.Warnings, "each host is put back before the next is taken out")
	return all, nil, nil
}

// holdLease keeps everybody else out until the last trial is put back, and looks once more:
// somebody may have changed something while the question was open.
func (s *Session) holdLease(ctx context.Context, r *Run) (release func(), err error) {
	if err := s.takeLease(ctx); err != nil {
		return nil, err
	}
	if err := s.wellFor(ctx, r); err != nil {
		s.giveBack()
		return nil, err
	}
	return s.giveBack, nil
}

// wellFor looks at everything, and refuses where a control plane could not be spared.
func (s *Session) wellFor(ctx context.Context, r *Run) error {
	if err := s.look(ctx, r); err != nil {
		return err
	}
	s.live.Health = s.api.Health(ctx)
	in, err := s.inputOf(r)
	if err != nil {
		return err
	}
	if problems := checks.Preflight(view.HATest, in.View); len(checks.Errors(problems)) > 0 {
		return &checks.Refused{Findings: problems}
	}
	return nil
}

func (s *Session) agreeToTrials(ctx context.Context, r *Run) error {
	if r.Yes {
		return nil
	}
	var question strings.Builder
	for _, one := range s.trials() {
		fmt.Fprintf(&question, "  %s: %s\n", one.Host, one.What)
	}
	fmt.Fprintf(&question, "Take these out one after another, %s each, and put them back?", trialHolds)
	agreed, err := s.front.Ask(ctx, question.String())
	if err == nil && !agreed {
		return ErrDeclined
	}
	return err
}

// trials are what a test consists of, as the cluster is now.
func (s *Session) trials() []Trial {
	var list []Trial
	for _, holder := range s.holders() {
		list = append(list, Trial{What: trialAddress, Host: holder, takeOut: phases.ReleaseVIP})
	}
	for _, h := range s.cluster.Hosts {
		switch {
		case h.HasRole(cluster.RoleControlPlane):
			list = append(list, Trial{What: trialPlane, Host: h.Name, takeOut: phases.TakeOut})
		case h.HasRole(cluster.RoleLoadBalancer) && len(s.cluster.Balancers()) > 1:
			list = append(list, Trial{What: trialLB, Host: h.Name, takeOut: phases.TakeOut})
		}
	}
	return list
}

// clientHost is where a client stands while a host is taken out: a worker where there is
// one, else any other host of the cluster.
func (s *Session) clientHost(out string) string {
	hosts := slices.Clone(s.cluster.Hosts)
	slices.SortStableFunc(hosts, func(a, b cluster.Host) int { return rank(a) - rank(b) })
	for _, h := range hosts {
		if _, up := s.hosts[h.Name]; up && h.Name != out {
			return h.Name
		}
	}
	return ""
}

func rank(h cluster.Host) int {
	if h.HasRole(cluster.RoleControlPlane) || h.HasRole(cluster.RoleLoadBalancer) {
		return 1
	}
	return 0
}

// try takes one thing out while a client writes, and puts it back whatever happens.
func (s *Session) try(ctx context.Context, r *Run, one *Trial) (err error) {
	address, err := manifests.EndpointAddress(s.cluster)
	if err != nil {
		return err
	}
	one.From = s.clientHost(one.Host)
	gap, err := s.api.Gap(api.GapOptions{Host: one.From, Address: address})
	if err != nil {
		return err
	}
	if err := gap.Start(ctx); err != nil {
		return err
	}
	defer func() { // an interrupt must leave nothing out
		_, end := s.begin(plan.Event{Stage: StagePutBack, Host: one.Host, Detail: "putting " + one.Host + " back", Fix: startsAgain})
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), BackWithin)
		defer cancel()
		back := s.putBack(rest, r, one.Host)
		defer end(back)
		err = errors.Join(err, back)
		report, stopped := gap.Stop(rest)
		one.note(report)
		err = errors.Join(err, stopped)
	}()
	in, err := s.input()
	if err != nil {
		return err
	}
	if err := s.carryOut(ctx, one.takeOut, in, one.Host); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, BackWithin)
	defer cancel()
	if err := gap.Await(within); err != nil {
		return err
	}
	return hosts.Pause(ctx, trialHolds)
}

// carryOut makes one of the small plans of a test and applies it.
func (s *Session) carryOut(ctx context.Context, make func(phases.Input, string) (plan.Plan, plan.Contents, error), in phases.Input, host string) error {
	made, contents, err := make(in, host)
	if err != nil {
		return err
	}
	return s.apply(ctx, Prepared{Plan: made, Contents: contents})
}

// putBack starts again what is stopped, and waits until all is well. It looks at that host
// alone first: no other may keep it from being put back.
func (s *Session) putBack(ctx context.Context, r *Run, host string) error {
	if err := s.startAgain(ctx, host); err != nil {
		return &UndoneError{fmt.Errorf("put %s back: %w", host, err), startsAgain}
	}
	for {
		err := s.wellFor(ctx, r)
		if err == nil {
			return nil
		}
		if hosts.Pause(ctx, time.Second) != nil {
			return &UndoneError{fmt.Errorf("put %s back: the cluster is not well again: %w", host, err), startsAgain}
		}
	}
}

func (s *Session) startAgain(ctx context.Context, name string) error {
	h, _ := s.cluster.Host(name)
	facts, err := s.lookAt(ctx, name, s.hosts[name], phases.HostQuery(s.cluster, s.bill, h))
	if err != nil {
		return err
	}
	s.facts[name], s.seen[name] = facts, time.Now()
	in, err := s.input()
	if err != nil {
		return err
	}
	back := func(in phases.Input, host string) (plan.Plan, plan.Contents, error) { return phases.PutBack(in, host) }
	return s.carryOut(ctx, back, in, name)
}
