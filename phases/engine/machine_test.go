package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// onMachines is a small plan for machines that really apply it, in memory.
func onMachines(contents plan.Contents, names ...string) plan.Plan {
	p := plan.Plan{Workflow: "init"}
	for _, name := range names {
		conf := contents.Put([]byte("host " + name))
		key := contents.PutSecret([]byte("the cluster's"), []byte("key of "+name))
		p.Steps = append(
			p.Steps,
			plan.Step{ID: name + "/files/dir", Phase: "files", Host: name, Lane: work, Action: hosts.MakeDirectory{Path: "/etc/kubernetes", Mode: 0o755}},
			plan.Step{ID: name + "/files/conf", Phase: "files", Host: name, Lane: work, Action: hosts.WriteFile{Path: "/etc/kubernetes/conf", Mode: 0o644, Content: conf}},
			plan.Step{ID: name + "/files/key", Phase: "files", Host: name, Lane: work, Action: hosts.WriteFile{Path: "/etc/kubernetes/key", Mode: 0o600, Content: key, Secret: true}},
		)
	}
	return p
}

func TestRunOnMachinesIsUnchangedTheSecondTime(t *testing.T) {
	contents := plan.Contents{}
	p := onMachines(contents, "a", "b")
	machines := map[string]*hosttest.Fake{"a": hosttest.NewFake("a"), "b": hosttest.NewFake("b")}
	for round, want := range []hosts.Result{hosts.Changed, hosts.Unchanged} {
		options, closeAll := open(machines, contents)
		var journal strings.Builder
		options.Journal = &journal
		options.Events = func(event plan.Event) {
			if event.Type == plan.EventStepFinished && event.Result != want {
				t.Errorf("round %d: %s is %s, should be %s", round, event.Step, event.Result, want)
			}
		}
		if err := engine.Apply(t.Context(), p, options); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(journal.String(), "key of") {
			t.Error("the journal holds a secret")
		}
		closeAll()
	}
	for name, machine := range machines {
		if content, mode, _ := machine.ReadFile("/etc/kubernetes/key"); string(content) != "key of "+name || mode != 0o600 {
			t.Errorf("%s has %q %o", name, content, mode)
		}
	}
}

func TestRunGoesOnWhereItWasCut(t *testing.T) {
	contents := plan.Contents{}
	p := onMachines(contents, "a", "b")
	for cut := range len(p.Steps) {
		machines := map[string]*hosttest.Fake{"a": hosttest.NewFake("a"), "b": hosttest.NewFake("b")}
		broken := true
		machines[p.Steps[cut].Host].Before = func(_ context.Context, action hosts.Action) error {
			if broken && action == p.Steps[cut].Action {
				return &hosts.Error{Kind: hosts.KindCut, Op: "hear from the agent", Err: errors.New("EOF")}
			}
			return nil
		}
		options, closeAll := open(machines, contents)
		var run *engine.RunError
		if err := engine.Apply(t.Context(), p, options); !errors.As(err, &run) || run.Failed[0].Step != p.Steps[cut].ID {
			t.Fatalf("%s should have failed: %v", p.Steps[cut].ID, err)
		}
		closeAll()
		broken = false
		options, closeAll = open(machines, contents)
		if err := engine.Apply(t.Context(), p, options); err != nil {
			t.Fatal(err)
		}
		closeAll()
		for name, machine := range machines {
			if content, _, _ := machine.ReadFile("/etc/kubernetes/key"); string(content) != "key of "+name {
				t.Errorf("cut at %s: %s has %q", p.Steps[cut].ID, name, content)
			}
		}
	}
}

// open connects to machines; the answer's second part closes them, as the end of a command does.
func open(machines map[string]*hosttest.Fake, contents plan.Contents) (engine.Options, func()) {
	all := map[string]hosts.Host{}
	for name, machine := range machines {
		all[name] = machine.Host()
	}
	return engine.Options{Hosts: all, Content: contents.Blob, Holder: "kim@desk"}, func() {
		for _, host := range all {
			_ = host.Close()
		}
	}
}
