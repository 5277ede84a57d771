package workflow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestAResetThatWasNotSeenToTheEndIsNotDone: a host that does not answer any more may have all
// that it had.
func TestAResetThatWasNotSeenToTheEndIsNotDone(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*Session, *hosttest.Fake) // what becomes of cp-2 before it is looked at again
		says string                         // empty: the reset is done
	}{
		"all answer":                       {func(*Session, *hosttest.Fake) {}, ""},
		"a host is silent":                 {func(s *Session, _ *hosttest.Fake) { s.hosts["cp-2"] = silent{s.hosts["cp-2"]} }, "cp-2:\n    it could not be looked at again: look at the host: no answer"},
		"a disk does not answer":           {func(_ *Session, m *hosttest.Fake) { m.Stick("/var/lib/etcd") }, "cp-2:\n    perhaps more: "},
		"a host was silent from the begin": {func(s *Session, _ *hosttest.Fake) { delete(s.facts, "cp-2"); s.hosts["cp-2"] = silent{s.hosts["cp-2"]} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{}.session(t)
			machine := scene{}.machine(t, "cp-2")
			s.hosts["cp-2"] = machine.Host()
			test.end(s, machine)
			err := s.nothingLeft(t.Context(), s.HostNames())
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
			for _, host := range s.HostNames() {
				if err := errors.Join(folder.MarkJoined(host), folder.MarkBegun(host)); err != nil {
					t.Fatal(err)
				}
			}
			r := connected(run(Reset))
			r.Hosts, r.Yes = strings.Fields(test.names), true
			r.plan = func(*Session, phases.Input) (plan.Plan, plan.Contents, error) {
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
			err := s.Run(t.Context(), r)
			if again := err != nil && strings.HasSuffix(err.Error(), "run the same command again"); again != (test.stall != "") || err != nil && !again {
				t.Errorf("it ends with: %v", err)
			}
			if _, err := folder.PKI(); (err != nil) != test.gone {
				t.Errorf("the keys are gone: %v, want %v", err != nil, test.gone)
			}
			if why, kept := folder.Kept(); kept != (test.kept != "") || !strings.Contains(why, test.kept) {
				t.Errorf("the keys are kept: %q, want %q", why, test.kept)
			}
			noted := slices.DeleteFunc(s.HostNames(), func(name string) bool { return !folder.Joined(name) && !folder.Begun(name) })
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
			if err := s.dropKeys(s.HostNames(), nil, kept); err != nil {
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
			s.live = hosts.ClusterFacts{Reachable: true, Nodes: []hosts.Node{{Name: "cp-1", Labels: map[string]string{view.LabelManaged: "true"}}}}
			err = s.noteSeen()
			if why, still := s.keys.folder.Kept(); still || err != nil {
				t.Errorf("the cluster is there again, and its keys are still %s: %v", why, err)
			}
		})
	}
}
