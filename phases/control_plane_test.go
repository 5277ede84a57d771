package phases

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// turns are the steps by which controllers wait for their turn.
func turns(p plan.Plan) []string {
	var ids []string
	for _, step := range p.Steps {
		if _, waits := step.Cluster.(plan.WaitTurn); waits {
			ids = append(ids, step.ID)
		}
	}
	return ids
}

func TestControllersWaitForTheirTurnAfterTheirOwnAPI(t *testing.T) {
	w := newWorld(t, 3, 1)
	p, contents := w.planned(Init)
	if got := turns(p); !slices.Equal(got, []string{"cluster/wait-turn/cp-2", "cluster/wait-turn/cp-3"}) {
		t.Fatalf("turns: %q", got)
	}
	for _, step := range p.Steps {
		wait, is := step.Cluster.(plan.WaitTurn)
		if !is {
			continue
		}
		if len(step.After) != 1 || step.After[0].Any || len(step.After[0].Steps) != 1 || step.After[0].Steps[0] != "cluster/wait-control-plane/"+wait.Host {
			t.Errorf("%s is after %v, and not after its own API server only", step.ID, step.After)
		}
		before := plan.Predecessors(p)
		for _, name := range []string{"controller-manager", "scheduler"} {
			if id := wait.Host + "/control-plane/etc/kubernetes/manifests/kube-" + name + ".yaml"; !reaches(before, id, step.ID) {
				t.Errorf("%s does not wait for its turn", id)
			} else if reaches(before, id, "cluster/wait-control-plane/cp-1") {
				t.Errorf("%s never starts where the first control plane is broken", id)
			}
		}
		if id := "cluster/wait-node/" + wait.Host; reaches(before, id, step.ID) {
			t.Errorf("%s waits for a turn", id)
		}
	}
	w.run(p, contents, seeded(1), -1)
	if p, _ = w.planned(Init); len(turns(p)) > 0 {
		t.Errorf("turns where all controllers run: %q", turns(p))
	}
	w.act("cp-1", hosts.RemovePath{Path: manifests.APIServerManifest})
	if p, _ = w.planned(Init); at(p, "cluster/wait-control-plane/cp-1") < 0 || len(turns(p)) > 0 {
		t.Errorf("turns where only an API server starts: %q, in\n%s", turns(p), plan.Text(p))
	}
}

func TestTheStrongestControlPlanesControllersStartFirst(t *testing.T) {
	w := newWorld(t, 3, 0)
	w.machines["cp-2"].Edit(func(f *hosts.Facts) { f.CPUs = 64 })
	p, _ := w.planned(Init)
	if got := turns(p); !slices.Equal(got, []string{"cluster/wait-turn/cp-1", "cluster/wait-turn/cp-3"}) {
		t.Errorf("turns: %q", got)
	}
}

func TestNoTurnsWhereThereIsNothingToWaitFor(t *testing.T) {
	p, _ := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 1, workers: 1}).planned(Init)
	if got := turns(p); len(got) > 0 {
		t.Errorf("the only control plane waits for a turn: %q", got)
	}
	w := newWorld(t, 3, 0)
	w.cluster.Networking.AddOn = cluster.AddOnNone
	if p, _ = w.planned(Init); len(turns(p)) > 0 {
		t.Errorf("turns that no node's readiness ends: %q", turns(p))
	}
}
