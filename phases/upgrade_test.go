package phases

import (
	"fmt"
	"testing"

	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestAnUpgradeIsStagedAndThenGoesHostByHost: nothing changes on any host before all have the version,
// and each host is drained before it changes and uncordoned when it is well.
func TestAnUpgradeIsStagedAndThenGoesHostByHost(t *testing.T) {
	w := newWorld(t, 3, 3)
	w.init(seeded(1))
	w.nextBundle()
	w.upgrading = true
	p, contents := w.planned(Upgrade)
	before := plan.Predecessors(p)
	for _, step := range p.Steps {
		if step.Host == "" || stages(step) {
			continue
		}
		for _, staged := range p.Steps {
			if stages(staged) && !reaches(before, step.ID, staged.ID) {
				t.Fatalf("%s does not wait for %s", step.ID, staged.ID)
			}
		}
	}
	names := []string{"cp-1", "cp-2", "cp-3", "w-1", "w-2", "w-3"}
	for _, host := range names {
		uncordon := fmt.Sprintf("cluster/upgrade/%s/uncordon", host)
		drain := fmt.Sprintf("cluster/upgrade/%s/drain", host)
		kubelet := host + "/kubelet/" + manifests.KubeletUnit
		activate := host + "/activate/node"
		for _, pair := range [][2]string{{kubelet, drain}, {activate, drain}, {uncordon, "cluster/wait-node/" + host}} {
			if !reaches(before, pair[0], pair[1]) {
				t.Errorf("%s does not wait for %s", pair[0], pair[1])
			}
		}
	}
	w.run(p, contents, seeded(2), -1)
	again, _ := w.planned(Upgrade)
	wantEmpty(t, again)
	again, _ = w.planned(Init)
	wantEmpty(t, again)
}
