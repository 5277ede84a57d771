package phases

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
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
			was, images := map[string]string{}, map[string]map[string]string{}
			for name, machine := range whole.machines {
				images[name] = maps.Clone(machine.Record().Bundled)
				for _, path := range staticPods {
					content, _, _ := machine.ReadFile(path)
					was[name+path] = string(content)
				}
			}
			whole.nextBundle()
			whole.upgrading = true
			first, _ := whole.planned(Upgrade)
			for cut := 5; cut <= len(first.Steps); cut += 43 * upgradeCuts {
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
					if diff := cmp.Diff(images[name], machine.Record().Bundled); diff != "" {
						t.Errorf("cut after %d: images of %s (-before +now):\n%s", cut, name, diff)
					}
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

// TestARollbackThatStopsBeforeAHostsFirstChangeUncordonsIt: what has its Pods elsewhere, and nothing changed yet,
// is no node that is lost until the next run.
func TestARollbackThatStopsBeforeAHostsFirstChangeUncordonsIt(t *testing.T) {
	whole := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 2})
	whole.beforeUpgrade()
	whole.all(Upgrade)
	whole.goBack()
	p, _ := whole.planned(Rollback)
	stopped := 0
	for i, step := range p.Steps {
		if !does[plan.Drain](step) && !removesBill(step) {
			continue
		}
		stopped++
		w := whole.clone(t)
		w.query = nil
		p, contents := w.planned(Rollback)
		w.runFailing(p, contents, seeded(uint64(i)), step.ID)
		for name, node := range w.nodes {
			if node.Unschedulable {
				t.Errorf("%s failed, and %s is still cordoned", step.ID, name)
			}
		}
		w.rest(Rollback)
		again, _ := w.planned(Rollback)
		wantEmpty(t, again)
	}
	if stopped < 10 {
		t.Errorf("only %d steps of the rollback drain a node or begin its change", stopped)
	}
}

// TestAnUpgradeGoesForwardAgainFromWhereverARollbackStopped: etcd's downgrade is ended, or it
// would stay what the older version is, and in the end all is new.
func TestAnUpgradeGoesForwardAgainFromWhereverARollbackStopped(t *testing.T) {
	for _, s := range []shape{
		{mode: cluster.EndpointVIP, planes: 3, workers: 1},
		{mode: cluster.EndpointControlPlane, planes: 1, workers: 1},
	} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			whole := newWorldOf(t, s)
			whole.beforeUpgrade()
			whole.all(Upgrade)
			whole.goBack()
			first, _ := whole.planned(Rollback)
			ended := 0
			for cut := 1; cut < len(first.Steps); cut += 7 * upgradeCuts {
				w := whole.clone(t)
				w.query = nil
				p, contents := w.planned(Rollback)
				w.run(p, contents, seeded(uint64(cut)), cut)
				w.nextBundle()
				w.back, w.backFrom, w.kept = nil, "", nil
				begun := w.etcd.downgrade != ""
				p, contents = w.planned(Upgrade)
				for _, step := range p.Steps {
					if end, is := step.Cluster.(plan.EtcdDowngrade); is && end.Version == "" {
						ended++
						begun = false
					}
				}
				if begun {
					t.Errorf("cut after %d: etcd's downgrade is not ended", cut)
				}
				w.run(p, contents, seeded(uint64(cut)), -1)
				w.rest(Upgrade)
				again, _ := w.planned(Upgrade)
				wantEmpty(t, again)
				for name := range w.machines {
					if host, _ := w.cluster.Host(name); host.IsNode() && (w.inForce(name) != nextVersion || w.kubelets[name] != versionOf(nextVersion)) {
						t.Errorf("cut after %d: %s has %s, its kubelet %s", cut, name, w.inForce(name), w.kubelets[name])
					}
				}
				for host, version := range w.etcd.versions {
					if version != "3.7" || w.etcd.storage != "3.7" || w.etcd.downgrade != "" {
						t.Errorf("cut after %d: etcd on %s is %s, stores as %s, ready for %q", cut, host, version, w.etcd.storage, w.etcd.downgrade)
					}
				}
			}
			if ended == 0 {
				t.Error("no rollback was cut while etcd was ready for the older version")
			}
		})
	}
}
