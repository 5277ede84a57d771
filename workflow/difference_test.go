package workflow

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// differing is a session with a host that has a file, and a run whose plan writes it and more.
func differing(t *testing.T) (*Session, *Run) {
	t.Helper()
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	machine := hosttest.NewFake("cp-1")
	machine.PutFile("/etc/a", []byte("one\ntwo\x1b[2J\nthree\n"), 0o644)
	s.hosts["cp-1"] = machine.Host()
	contents := plan.Contents{}
	file := func(path, text string) hosts.WriteFile {
		return hosts.WriteFile{Path: path, Mode: 0o644, Content: contents.Put([]byte(text)), Size: int64(len(text))}
	}
	secret := file("/etc/key", "")
	secret.Content, secret.Secret = contents.PutSecret([]byte("key"), []byte("PRIVATE")), true
	step := func(id, host string, action hosts.Action, applied plan.ClusterAction) plan.Step {
		return plan.Step{ID: id, Phase: "files", Host: host, Lane: plan.LaneWork, Why: "absent", Change: plan.Create, Action: action, Cluster: applied}
	}
	made := plan.Plan{Workflow: "init", Cluster: hosts.Identity{ID: idOf(t, "A"), Name: "try"}, Steps: []plan.Step{
		step("cp-1/a", "cp-1", file("/etc/a", "one\n2\nthree\n"), nil),
		step("cp-1/new", "cp-1", file("/etc/new", "x\n"), nil),
		step("cp-1/key", "cp-1", secret, nil),
		step("cp-1/x", "cp-1", hosts.MakeDirectory{Path: "/opt/x", Mode: 0o755}, nil),
		step("cluster/map", "", nil, plan.Apply{Object: hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Name: "a"}, Content: contents.Put([]byte(`{"kind":"ConfigMap","data":{"a":"1"}}`))}),
		step("cluster/secret", "", nil, plan.Apply{Object: hosts.ObjectKey{APIVersion: "v1", Kind: "Secret", Name: "a"}, Content: contents.Put([]byte(`{"kind":"Secret"}`))}),
	}}
	r := onePlanned()
	r.plan = func(*Session, phases.Input) (plan.Plan, plan.Contents, error) { return made, contents, nil }
	return s, r
}

func TestDifferencesOfAPlansSteps(t *testing.T) {
	s, r := differing(t)
	ready, err := s.planned(r)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]struct {
		lines, note string
		secret      bool
	}{
		"cp-1/a":         {lines: " one|-two\\u001b[2J|+2| three"},
		"cp-1/new":       {lines: "+x"},
		"cp-1/key":       {secret: true},
		"cp-1/x":         {},
		"cluster/map":    {lines: "+data:|+  a: \"1\"|+kind: ConfigMap", note: "no API server answered when the plan was made: what is there is not known"},
		"cluster/secret": {secret: true},
	} {
		change, err := s.Difference(t.Context(), ready, id)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, line := range change.Lines {
			lines = append(lines, line.String())
		}
		if got := strings.Join(lines, "|"); got != want.lines || change.Note != want.note || change.Secret != want.secret || change.Deed == "" || change.Why != "absent" {
			t.Errorf("%s: %q, %+v", id, got, change)
		}
		if text, err := json.Marshal(change); err != nil || strings.Contains(string(text), "PRIVATE") {
			t.Errorf("%s: %s, %v", id, text, err)
		}
	}
	if _, err := s.Difference(t.Context(), ready, "cp-1/b"); err == nil || err.Error() != "compare what cp-1/b would write: the plan has no such step" {
		t.Errorf("a step that there is not: %v", err)
	}
	delete(ready.ways.hosts, "cp-1")
	if _, err := s.Difference(t.Context(), ready, "cp-1/a"); err == nil || !strings.Contains(err.Error(), "read /etc/a on cp-1: the host is not connected") {
		t.Errorf("a host that is gone: %v", err)
	}
}

// TestDifferencesWhileARunGoesOn: they are asked for while the front end is asked, and go on while
// the run changes the session. The race detector judges.
func TestDifferencesWhileARunGoesOn(t *testing.T) {
	s, r := differing(t)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	first := make(chan struct{})
	front := &fake{answer: true, plan: func(ready Prepared) {
		asking.Go(func() {
			tell := sync.OnceFunc(func() { close(first) })
			for ctx.Err() == nil {
				if _, err := s.Difference(ctx, ready, "cp-1/a"); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				tell()
			}
		})
		<-first
	}}
	s.front = front
	whole := r.plan
	r.plan = func(s *Session, in phases.Input) (plan.Plan, plan.Contents, error) {
		made, contents, err := whole(s, in)
		made.Steps = slices.DeleteFunc(slices.Clone(made.Steps), func(step plan.Step) bool { return step.Host == "" }) // there is no API
		return made, contents, err
	}
	if err := s.Run(t.Context(), r); err != nil {
		t.Error(err)
	}
	delete(s.hosts, "cp-1")
	stop()
	asking.Wait()
}

func TestReducedToWhatIsApplied(t *testing.T) {
	live := `{"metadata":{"name":"a","uid":"1"},"data":{"a":"1","b":"2"},"list":[{"name":"x","v":1,"more":2},{"name":"z"}],"plain":[1,2,3],"kind":"K"}`
	want := `{"metadata":{"name":"a"},"data":{"a":"2","c":"3"},"list":[{"name":"y","v":1},{"name":"x","v":2}],"plain":[1,2],"kind":"K"}`
	left, err := decodeJSON([]byte(live))
	if err != nil {
		t.Fatal(err)
	}
	right, err := decodeJSON([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	got, err := inYAML(reduced(left, right))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("data:\n  a: \"1\"\nkind: K\nlist:\n- name: x\n  v: 1\n- name: z\nmetadata:\n  name: a\nplain:\n- 1\n- 2\n- 3\n", got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
