package workflow

import (
	"context"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestWhatIsMeasuredIsMeasuredOnce: a second look takes no second of measuring, and a disk
// that is busier now makes no plan stale.
func TestWhatIsMeasuredIsMeasuredOnce(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	p := connected(run(Init))
	if err := s.look(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	first := s.facts["cp-1"]
	if first.Sync == 0 {
		t.Fatal("the machine's disk was not measured")
	}
	asked := &asking{Host: s.hosts["cp-1"]}
	s.hosts["cp-1"] = asked
	s.live.Health = []hosts.Health{{Host: "cp-1", Component: "kube-scheduler"}}
	if err := s.lookAgain(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if again := s.facts["cp-1"]; asked.query.Sync != "" || again.Sync != first.Sync {
		t.Errorf("measured again: asked %+v, got %s for %s", asked.query, again.Sync, first.Sync)
	}
	if len(s.live.Health) != 1 {
		t.Errorf("a component that is well again makes the plan stale: %+v", s.live.Health)
	}
	one, other := plan.Plan{Workflow: "init", Warnings: []string{"the disk takes 12 ms"}}, plan.Plan{Workflow: "init", Warnings: []string{"the disk takes 14 ms"}}
	if !sameSteps(one, other) || sameSteps(one, plan.Plan{Workflow: "join"}) {
		t.Error("plans are the same by what they do, whatever they warn of")
	}
	one.Steps, other.Steps = []plan.Step{{ID: "a", Why: "connection refused"}}, []plan.Step{{ID: "a", Why: "not ready: etcd"}}
	if !sameSteps(one, other) || one.Steps[0].Why == "" {
		t.Error("plans are the same by what they do, whatever the reason")
	}
	if other.Steps[0].ID = "b"; sameSteps(one, other) {
		t.Error("plans of other steps are taken for the same")
	}
}

// TestInitAsksHowTheComponentsAre: what the API shows of a control plane is late.
func TestInitAsksHowTheComponentsAre(t *testing.T) {
	for name, test := range map[string]struct {
		run      *Run
		answers  bool
		expected bool
	}{
		"init": {run(Init), true, true}, "nobody answers init": {run(Init), false, false}, "join": {run(Join), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			if err := s.look(t.Context(), connected(test.run)); err != nil {
				t.Fatal(err)
			}
			s.live.Reachable = test.answers
			s.askHealth(t.Context(), test.run)
			asked := map[string]bool{}
			for _, health := range s.live.Health {
				asked[health.Host+" "+health.Component] = !health.Healthy
			}
			if got := asked["cp-1 kube-scheduler"] && asked["cp-3 kube-apiserver"]; got != test.expected || !test.expected && len(asked) > 0 {
				t.Errorf("asked for %v", asked)
			}
		})
	}
}

// TestWhatHasBegunMeanwhileIsLookedAtAgain: hosts and etcd are not asked at one moment, and
// what a killed init has let begin goes on by itself.
func TestWhatHasBegunMeanwhileIsLookedAtAgain(t *testing.T) {
	ran := []hosts.Member{{Name: "cp-1", Clients: []string{"https://10.0.0.1:2379"}}}
	for name, test := range map[string]struct {
		files   []string
		members []hosts.Member
		again   int
	}{
		"it may begin, and has run":     {[]string{manifests.EtcdMayBegin}, ran, 1},
		"it may begin, and has not run": {[]string{manifests.EtcdMayBegin}, []hosts.Member{{Name: "cp-1"}}, 0},
		"its data are gone":             {[]string{manifests.EtcdBegun}, ran, 0},
		"another has run":               {nil, ran, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			p := connected(run(Init))
			if err := s.look(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			facts := s.facts["cp-1"]
			facts.Files = map[string]hosts.File{}
			for _, file := range test.files {
				facts.Files[file] = hosts.File{}
			}
			s.facts["cp-1"], s.live.Members = facts, test.members
			asked := &asking{Host: s.hosts["cp-1"]}
			s.hosts["cp-1"] = asked
			if err := s.lookAtBegun(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if asked.times != test.again {
				t.Errorf("cp-1 was looked at %d times more, want %d", asked.times, test.again)
			}
		})
	}
}

// asking is a host that notes what it was asked.
type asking struct {
	hosts.Host
	query hosts.Query
	times int
}

func (a *asking) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	a.query = query
	a.times++
	return a.Host.Observe(ctx, query)
}
