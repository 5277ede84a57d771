package phases

import (
	"fmt"
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestOnlyWhatIsLeftInTheClusterMaySettle: while an API server is started anew a plan has much to
// do in the cluster and nothing on a host; a host's own trouble does not pass by itself.
func TestOnlyWhatIsLeftInTheClusterMaySettle(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	in := w.observe()
	in.ClusterFacts = hosts.ClusterFacts{Cause: "connection refused", Members: in.ClusterFacts.Members}
	p, _, err := Init(in)
	if err != nil || p.Empty() || !MaySettle(p) {
		t.Errorf("a silent API server: %v, left to do %q", err, changes(p))
	}
	w.act("w-1", hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
	if p, _ = w.planned(Init); MaySettle(p) {
		t.Errorf("a kubelet that does not run may come by itself: %q", changes(p))
	}
}

// TestANodeThatCannotComeBackIsNotWaitedFor: a worker's kubelet that runs on reaches the API by
// the virtual address alone. Where no host has it any more, and none comes to, its node is not
// waited for; where one host may have it, it is, whatever becomes of the others.
func TestANodeThatCannotComeBackIsNotWaitedFor(t *testing.T) {
	for stopped, want := range map[int]bool{2: false, 3: true} {
		w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
		w.init(seeded(1))
		starts := map[string]bool{}
		for i := range stopped {
			name := fmt.Sprintf("cp-%d", i+1)
			w.act(name, hosts.SetUnit{Name: manifests.KeepalivedUnit, Enabled: true})
			starts[name+"/load-balancer/"+manifests.KeepalivedUnit] = true
		}
		in := w.observe()
		for i := range in.ClusterFacts.Nodes {
			in.ClusterFacts.Nodes[i].Ready = in.ClusterFacts.Nodes[i].Name != "w-1"
		}
		p, _, err := Init(in)
		if err != nil {
			t.Fatal(err)
		}
		waits := false
		for _, step := range p.Steps {
			if step.ID != "cluster/wait-node/w-1" {
				continue
			}
			waits = slices.ContainsFunc(step.After, func(d plan.Dependency) bool {
				return d.Any && len(d.Steps) == len(starts) && !slices.ContainsFunc(d.Steps, func(id string) bool { return !starts[id] })
			})
		}
		if at(p, "/wait-node/w-1") < 0 || waits != want {
			t.Errorf("with keepalived stopped on %d hosts, that the node waits for it is %t", stopped, waits)
		}
	}
}
