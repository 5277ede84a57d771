package workflow

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// onePlanned is an init that makes a folder on cp-1, and whose hosts are connected.
func onePlanned() *Run {
	r := connected(run(Init))
	r.plan = func(*Session, phases.Input) (plan.Plan, plan.Contents, error) { return onePlan(), nil, nil }
	r.verify = func(context.Context, *Session, *Run) error { return nil }
	return r
}

// TestTheLastLookComesAfterTheChange, and its refusal is told so.
func TestTheLastLookComesAfterTheChange(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	r := onePlanned()
	r.Yes = true
	r.verify = func(context.Context, *Session, *Run) error { return &checks.Refused{} }
	err := s.Run(t.Context(), r)
	if changed, late := errors.AsType[*ChangedError](err); !late || changed.Error() != "verify: "+(&checks.Refused{}).Error() {
		t.Errorf("it ends with %v", err)
	}
}

// TestWhoIsAskedDecides: with a no nothing is changed; with --yes there is no question.
func TestWhoIsAskedDecides(t *testing.T) {
	for name, test := range map[string]struct {
		request Request
		answer  bool
		done    bool
		asked   []string
	}{
		"yes":   {answer: true, done: true, asked: []string{"Apply this plan?"}},
		"no":    {asked: []string{"Apply this plan?"}},
		"--yes": {request: Request{Yes: true}, done: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			front := &fake{answer: test.answer}
			s.front = front
			r := onePlanned()
			r.Request = test.request
			err := s.Run(t.Context(), r)
			if !slices.Equal(front.asked, test.asked) {
				t.Errorf("asked is %q", front.asked)
			}
			facts, look := s.hosts["cp-1"].Observe(t.Context(), hosts.Query{Paths: []string{"/opt/x"}})
			if look != nil {
				t.Fatal(look)
			}
			if _, made := facts.Files["/opt/x"]; made != test.done || (err == nil) != test.done || !test.done && !errors.Is(err, ErrDeclined) {
				t.Errorf("it was done: %v; error: %v", made, err)
			}
		})
	}
}

// TestTheFrontEndIsToldWhatEveryCheckFound: before the plan is made, and where it is refused too.
func TestTheFrontEndIsToldWhatEveryCheckFound(t *testing.T) {
	for name, refused := range map[string]bool{"planned": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			front := &fake{answer: true}
			s.front = front
			r := onePlanned()
			if refused {
				r.plan = func(*Session, phases.Input) (plan.Plan, plan.Contents, error) {
					if len(front.checked) == 0 {
						t.Error("it is planned before the checks are told")
					}
					return plan.Plan{}, nil, &checks.Refused{}
				}
			}
			if err := s.Run(t.Context(), r); (err != nil) != refused {
				t.Fatal(err)
			}
			if len(front.checked) != 1 || front.checked[0].Workflow != "init" || len(front.checked[0].Results) == 0 || !slices.Equal(front.checked[0].Hosts, s.HostNames()) {
				t.Errorf("what is told: %+v", front.checked)
			}
		})
	}
}

// TestRunCarriesOutEveryWorkflow of the table: each goes to the hosts, and not by its plan alone where it is
// more than one.
func TestRunCarriesOutEveryWorkflow(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "app.tar")
	if err := tarball.WriteToFile(archive, name.MustParseReference("app:1"), empty.Image); err != nil {
		t.Fatal(err)
	}
	for _, w := range All {
		t.Run(w.Name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			clear(s.hosts)
			front := &fake{}
			s.front, s.bill.KubernetesVersion = front, cluster.DefaultKubernetesVersion
			var dialled atomic.Bool
			s.dial = func(context.Context, cluster.Host, func(string)) (hosts.Host, error) {
				dialled.Store(true)
				return nil, errors.New("no route to host")
			}
			request := Request{Archives: []string{archive}, Offline: w.Name == Remove.Name}
			if w.Args == Hosts || w.Args == SomeHosts {
				request.Hosts = []string{"worker-1"}
			}
			r, err := New(w, request)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Run(t.Context(), r); err == nil || !dialled.Load() {
				t.Errorf("no host was reached for; it ends with %v", err)
			}
			if r.Yes != w.Unasked || len(front.asked) > 0 {
				t.Errorf("it says yes: %v; asked is %q", r.Yes, front.asked)
			}
		})
	}
}

// TestAWorkflowOfItsOwnWayIsNotRunByItsPlan: the plan of ha test stops every control plane.
func TestAWorkflowOfItsOwnWayIsNotRunByItsPlan(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	r, own := onePlanned(), errors.New("carried out its own way")
	r.Yes = true
	r.plan = func(*Session, phases.Input) (plan.Plan, plan.Contents, error) {
		t.Error("it is planned")
		return onePlan(), nil, nil
	}
	r.carry = func(context.Context, *Session, *Run) error { return own }
	if err := s.Run(t.Context(), r); err != own {
		t.Errorf("it ends with %v", err)
	}
	for _, w := range []Workflow{HATest, Smoke} {
		if w.carry == nil {
			t.Errorf("%s is carried out by its plan", w.Name)
		}
	}
}

// TestTrialsAreTold one by one, the one that failed as well, which is the last.
func TestTrialsAreTold(t *testing.T) {
	front := &fake{}
	s := &Session{connections: connections{stages: stages{front}}}
	broken := errors.New("it did not come back")
	made, err := s.tryAll([]Trial{{Host: "cp-1"}, {Host: "cp-2"}, {Host: "cp-3"}}, func(one *Trial) error {
		one.Writes = int64(len(front.trials)) + 1
		if one.Host == "cp-2" {
			return broken
		}
		return nil
	})
	if _, late := errors.AsType[*ChangedError](err); !late || !errors.Is(err, broken) {
		t.Errorf("it ends with %v", err)
	}
	same := func(got []Trial) bool {
		return len(got) == 2 && got[0].Host == "cp-1" && got[0].Writes == 1 && got[1].Host == "cp-2" && got[1].Writes == 2
	}
	if !same(made) || !same(front.trials) {
		t.Errorf("made: %+v; told: %+v", made, front.trials)
	}
}

// TestASmokeIsToldInOneLine, with whom nothing was asked of; where nothing was found nothing is said.
func TestASmokeIsToldInOneLine(t *testing.T) {
	front := &fake{}
	s := &Session{connections: connections{stages: stages{front}}}
	s.tellSmoke(SmokeReport{LeftOut: []string{"worker-2 is cordoned"}})
	if len(front.notes) > 0 {
		t.Errorf("nothing was asked, and it says %q", front.notes)
	}
	s.tellSmoke(SmokeReport{Promises: []api.SmokeResult{{Outcome: api.SmokeKept}}, LeftOut: []string{"worker-2 is cordoned"}, Seconds: 2})
	want := []string{"smoke: 1 of 1 promises kept, 0 broken, 0 not asked, in 2.0 s", "not asked: worker-2 is cordoned"}
	if !slices.Equal(front.notes, want) {
		t.Errorf("it says %q", front.notes)
	}
}

// TestAForecastAloneChangesNothing, also where Run is asked for it.
func TestAForecastAloneChangesNothing(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	front := &fake{answer: true}
	s.front = front
	r := onePlanned()
	r.Yes, r.ForecastOnly = true, true
	r.Workflow.Name = "unchecked"
	r.forecast = func(phases.Input) (forecast.Forecast, error) { return forecast.Forecast{}, nil }
	if err := s.Run(t.Context(), r); err != nil || front.forecasts != 1 {
		t.Fatalf("it ends with %v; shown were %d forecasts", err, front.forecasts)
	}
	facts, err := s.hosts["cp-1"].Observe(t.Context(), hosts.Query{Paths: []string{"/opt/x"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, made := facts.Files["/opt/x"]; made {
		t.Error("the plan was carried out")
	}
}

// TestAPlanSaysFromWhichVersionToWhich, the hosts that have another one with it.
func TestAPlanSaysFromWhichVersionToWhich(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	names := s.HostNames()
	p := onePlan()
	s.bill.KubernetesVersion = "v1.36.3"
	s.live.Nodes = []hosts.Node{{Name: names[0], KubeletVersion: "v1.37.2"}, {Name: names[1], KubeletVersion: "v1.36.3"}}
	back, on := run(UpgradeRollback), s.cluster.Name+" goes back from Kubernetes v1.37.2 to v1.36.3 on "+names[0]+"."
	if got := s.leads(back, p); got != on {
		t.Errorf("a rollback: %q", got)
	}
	s.live.Nodes[1].KubeletVersion = "v1.37.1"
	want := s.cluster.Name + " goes back to Kubernetes v1.36.3: from v1.37.2 on " + names[0] + "; from v1.37.1 on " + names[1] + "."
	if got := s.leads(back, p); got != want {
		t.Errorf("from two: %q", got)
	}
	p.Left = []string{names[1]}
	if got := s.leads(back, p); got != on {
		t.Errorf("with a pause: %q", got)
	}
	s.live.Nodes = nil
	if got := s.leads(run(UpgradeApply), p); got != s.cluster.Name+" stays with Kubernetes v1.36.3." {
		t.Errorf("the same version: %q", got)
	}
	if got := s.leads(run(Init), p) + s.leads(back, plan.Plan{}); got != "" {
		t.Errorf("an init, and an empty plan: %q", got)
	}
}

// TestTheQuestionHasTheVersions: a long plan's first line is out of sight by then.
func TestTheQuestionHasTheVersions(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	front := &fake{}
	s.front = front
	p := onePlan()
	p.Versions = "try goes back."
	if err := s.agreed(t.Context(), onePlanned(), Prepared{Plan: p}); !errors.Is(err, ErrDeclined) || !slices.Equal(front.asked, []string{"try goes back.\nApply this plan?"}) {
		t.Errorf("%v, and asked is %q", err, front.asked)
	}
}

// TestAFileWithoutAVersionIsNotToldToChange: it means the bundle's, and says none that would be wrong.
func TestAFileWithoutAVersionIsNotToldToChange(t *testing.T) {
	const file = "apiVersion: slipway.dev/v1alpha1\nkind: Cluster\nname: try\nhosts:\n  - {name: cp-1, address: 10.0.1.1, roles: [control-plane]}\n"
	for says, want := range map[string]string{
		"": "", "kubernetesVersion: v1.36.3\n": "",
		"kubernetesVersion: v1.37.2\n": "the cluster runs Kubernetes v1.36.3 now: write kubernetesVersion: v1.36.3 into try.yaml, which says v1.37.2",
	} {
		s := scene{kept: "try/A", records: all("try/A")}.session(t)
		front := &fake{}
		s.front, s.Options = front, Options{File: "try.yaml", Data: []byte(file + says)}
		s.cluster.KubernetesVersion = "v1.36.3"
		if s.tellVersion(); strings.Join(front.notes, "\n") != want {
			t.Errorf("a file with %q: %q", says, front.notes)
		}
	}
}
