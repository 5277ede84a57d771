package main

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
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// connected is a workflow whose hosts are connected already.
func connected(workflow planner) planner {
	workflow.hosts = func(*cluster.Cluster) []cluster.Host { return nil }
	workflow.query = func(cluster.Host) hosts.Query { return hosts.Query{Sync: "/var/lib/etcd"} }
	return workflow
}

// TestWhoIsNotAskedLeasesBeforeLooking: with --yes no plan is older than its lease, in any
// workflow; who is asked keeps nobody waiting meanwhile.
func TestWhoIsNotAskedLeasesBeforeLooking(t *testing.T) {
	for name, workflow := range map[string]planner{
		"init": initPlanner(), "reset": resetPlanner(nil, false), "remove": removePlanner(nil), "join": joinPlanner(true),
	} {
		for _, yes := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, yes: %v", name, yes), func(t *testing.T) {
				s := scene{kept: "try/A", records: all("try/A")}.session(t)
				clear(s.facts)
				s.leasing = yes
				if err := s.reach(t.Context(), connected(workflow)); err != nil {
					t.Fatal(err)
				}
				for host := range s.hosts {
					if leased := s.facts[host].Lease != nil; leased != yes {
						t.Errorf("%s was leased when it was looked at: %v", host, leased)
					}
				}
				if asks := s.freshness(workflow, prepared{}) != nil; asks == yes {
					t.Errorf("it is looked again before the first step: %v", asks)
				}
				s.release()
				if _, err := s.hosts["cp-1"].Observe(t.Context(), hosts.Query{}); err != nil || s.leased {
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
	s.hosts["cp-2"], s.leasing = machine.Host(), true
	err := s.reach(t.Context(), connected(initPlanner()))
	if held := (*engine.NotLeased)(nil); !errors.As(err, &held) || held.Host != "cp-2" || exitCode(err) != exitLeaseHeld {
		t.Errorf("want the lease of cp-2 refused, got %v", err)
	}
	if len(s.facts) > 0 || s.leased {
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
			s.hosts["cp-2"], s.leasing = unleasable{s.hosts["cp-2"], test.err}, true
			err := s.reach(t.Context(), connected(initPlanner()))
			if !test.lost {
				if !errors.Is(err, test.err) || s.leased {
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
			s.release()
		})
	}
}

// TestItIsSaidWhoseLeaseIsWaitedFor, before the plan is made and when it is applied.
func TestItIsSaidWhoseLeaseIsWaitedFor(t *testing.T) {
	for name, lease := range map[string]func(context.Context, *session) error{
		"before the plan": func(ctx context.Context, s *session) error { return s.lease(ctx) },
		"with the plan": func(ctx context.Context, s *session) error {
			return s.apply(ctx, prepared{plan: onePlan()}, newFront(formatJSON, io.Discard))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			s.hosts["cp-1"] = slowLease{s.hosts["cp-1"]}
			before := awaiting
			t.Cleanup(func() { awaiting = before })
			synctest.Test(t, func(t *testing.T) {
				awaiting = &awaited{say: func(string) {}}
				var list string
				time.AfterFunc(awaitedAfter, func() {
					awaiting.mu.Lock()
					defer awaiting.mu.Unlock()
					list = awaiting.list(awaitedAfter)
				})
				if err := lease(t.Context(), s); err != nil {
					t.Error(err)
				}
				if want := "cp-1 (taking the lease, 5 s)"; list != want {
					t.Errorf("after 5 s one waits for %q, want %q", list, want)
				}
				s.release()
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
			s.leasing, s.viaHosts = true, []string{"worker-1"}
			if err := s.reach(t.Context(), connected(joinPlanner(true))); err != nil {
				t.Fatal(err)
			}
			defer s.release()
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
	p := connected(planner{workflow: "init"})
	if err := s.look(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p.plan = func(phases.Input) (plan.Plan, plan.Contents, error) { return onePlan(), nil, nil }
	ready, err := s.planned(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.apply(t.Context(), ready, newFront(formatJSON, io.Discard)); err != nil {
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

// TestWhatIsMeasuredIsMeasuredOnce: a second look takes no second of measuring, and a disk
// that is busier now makes no plan stale.
func TestWhatIsMeasuredIsMeasuredOnce(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	p := connected(initPlanner())
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
		planner  planner
		answers  bool
		expected bool
	}{
		"init": {initPlanner(), true, true}, "nobody answers init": {initPlanner(), false, false}, "join": {joinPlanner(false), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			if err := s.look(t.Context(), connected(test.planner)); err != nil {
				t.Fatal(err)
			}
			s.live.Reachable = test.answers
			s.askHealth(t.Context(), test.planner)
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
			p := connected(initPlanner())
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

// TestKeysOfARunThatHasBegunStay: whatever ends a run after its first step, the keys that it
// made are those of hosts that live.
func TestKeysOfARunThatHasBegunStay(t *testing.T) {
	lease := &hosts.Error{Kind: hosts.KindLease, Host: "cp-1", Op: "write /etc/x", Err: hosts.LeaseHolder{Holder: "lee@lab"}}
	for name, test := range map[string]struct {
		err  error
		gone bool
	}{
		"the lease was not taken":         {&engine.NotBegun{Err: &engine.NotLeased{Host: "cp-1", Err: lease}}, true},
		"the plan is stale":               {&engine.NotBegun{Err: errStale}, true},
		"a step failed":                   {&engine.RunError{Failed: []*engine.StepError{{Err: errors.New("no space")}}}, false},
		"a step missed the lease":         {&engine.RunError{Failed: []*engine.StepError{{Err: lease}}}, false},
		"a host missed the lease midway":  {lease, false},
		"one of many errors is the lease": {errors.Join(errors.New("x"), lease), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{}.session(t)
			if err := s.mintKeys(); err != nil {
				t.Fatal(err)
			}
			if err := s.keys.save("try"); err != nil {
				t.Fatal(err)
			}
			if err := s.keys.forgetUnused(test.err); err != nil {
				t.Fatal(err)
			}
			states, err := openStates()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := states.Load("try"); (err != nil) != test.gone {
				t.Errorf("the keys are gone: %v, want %v", err != nil, test.gone)
			}
		})
	}
}

// TestAResetThatWasNotSeenToTheEndIsNotDone: a host that does not answer any more may have all
// that it had.
func TestAResetThatWasNotSeenToTheEndIsNotDone(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*session, *hosttest.Fake) // what becomes of cp-2 before it is looked at again
		says string                         // empty: the reset is done
	}{
		"all answer":                       {func(*session, *hosttest.Fake) {}, ""},
		"a host is silent":                 {func(s *session, _ *hosttest.Fake) { s.hosts["cp-2"] = silent{s.hosts["cp-2"]} }, "cp-2:\n    it could not be looked at again: look at the host: no answer"},
		"a disk does not answer":           {func(_ *session, m *hosttest.Fake) { m.Stick("/var/lib/etcd") }, "cp-2:\n    perhaps more: "},
		"a host was silent from the begin": {func(s *session, _ *hosttest.Fake) { delete(s.facts, "cp-2"); s.hosts["cp-2"] = silent{s.hosts["cp-2"]} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{}.session(t)
			machine := scene{}.machine(t, "cp-2")
			s.hosts["cp-2"] = machine.Host()
			test.end(s, machine)
			err := s.nothingLeft(t.Context(), s.hostNames())
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("want %q, got %v", test.says, err)
			}
		})
	}
}

// TestAResetForgetsTheHostsThatAreClean, and no others: to the next init they are new.
func TestAResetForgetsTheHostsThatAreClean(t *testing.T) {
	for name, test := range map[string]struct {
		names string // all hosts where empty
		api   bool   // an API server told of all nodes
		empty bool   // there is nothing to undo
		stall string // is not seen again
		gone  bool   // the keys
		kept  string // why they are kept, where that is noted
		notes string // the hosts of which there are notes still
	}{
		"all are clean":                        {api: true, gone: true},
		"all are clean, and no API told":       {kept: "no API server answered"},
		"nothing is to be undone":              {empty: true, kept: "no API server answered"},
		"one is not seen again":                {api: true, stall: "cp-2", notes: "cp-2"},
		"one is not seen again, no API told":   {stall: "cp-2", kept: "no API server answered", notes: "cp-2"},
		"one leaves":                           {names: "cp-1", notes: "cp-2 cp-3 worker-1"},
		"one leaves, named as often as can be": {names: "cp-1 cp-1 cp-1 cp-1", api: true, notes: "cp-2 cp-3 worker-1"},
		"one leaves and is not seen again":     {names: "cp-1", stall: "cp-1", notes: "cp-1 cp-2 cp-3 worker-1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", id: "A"}.session(t)
			if err := s.findKeys(t.Context()); err != nil {
				t.Fatal(err)
			}
			folder := s.keys.folder
			for _, host := range s.hostNames() {
				if err := errors.Join(folder.MarkJoined(host), folder.MarkBegun(host)); err != nil {
					t.Fatal(err)
				}
			}
			names := strings.Fields(test.names)
			if len(names) == 0 {
				names = s.hostNames()
			}
			p := connected(resetPlanner(names, false))
			p.plan = func(phases.Input) (plan.Plan, plan.Contents, error) {
				s.live.Reachable = test.api
				if test.stall != "" {
					s.hosts[test.stall] = silent{s.hosts[test.stall]}
				}
				made := onePlan()
				made.Steps[0].Action = hosts.Forget{}
				if test.empty {
					made.Steps = nil
				}
				return made, nil, nil
			}
			err := s.reset(t.Context(), changeFlags{yes: true, output: formatText}, p, names)
			if again := err != nil && strings.HasSuffix(err.Error(), "run the same command again"); again != (test.stall != "") || err != nil && !again {
				t.Errorf("it ends with: %v", err)
			}
			if _, err := folder.PKI(); (err != nil) != test.gone {
				t.Errorf("the keys are gone: %v, want %v", err != nil, test.gone)
			}
			if why, kept := folder.Kept(); kept != (test.kept != "") || !strings.Contains(why, test.kept) {
				t.Errorf("the keys are kept: %q, want %q", why, test.kept)
			}
			noted := slices.DeleteFunc(s.hostNames(), func(name string) bool { return !folder.Joined(name) && !folder.Begun(name) })
			if got := strings.Join(noted, " "); got != test.notes {
				t.Errorf("there are notes of %q, want %q", got, test.notes)
			}
		})
	}
}

// silent is a host that does not answer any more.
type silent struct{ hosts.Host }

func (silent) Observe(context.Context, hosts.Query) (hosts.Facts, error) {
	return hosts.Facts{}, &hosts.Error{Kind: hosts.KindStuck, Op: "look at the host", Err: errors.New("no answer")}
}

// TestKeysAreKeptWhileOthersMayRun: a reset of all hosts of the file drops the keys only
// where the cluster had no others.
func TestKeysAreKeptWhileOthersMayRun(t *testing.T) {
	for name, test := range map[string]struct {
		silent bool
		joined string
		down   string
		keep   bool
	}{
		"the API tells of all":              {},
		"it is silent":                      {silent: true, joined: "cp-1", keep: true},
		"the file lacks a host that joined": {joined: "cp-1 worker-9", keep: true},
		"a host could not be reached":       {down: "worker-1", keep: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A"), down: test.down}.session(t)
			if err := s.findKeys(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, host := range strings.Fields(test.joined) {
				if err := s.keys.folder.MarkJoined(host); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.keys.folder.MarkBegun("cp-1"); err != nil {
				t.Fatal(err)
			}
			s.live.Reachable = !test.silent
			kept, err := s.whoMayRun()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.dropKeys(s.hostNames(), nil, kept); err != nil {
				t.Fatal(err)
			}
			if _, err := s.keys.folder.PKI(); (err == nil) != test.keep {
				t.Errorf("the keys are there: %v, want %v (%s)", err == nil, test.keep, kept)
			}
			if test.down != "" || !test.keep {
				return
			}
			if folder := s.keys.folder; folder.Begun("cp-1") || folder.Joined("cp-1") {
				t.Error("a host that was reset counts as one of the cluster")
			}
			s.live.Reachable = false
			again, err := s.whoMayRun()
			if !strings.Contains(again, kept) || err != nil {
				t.Errorf("the next reset keeps the keys for another reason than %q: %q, %v", kept, again, err)
			}
			s.live = hosts.ClusterFacts{Reachable: true, Nodes: []hosts.Node{{Name: "cp-1", Labels: map[string]string{phases.LabelManaged: "true"}}}}
			err = s.noteSeen()
			if why, still := s.keys.folder.Kept(); still || err != nil {
				t.Errorf("the cluster is there again, and its keys are still %s: %v", why, err)
			}
		})
	}
}
