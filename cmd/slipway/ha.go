package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func newHACommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "ha",
		Short: "Try out what high availability promises",
		Args:  cobra.NoArgs,
	}
	command.AddCommand(newHATestCommand())
	return command
}

func newHATestCommand() *cobra.Command {
	var flags clusterFlags
	var yes bool
	command := &cobra.Command{
		Use:   "test -f FILE",
		Short: "Move the endpoint's address and take each control plane out in turn, and measure",
		Long: `Move the endpoint's virtual address, then stop all of one control plane after another
(keepalived, haproxy, kubelet, API server, etcd), each for some seconds, while a client
writes through the endpoint from a host that stays. What is measured is the longest time
in which no write was acknowledged. Each is put back, and the cluster well again, before
the next; also when the test is interrupted or fails. What a test that was killed has
left is put back by: slipway init.`,
		Args: cobra.NoArgs,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		s, err := load(flags)
		if err != nil {
			return err
		}
		defer s.Close()
		trials, err := s.haTest(command.Context(), command.OutOrStdout(), *format, yes)
		if len(trials) > 0 {
			shown := show(command.OutOrStdout(), *format, trials, func(w io.Writer) error { return writeTrials(w, trials, err == nil) })
			err = errors.Join(err, shown)
		}
		return err
	}
	flags.add(command)
	command.Flags().BoolVar(&yes, "yes", false, "do it without asking")
	return command
}

// trial is one thing that ha test takes away, and what a client saw of it.
type trial struct {
	What     string  `json:"what"`
	Host     string  `json:"host"`
	From     string  `json:"from"` // the host that the client stood on
	Gap      float64 `json:"gapSeconds"`
	Writes   int64   `json:"writes"` // acknowledged, all of them there afterwards
	Failures int64   `json:"failures"`
	Cause    string  `json:"cause,omitempty"` // what the client was told during the gap

	takeOut func(phases.Input, string) (plan.Plan, plan.Contents, error)
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
	trialBack  = 5 * time.Minute // within which all must be well again
)

// startsAgain is what to do where a test could not put back what it had stopped.
const startsAgain = "what is still stopped there is started again by: slipway init"

// haTest tries everything in turn. The trials that it gives were made, also where it fails.
func (s *session) haTest(ctx context.Context, out io.Writer, format string, yes bool) ([]trial, error) {
	p := planner{workflow: "ha-test", hosts: func(c *cluster.Cluster) []cluster.Host { return c.Hosts }}
	if err := s.connect(ctx, s.cluster.Hosts); err != nil {
		return nil, err
	}
	if err := s.wellFor(ctx, p); err != nil {
		return nil, err
	}
	if err := s.agreeToTrials(ctx, out, format, yes); err != nil {
		return nil, err
	}
	release, err := s.holdLease(ctx, p)
	if err != nil {
		return nil, err
	}
	defer release()
	var made []trial
	for _, one := range s.trials() {
		if format == formatText {
			fmt.Fprintf(out, "%s: %s …\n", one.Host, one.What)
		}
		err := s.try(ctx, p, &one)
		made = append(made, one)
		if err != nil {
			return made, &changedError{fmt.Errorf("ha test: %s: %w", one.Host, err)}
		}
	}
	return made, nil
}

// holdLease keeps everybody else out until the last trial is put back, and looks once more:
// somebody may have changed something while the question was open.
func (s *session) holdLease(ctx context.Context, p planner) (release func(), err error) {
	if err := s.lease(ctx); err != nil {
		return nil, err
	}
	if err := s.wellFor(ctx, p); err != nil {
		s.release()
		return nil, err
	}
	return s.release, nil
}

// wellFor looks at everything, and refuses where a control plane could not be spared.
func (s *session) wellFor(ctx context.Context, p planner) error {
	if err := s.look(ctx, p); err != nil {
		return err
	}
	s.live.Health = s.api.Health(ctx)
	in, err := s.input()
	if err != nil {
		return err
	}
	if problems := phases.HATest(in); len(phases.Errors(problems)) > 0 {
		return &phases.Refused{Problems: problems}
	}
	return nil
}

func (s *session) agreeToTrials(ctx context.Context, out io.Writer, format string, yes bool) error {
	if yes {
		return nil
	}
	if format != formatText {
		return usagef("--output %s asks nothing: say --yes", format)
	}
	for _, one := range s.trials() {
		fmt.Fprintf(out, "  %s: %s\n", one.Host, one.What)
	}
	agreed, err := confirm(ctx, os.Stdin, out, fmt.Sprintf("Take these out one after another, %s each, and put them back?", trialHolds))
	if err == nil && !agreed {
		return errDeclined
	}
	return err
}

// trials are what a test consists of, as the cluster is now.
func (s *session) trials() []trial {
	var list []trial
	for _, holder := range s.holders() {
		list = append(list, trial{What: trialAddress, Host: holder, takeOut: phases.ReleaseVIP})
	}
	for _, h := range s.cluster.Hosts {
		switch {
		case h.HasRole(cluster.RoleControlPlane):
			list = append(list, trial{What: trialPlane, Host: h.Name, takeOut: phases.TakeOut})
		case h.HasRole(cluster.RoleLoadBalancer) && len(s.cluster.Balancers()) > 1:
			list = append(list, trial{What: trialLB, Host: h.Name, takeOut: phases.TakeOut})
		}
	}
	return list
}

// clientHost is where a client stands while a host is taken out: a worker where there is
// one, else any other host of the cluster.
func (s *session) clientHost(out string) string {
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
func (s *session) try(ctx context.Context, p planner, one *trial) (err error) {
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
		defer awaiting.mustEnd("putting "+one.Host+" back", startsAgain)()
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), trialBack)
		defer cancel()
		err = errors.Join(err, s.putBack(rest, p, one.Host))
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
	within, cancel := context.WithTimeout(ctx, trialBack)
	defer cancel()
	if err := gap.Await(within); err != nil {
		return err
	}
	return pause(ctx, trialHolds)
}

// note takes over what the client saw.
func (t *trial) note(report api.GapReport) {
	t.Writes, t.Failures = report.Writes, report.Failures
	t.Gap, t.Cause = report.Longest.Seconds(), report.Cause
}

// carryOut makes one of the small plans of a test and applies it.
func (s *session) carryOut(ctx context.Context, make func(phases.Input, string) (plan.Plan, plan.Contents, error), in phases.Input, host string) error {
	made, contents, err := make(in, host)
	if err != nil {
		return err
	}
	return s.apply(ctx, prepared{plan: made, contents: contents}, failuresOnly{newShown(os.Stderr)})
}

// putBack starts again what is stopped, and waits until all is well. It looks at that host
// alone first: no other may keep it from being put back.
func (s *session) putBack(ctx context.Context, p planner, host string) error {
	if err := s.startAgain(ctx, host); err != nil {
		return &undoneError{fmt.Errorf("put %s back: %w", host, err), startsAgain}
	}
	for {
		err := s.wellFor(ctx, p)
		if err == nil {
			return nil
		}
		if pause(ctx, time.Second) != nil {
			return &undoneError{fmt.Errorf("put %s back: the cluster is not well again: %w", host, err), startsAgain}
		}
	}
}

func (s *session) startAgain(ctx context.Context, name string) error {
	h, _ := s.cluster.Host(name)
	facts, err := lookAt(ctx, name, s.hosts[name], lookingAtHost, phases.HostQuery(s.cluster, s.bill, h))
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

// failuresOnly is the front of a run whose steps are nobody's concern while they succeed.
type failuresOnly struct{ out io.Writer }

func (f failuresOnly) Event(event plan.Event) {
	if event.Type == plan.EventStepFailed {
		fmt.Fprintln(f.out, eventLine(event))
	}
}

func (f failuresOnly) Note(format string, args ...any) { fmt.Fprintf(f.out, format+"\n", args...) }

func (f failuresOnly) Close() {}

func writeTrials(w io.Writer, trials []trial, well bool) error {
	fmt.Fprintln(w)
	var rows [][]string
	for _, one := range trials {
		rows = append(rows, []string{one.Host, one.What, fmt.Sprintf("%.2f s", one.Gap), strconv.FormatInt(one.Writes, 10), strconv.FormatInt(one.Failures, 10),
			one.From, dash(firstLine(strings.TrimSpace(one.Cause)))})
	}
	if err := writeTable(w, "HOST\tWHAT\tGAP\tWRITES\tREFUSED\tSEEN FROM\tTHE CLIENT WAS TOLD", rows); err != nil {
		return err
	}
	if !well {
		return nil
	}
	_, err := fmt.Fprintln(w, "\nEvery write that was acknowledged is there. All is put back.")
	return err
}
