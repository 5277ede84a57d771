package phases

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// run carries a plan out in one legal interleaving, chosen by chance from a fixed seed,
// and stops after as many steps as asked, or at the end where that is negative. Steps in
// the middle of a cut are not lost: the next plan has to find out.
func (w *world) run(p plan.Plan, contents plan.Contents, chance *rand.Rand, steps int) {
	w.t.Helper()
	if err := plan.Validate(p); err != nil {
		w.t.Fatal(err)
	}
	for _, step := range p.Steps {
		if step.Subject == (plan.Subject{}) || step.Host != "" && step.Subject.Host != step.Host {
			w.t.Fatalf("step %s is about %+v", step.ID, step.Subject)
		}
	}
	p.Steps = keep(p.Steps, func(step plan.Step) bool { return !step.IsRescue() }) // nothing fails
	done := map[string]bool{}
	for steps != 0 && len(done) < len(p.Steps) {
		open := w.enabled(p, done)
		if len(open) == 0 {
			w.t.Fatalf("the plan stands still: %v", left(p, done))
		}
		step := open[chance.IntN(len(open))]
		quorate, deafBefore := w.quorate(), w.deaf() // as of a host that boots after its removal
		w.do(step, contents)
		if quorate && !w.quorate() && !w.ends(p) && !stops(p) && !w.isSmall() {
			w.t.Fatalf("step %s costs etcd its quorum", step.ID)
		}
		if deaf := w.deaf(); deaf != "" && deafBefore == "" {
			w.t.Fatalf("after step %s %s", step.ID, deaf)
		}
		done[step.ID] = true
		steps--
	}
	w.settle()
}

// ends tells whether a plan is the end of every control plane.
func (w *world) ends(p plan.Plan) bool {
	for _, host := range w.cluster.ControlPlanes() {
		if !slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.ID == host.Name+"/cleanup-node/pods" }) && w.machines[host.Name].Record() != nil {
			return false
		}
	}
	return p.Workflow == string(view.Reset)
}

// stops tells whether a plan ends all that the cluster runs: what is stopped first is missed.
func stops(p plan.Plan) bool { return p.Workflow == string(view.Stop) }

// isSmall tells whether etcd has a quorum only with every member: a reboot then takes it away for a while.
func (w *world) isSmall() bool { return w.rebooting && len(w.etcd.members) < 3 }

func (w *world) enabled(p plan.Plan, done map[string]bool) []plan.Step {
	type lane struct{ host, name string }
	busy := map[lane]bool{}
	var open []plan.Step
	for _, step := range p.Steps {
		at := lane{step.Host, step.Lane}
		if done[step.ID] || busy[at] {
			continue
		}
		busy[at] = true
		if ready(step, done) && w.may(step) {
			open = append(open, step)
		}
	}
	return open
}

func ready(step plan.Step, done map[string]bool) bool {
	for _, dependency := range step.After {
		count := 0
		for _, id := range dependency.Steps {
			if done[id] {
				count++
			}
		}
		if count == 0 || !dependency.Any && count < len(dependency.Steps) {
			return false
		}
	}
	return true
}

func left(p plan.Plan, done map[string]bool) []string {
	var ids []string
	for _, step := range p.Steps {
		if !done[step.ID] {
			ids = append(ids, step.ID)
		}
	}
	return ids
}

// init plans and carries out a whole init.
func (w *world) init(chance *rand.Rand) {
	w.t.Helper()
	p, contents := w.planned(Init)
	w.run(p, contents, chance, -1)
}

// all plans and carries out all of a workflow.
func (w *world) all(workflow workflow) {
	w.t.Helper()
	p, contents := w.planned(workflow)
	w.run(p, contents, seeded(2), -1)
}

type workflow func(Input) (plan.Plan, plan.Contents, error)

func (w *world) planned(workflow workflow) (plan.Plan, plan.Contents) {
	w.t.Helper()
	p, contents, err := workflow(w.observe())
	if err != nil {
		w.t.Fatal(err)
	}
	return p, contents
}

func wantEmpty(t *testing.T, p plan.Plan) {
	t.Helper()
	if !p.Empty() {
		t.Fatalf("the plan should be empty, it is\n%s", plan.Text(p))
	}
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }
