package phases

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestPrepareStagesANewVersionOnARunningCluster, whatever version the file says, and does nothing else
// there: the upgrade has nothing left to bring.
func TestPrepareStagesANewVersionOnARunningCluster(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 3, workers: 1, spares: 2})
	w.init(seeded(1))
	w.nextBundle()
	next := w.cluster.KubernetesVersion
	w.cluster.KubernetesVersion = versionOf(testVersion) // as the file says until the upgrade
	p, contents := w.planned(Prepare)
	staged := map[string]bool{}
	for _, step := range p.Steps {
		if staged[step.Host] = true; !stages(step) && !does[hosts.TidyStore](step) {
			t.Errorf("%s is more than to stage", step.ID)
		}
	}
	if len(staged) != len(w.nodes) { // for load balancers the bundle has nothing new
		t.Errorf("it is staged on %v", staged)
	}
	w.run(p, contents, seeded(2), len(p.Steps)/3)
	w.all(Prepare)
	p, _ = w.planned(Prepare)
	wantEmpty(t, p)
	w.cluster.KubernetesVersion, w.upgrading = next, true
	p, contents = w.planned(Upgrade)
	if at := slices.IndexFunc(p.Steps, stages); at >= 0 {
		t.Errorf("%s is left to stage", p.Steps[at].ID)
	}
	w.run(p, contents, seeded(3), -1)
	for _, workflow := range []workflow{Upgrade, Prepare} {
		p, _ = w.planned(workflow)
		wantEmpty(t, p)
	}
}

// TestAHostThatIsToJoinIsPreparedWithTheFilesVersion: beside hosts where another is staged too.
func TestAHostThatIsToJoinIsPreparedWithTheFilesVersion(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	comes := w.add(2).Name
	w.nextBundle()
	p, _ := w.planned(Prepare) // the file says no version: it means the bundle's
	if !slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.ID == comes+"/activate/node" }) {
		t.Errorf("%s is not prepared", comes)
	}
	w.cluster.KubernetesVersion = versionOf(testVersion)
	in := w.observe()
	if _, _, err := Prepare(in); err == nil {
		t.Error("it is prepared for another version than the file's")
	}
	in.Hosts = []string{"cp-1", "w-1"}
	if _, _, err := Prepare(in); err != nil {
		t.Errorf("those of the cluster: %v", err)
	}
}
