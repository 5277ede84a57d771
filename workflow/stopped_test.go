package workflow

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// turns is a plan in which each host is staged, changes by two steps, and is uncordoned.
func turns(names ...string) plan.Plan {
	var p plan.Plan
	for _, name := range names {
		p.Steps = append(p.Steps,
			plan.Step{ID: name + "/binaries/node", Phase: plan.PhaseBinaries, Host: name, Action: hosts.MakeDirectory{}},
			plan.Step{ID: name + "/activate/1", Phase: plan.PhaseActivate, Host: name, Action: hosts.MakeSymlink{}},
			plan.Step{ID: name + "/activate/2", Phase: plan.PhaseActivate, Host: name, Action: hosts.MakeSymlink{}},
			plan.Step{ID: "cluster/upgrade/" + name + "/uncordon", Phase: plan.PhaseUpgrade, Cluster: plan.Uncordon{Node: name}})
	}
	return p
}

// stands is what is said last of a run that has stopped.
func stands(t *testing.T, w Workflow, run *engine.RunError) string {
	t.Helper()
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	s.File, s.bill.KubernetesVersion = "c.yaml", "v1.37.2"
	r := &Run{Workflow: w, planned: turns("cp-1", "cp-2", "worker-1")}
	s.live.Nodes = []hosts.Node{{Name: "cp-3", KubeletVersion: "v1.37.2"}} // it has no step in the plan
	stopped, is := errors.AsType[*StoppedError](s.stoppedInTurn(r, run))
	if !is {
		t.Fatal("nothing is said")
	}
	return strings.Join(stopped.Last, "\n")
}

// TestAStoppedUpgradeSaysHowEachHostStands, by what was done, put back, and begun.
func TestAStoppedUpgradeSaysHowEachHostStands(t *testing.T) {
	failed := []*engine.StepError{{Step: "cp-2/activate/2", Host: "cp-2"}}
	skipped := []engine.SkippedStep{{Step: "worker-1/activate/1"}, {Step: "worker-1/activate/2"}}
	for name, test := range map[string]struct {
		of         Workflow
		run        *engine.RunError
		says, lack []string
	}{
		"put back": {UpgradeApply, &engine.RunError{Failed: failed, Skipped: skipped, Rescued: []string{"cp-2/put-back/x"}},
			[]string{"with Kubernetes v1.37.2: cp-1, cp-3", "its change was put back: cp-2", "not changed: worker-1", "or go back by: slipway upgrade rollback -f c.yaml"}, []string{"in part"}},
		"not put back": {UpgradeApply, &engine.RunError{Failed: failed, Skipped: skipped, Rescued: []string{"cp-2/put-back/x"}, NotRescued: []*engine.StepError{{Step: "cp-2/put-back/y"}}},
			[]string{"changed in part, and perhaps cordoned: cp-2"}, []string{"put back: "}},
		"a way back, which puts nothing back": {UpgradeRollback, &engine.RunError{Failed: failed, Skipped: skipped},
			[]string{"in part, and perhaps cordoned: cp-2", "or go forward again by: slipway upgrade apply"}, []string{"go back by"}},
		"a drain that did not end": {UpgradeRollback, &engine.RunError{Failed: []*engine.StepError{{Step: "cluster/upgrade/worker-1/drain"}}, Skipped: skipped, Rescued: []string{"cluster/put-back/worker-1/uncordon"}},
			[]string{"not changed: worker-1"}, []string{"put back: "}},
		"interrupted in its first step": {UpgradeRollback, &engine.RunError{Interrupted: true, BrokenOff: []string{"cp-2/activate/1"},
			Canceled: []string{"cp-2/activate/1", "cp-2/activate/2", "worker-1/activate/1", "worker-1/activate/2"}},
			[]string{"in part, and perhaps cordoned: cp-2", "not changed: worker-1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			said := stands(t, test.of, test.run)
			for _, want := range test.says {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not said:\n%s", want, said)
				}
			}
			for _, wrong := range test.lack {
				if strings.Contains(said, wrong) {
					t.Errorf("%q is said:\n%s", wrong, said)
				}
			}
		})
	}
}

// TestACommandIsToldAsItIsTyped: with its flags, for a shell, and without consent.
func TestACommandIsToldAsItIsTyped(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	s.File, s.Bundle = "my c.yaml", "new.tar"
	r := &Run{Workflow: UpgradeApply, Request: Request{
		Yes: true, Force: true, WorkersAtOnce: "10%", PauseAfter: "cp-1", Without: []string{"worker-1", "worker-2"}, IgnoreChecks: []string{"NumCPU"},
		Drain: DrainRequest{GracePeriod: new(-1), Timeout: new(2 * time.Minute)},
	}}
	got := strings.Fields(s.typed(r, nil, "pause-after"))
	want := strings.Fields("slipway upgrade apply -f 'my c.yaml' --bundle new.tar --workers-at-once 10% --without worker-1,worker-2 --grace-period=-1 --timeout 2m0s --force --ignore-checks NumCPU")
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestARunIsToldAsItIsTyped: as it was asked for, before there is a session.
func TestARunIsToldAsItIsTyped(t *testing.T) {
	for name, test := range map[string]struct {
		of      Workflow
		request Request
		want    string
	}{
		"a bundle is named where one is taken": {Join, Request{Hosts: []string{"w-1", "w-2"}}, "slipway join -f c.yaml --bundle b.tar w-1 w-2"},
		"consent, and no bundle":               {Reset, Request{Hosts: []string{"w-1"}, Yes: true}, "slipway reset -f c.yaml w-1 --yes"},
		"nobody is asked":                      {Smoke, Request{}, "slipway smoke -f c.yaml"},
		"archives": {ImageLoad, Request{Archives: []string{"my app.tar", "-x.tar"}, ImageName: "r/app:1"},
			"slipway image load -f c.yaml 'my app.tar' ./-x.tar --name r/app:1"},
		"options": {Drain, Request{Hosts: []string{"w-1"}, Yes: true, Drain: DrainRequest{Timeout: new(time.Minute)}},
			"slipway drain -f c.yaml w-1 --timeout 1m0s --yes"},
	} {
		r, err := New(test.of, test.request)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := r.Typed("c.yaml", "b.tar"); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, test.want)
		}
		if got := (&Session{Options: Options{File: "c.yaml", Bundle: "b.tar"}}).Typed(r); got != test.want {
			t.Errorf("%s, in a session:\ngot  %s\nwant %s", name, got, test.want)
		}
	}
}

// TestASecondInterruptIsToldHowToGoOn, by what is true of the workflow.
func TestASecondInterruptIsToldHowToGoOn(t *testing.T) {
	for want, interrupted := range map[string]string{"the same command goes on from there": "", "name only the others": "name only the others"} {
		s := scene{kept: "try/A", records: all("try/A")}.session(t)
		front := &fake{}
		s.front = front
		r := onePlanned()
		r.Yes, r.Interrupted = true, interrupted
		p := onePlan()
		p.Steps = append(p.Steps, plan.Step{
			ID: "cp-1/put-back/folder", Phase: plan.PhasePutBack, Host: "cp-1", Lane: "back", Rescues: []string{p.Steps[0].ID},
			Change: plan.Remove, Action: hosts.RemovePath{Path: "/opt/x"},
		})
		r.plan = func(*Session, phases.Input) (plan.Plan, plan.Contents, error) { return p, nil, nil }
		if err := s.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(front.events, func(e plan.Event) bool { return e.Stage == plan.StageRescue && e.Fix == want }) {
			t.Errorf("%q is not told", want)
		}
	}
}
