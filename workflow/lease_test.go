package workflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// run is a workflow put to use.
func run(w Workflow) *Run { return &Run{Workflow: w} }

// forced is one that was told to do what takes a flag of its own.
func forced(w Workflow) *Run {
	return &Run{Workflow: w, Request: Request{Force: true, RemoveStale: true}}
}

// connected is a run whose hosts are connected already.
func connected(r *Run) *Run {
	r.reach = func(*cluster.Cluster, Request) []cluster.Host { return nil }
	r.query = func(*Session, cluster.Host) hosts.Query { return hosts.Query{Sync: "/var/lib/etcd"} }
	return r
}

// TestWhoIsNotAskedLeasesBeforeLooking: with --yes no plan is older than its lease, in any
// workflow; who is asked keeps nobody waiting meanwhile.
func TestWhoIsNotAskedLeasesBeforeLooking(t *testing.T) {
	for name, workflow := range map[string]*Run{
		"init": run(Init), "reset": run(Reset), "remove": run(Remove), "join": forced(Join),
	} {
		for _, yes := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, yes: %v", name, yes), func(t *testing.T) {
				s := scene{kept: "try/A", records: all("try/A")}.session(t)
				clear(s.facts)
				s.first = yes
				if err := s.reachAll(t.Context(), connected(workflow)); err != nil {
					t.Fatal(err)
				}
				for host := range s.hosts {
					if leased := s.facts[host].Lease != nil; leased != yes {
						t.Errorf("%s was leased when it was looked at: %v", host, leased)
					}
				}
				if asks := s.freshness(workflow, Prepared{}) != nil; asks == yes {
					t.Errorf("it is looked again before the first step: %v", asks)
				}
				s.giveBack()
				if _, err := s.hosts["cp-1"].Observe(t.Context(), hosts.Query{}); err != nil || s.held() {
					t.Errorf("the lease is not given back: %v", err)
				}
			})
		}
	}
}

func TestWhoIsNotAskedLooksAtNoHostOfAnother(t *testing.T) {
	s := scene{}.session(t)
	clear(s.facts)
	machine := scene{}.machine(t, "cp-2")
	if _, err := machine.Host().Do(t.Context(), hosts.TakeLease{Holder: "lee@lab"}, nil); err != nil {
		t.Fatal(err)
	}
	s.hosts["cp-2"], s.first = machine.Host(), true
	err := s.reachAll(t.Context(), connected(run(Init)))
	if held := (*engine.NotLeased)(nil); !errors.As(err, &held) || held.Host != "cp-2" {
		t.Errorf("want the lease of cp-2 refused, got %v", err)
	}
	if len(s.facts) > 0 || s.held() {
		t.Errorf("it was looked at %d hosts all the same", len(s.facts))
	}
}

// TestAHostThatIsSilentAtTheLeaseIsOneThatWasNotReached: what that means is for preflight to say,
// and to a workflow that has no need of the host it is a warning.
func TestAHostThatIsSilentAtTheLeaseIsOneThatWasNotReached(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		lost bool
	}{
		"it is stuck":            {&hosts.Error{Kind: hosts.KindStuck, Host: "cp-2", Op: "take the lease", Err: errors.New("no answer in 2m0s")}, true},
		"the connection is cut":  {&hosts.Error{Kind: hosts.KindCut, Host: "cp-2", Op: "take the lease", Err: io.EOF}, true},
		"it cannot note a lease": {&hosts.Error{Kind: hosts.KindDiskFull, Host: "cp-2", Op: "take the lease", Err: errors.New("no space")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			s.hosts["cp-2"], s.first = unleasable{s.hosts["cp-2"], test.err}, true
			err := s.reachAll(t.Context(), connected(run(Init)))
			if !test.lost {
				if !errors.Is(err, test.err) || s.held() {
					t.Errorf("want the run refused, got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, seen := s.facts["cp-2"]; seen || !errors.Is(s.down["cp-2"], test.err) || s.hosts["cp-2"] != nil {
				t.Errorf("it counts as reached; down are %v", s.down)
			}
			for host := range s.hosts {
				if s.facts[host].Lease == nil {
					t.Errorf("%s is not leased", host)
				}
			}
			s.giveBack()
		})
	}
}

// TestItIsToldWhoseLeaseIsWaitedFor, before the plan is made and when it is applied.
func TestItIsToldWhoseLeaseIsWaitedFor(t *testing.T) {
	for name, lease := range map[string]func(context.Context, *Session) error{
		"before the plan": func(ctx context.Context, s *Session) error { return s.takeLease(ctx) },
		"with the plan":   func(ctx context.Context, s *Session) error { return s.apply(ctx, Prepared{Plan: onePlan()}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			s.hosts["cp-1"] = slowLease{s.hosts["cp-1"]}
			synctest.Test(t, func(t *testing.T) {
				front := &fake{}
				s.front = front
				seen := make(chan []string, 1)
				time.AfterFunc(5*time.Second, func() { seen <- front.waits() })
				if err := lease(t.Context(), s); err != nil {
					t.Error(err)
				}
				if waits, want := <-seen, "cp-1: taking the lease"; !slices.Equal(waits, []string{want}) {
					t.Errorf("after 5 s one waits for %q, want %q", waits, want)
				}
				if left := front.waits(); len(left) > 0 {
					t.Errorf("in the end one waits for %q", left)
				}
				s.giveBack()
				time.Sleep(time.Minute) // of the bubble's clock
			})
		})
	}
}

// slowLease is a host that takes its time with its lease.
type slowLease struct{ hosts.Host }

func (s slowLease) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	if _, lease := action.(hosts.TakeLease); lease {
		time.Sleep(10 * time.Second) // of the bubble's clock
	}
	return s.Host.Do(ctx, action, progress)
}

// TestAHostThatIsLostAtASecondLeaseIsNoWayToTheAPI: a join reaches the API from the worker that
// comes, then connects to a host that is not ready, and leases once more.
func TestAHostThatIsLostAtASecondLeaseIsNoWayToTheAPI(t *testing.T) {
	cut := &hosts.Error{Kind: hosts.KindCut, Host: "worker-1", Op: "take the lease", Err: io.EOF}
	for name, test := range map[string]struct {
		err  error // of worker-1, when it is leased
		want string
	}{
		"it answers": {nil, "worker-1"}, "it is cut": {cut, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			s.cluster.Endpoint.Mode = cluster.EndpointLocal
			if err := s.findKeys(t.Context()); err != nil {
				t.Fatal(err)
			}
			if test.err != nil {
				s.hosts["worker-1"] = unleasable{s.hosts["worker-1"], test.err}
			}
			s.first, s.viaHosts = true, []string{"worker-1"}
			if err := s.reachAll(t.Context(), connected(forced(Join))); err != nil {
				t.Fatal(err)
			}
			defer s.giveBack()
			if got := strings.Join(s.viaHosts, " "); got != test.want {
				t.Errorf("the API is reached from %q, want %q", got, test.want)
			}
		})
	}
}

// TestAHostThatFellSilentIsNotLeased: nobody is kept from what does not need it.
func TestAHostThatFellSilentIsNotLeased(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	s.hosts["cp-2"] = silent{unleasable{s.hosts["cp-2"], errors.New("no answer")}}
	p := connected(run(Init))
	if err := s.look(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p.plan = func(*Session, phases.Input) (plan.Plan, plan.Contents, error) { return onePlan(), nil, nil }
	ready, err := s.planned(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.apply(t.Context(), ready); err != nil {
		t.Errorf("a plan for cp-1 alone is not applied: %v", err)
	}
}

// onePlan makes a folder on cp-1.
func onePlan() plan.Plan {
	return plan.Plan{Workflow: "init", Steps: []plan.Step{{
		ID: "cp-1/files/folder", Phase: "files", Host: "cp-1", Lane: plan.LaneWork, Change: plan.Create,
		Action: hosts.MakeDirectory{Path: "/opt/x", Mode: 0o755},
	}}}
}

// unleasable is a host that is asked for its lease in vain.
type unleasable struct {
	hosts.Host
	err error
}

func (u unleasable) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	if _, lease := action.(hosts.TakeLease); lease {
		return hosts.Outcome{}, u.err
	}
	return u.Host.Do(ctx, action, progress)
}
