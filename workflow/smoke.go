package workflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Smoke asks the cluster for all that a cluster promises. What is made is looked at, and deleted
// again, whatever came of it.
var Smoke = Workflow{
	Name:  "smoke",
	Use:   "smoke -f FILE",
	Short: "Test that the cluster works (Deployments, Services, DNS, volumes, …), one line each, and clean up",
	Long: `Make one small object of every kind in a namespace of its own, and see that it does what
it is for: a Deployment is rolled out, changed and put back, its Service answers by name,
by ClusterIP and by NodePort from another host, a Pod gets back its data, a budget refuses
an eviction, and so on. Nothing but images that every node has is used, and no node is changed;
cordoned nodes get no Pods. All of it is deleted again, also when the command is
interrupted; what one that was killed has left, the next one deletes.`,
	reach:   everyHost,
	plan:    (*Session).planSmoke,
	carry:   carrySmoke,
	Unasked: true,
	stops:   cleansUp,
}

// cleanUpWithin bounds the deletion of what smoke has made, with the time that api gives it.
const cleanUpWithin = 6 * time.Minute

// cleansUp is what to do where smoke could not delete what it had made.
const cleansUp = "what it has made is deleted by the next: slipway smoke"

// Smoke looks at the cluster, and asks it for every promise, under the hosts' lease. tell is called
// when it is known what became of one. The error is an *api.SmokeError where one is broken.
func (s *Session) Smoke(ctx context.Context, r *Run, tell func(api.SmokeResult)) (SmokeReport, error) {
	s.first = true // nobody is asked
	defer s.giveBack()
	if _, err := s.Prepare(ctx, r); err != nil {
		return SmokeReport{}, err
	}
	return s.smoke(ctx, tell)
}

// carrySmoke tells the front end what smoke finds.
func carrySmoke(ctx context.Context, s *Session, r *Run) error {
	report, err := s.Smoke(ctx, r, s.front.Promise)
	s.tellSmoke(report)
	return err
}

// tellSmoke says how many promises are kept and, where nothing was asked, nothing.
func (s *Session) tellSmoke(report SmokeReport) {
	if len(report.Promises) == 0 {
		return
	}
	s.front.Note("smoke: %s", report)
	for _, why := range report.LeftOut {
		s.front.Note("not asked: %s", why)
	}
}

// smokeOf is for workflows that ask at their end.
func smokeOf(ctx context.Context, s *Session, tell func(api.SmokeResult)) (SmokeReport, error) {
	return s.smoke(ctx, tell)
}

// smoke asks for every promise. The cluster's client is open, the hosts are connected, and
// their lease is held.
func (s *Session) smoke(ctx context.Context, tell func(api.SmokeResult)) (report SmokeReport, err error) {
	began := time.Now()
	token, err := mint.BootstrapToken()
	if err != nil {
		return report, err
	}
	asked, err := s.api.NewSmoke(ctx, api.SmokeOptions{ID: token.ID, Secret: token.Secret, KubeletFolder: manifests.KubeletFolder})
	if err != nil {
		return report, err
	}
	report.LeftOut = asked.LeftOut()
	if err := asked.Clean(ctx, false); err != nil { // what one that was killed has left
		return report, err
	}
	defer func() {
		err = errors.Join(err, s.cleanUp(ctx, asked))
		report.Seconds = time.Since(began).Seconds()
	}()
	_, end := s.stage(StageSmoke, "", "")
	if err = asked.Begin(ctx); err == nil {
		report.Promises, err = asked.Run(ctx, tell)
	}
	end(err)
	return report, err
}

// cleanUp deletes all that smoke has made; an interrupt does not cut it short.
func (s *Session) cleanUp(ctx context.Context, asked *api.Smoke) error {
	_, end := s.begin(plan.Event{Stage: StageCleanUp, Detail: "deleting what smoke has made", Fix: cleansUp})
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWithin)
	defer cancel()
	err := asked.Clean(rest, true)
	end(err)
	if err != nil {
		return &UndoneError{fmt.Errorf("delete what smoke has made: %w", err), cleansUp}
	}
	return nil
}

// planSmoke is what smoke begins and ends with. What it makes in between is deleted with the
// namespace.
func (s *Session) planSmoke(in phases.Input) (plan.Plan, plan.Contents, error) {
	in.Workflow = view.Smoke
	if problems := checks.Preflight(view.Smoke, in.View); len(checks.Errors(problems)) > 0 {
		return plan.Plan{}, nil, &checks.Refused{Findings: problems}
	}
	key, body, err := api.SmokeNamespace("any")
	if err != nil {
		return plan.Plan{}, nil, err
	}
	contents := plan.Contents{}
	made := plan.Step{
		ID: "cluster/smoke/namespace", Phase: plan.PhaseSmoke, Lane: plan.LaneWork, Change: plan.Create, Subject: plan.Subject{Object: key},
		Why: "all that is made is in it, and a volume of its name", Cluster: plan.Apply{Object: key, Content: contents.Put(body)},
	}
	gone := plan.Step{
		ID: "cluster/smoke/clean-up", Phase: plan.PhaseSmoke, Lane: plan.LaneWork, Change: plan.Remove, Subject: plan.Subject{Object: key},
		After: []plan.Dependency{plan.All(made.ID)}, Why: "nothing stays, whatever was found", Cluster: plan.Delete{Object: key},
	}
	return plan.Plan{
		Workflow: string(view.Smoke), Cluster: in.ClusterID, Steps: []plan.Step{made, gone},
		Warnings: []string{"in the namespace, whose name ends otherwise each time, is asked for: " + strings.Join(api.SmokePromises(), ", ")},
	}, contents, nil
}
