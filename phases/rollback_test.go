package phases

import (
	"fmt"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// TestARollbackLeadsBackFromWhereverAnUpgradeStopped: hosts have what they had, byte for byte, and
// keep nothing more; cut anywhere, the next rollback is the rest.
func TestARollbackLeadsBackFromWhereverAnUpgradeStopped(t *testing.T) {
	for _, s := range []shape{
		{mode: cluster.EndpointVIP, planes: 3, workers: 2},
		{mode: cluster.EndpointControlPlane, planes: 1, workers: 1},
		{mode: cluster.EndpointLoadBalancers, planes: 3, spares: 2},
	} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			whole := newWorldOf(t, s)
			whole.init(seeded(1))
			was := map[string]string{}
			for name, machine := range whole.machines {
				for _, path := range staticPods {
					content, _, _ := machine.ReadFile(path)
					was[name+path] = string(content)
				}
			}
			whole.nextBundle()
			whole.upgrading = true
			first, _ := whole.planned(Upgrade)
			for cut := 5; cut <= len(first.Steps); cut += 43 {
				w := whole.clone(t)
				p, contents := w.planned(Upgrade)
				w.run(p, contents, seeded(uint64(cut)), cut)
				w.goBack()
				p, contents = w.planned(Rollback)
				w.run(p, contents, seeded(uint64(cut)), len(p.Steps)/2)
				w.rest(Rollback)
				again, _ := w.planned(Rollback)
				wantEmpty(t, again)
				for name, machine := range w.machines {
					for _, path := range staticPods {
						if content, _, _ := machine.ReadFile(path); string(content) != was[name+path] {
							t.Errorf("cut after %d: %s is not as it was on %s", cut, path, name)
						}
					}
					if host, _ := w.cluster.Host(name); host.IsNode() && (w.inForce(name) != testVersion || w.kubelets[name] != versionOf(testVersion)) {
						t.Errorf("cut after %d: %s has %s, its kubelet %s", cut, name, w.inForce(name), w.kubelets[name])
					}
					if len(w.look(name, hosts.Query{}).Kept) > 0 {
						t.Errorf("cut after %d: %s still keeps what is in force", cut, name)
					}
				}
				for name, node := range w.nodes {
					if node.Unschedulable {
						t.Errorf("cut after %d: %s is cordoned", cut, name)
					}
				}
			}
		})
	}
}
