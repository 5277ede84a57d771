package phases

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
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

// TestHostsSettingsAloneNeedNoBundle: nothing of the bundle is put there, init goes on from it, and a reset puts back
// what was.
func TestHostsSettingsAloneNeedNoBundle(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.cluster.Prepare = asked
	for _, machine := range w.machines {
		machine.Edit(func(f *hosts.Facts) {
			f.Firewall, f.FirewallState.DefaultZone, f.SELinux = hosts.Firewalld, "public", "enforcing"
			f.TimeSettings.Service = "chrony.service"
		})
	}
	bare := w.machine("w-1")
	alone := func(in Input) (plan.Plan, plan.Contents, error) {
		in.HostsOnly, in.Bill = true, bundle.Bill{}
		for _, found := range checks.Errors(checks.Preflight(view.Prepare, in.View)) {
			t.Errorf("found: %v", found)
		}
		return Prepare(in)
	}
	p, contents := w.planned(alone)
	for _, step := range p.Steps {
		if step.Phase != plan.PhasePrepare && step.Phase != plan.PhaseTidy {
			t.Errorf("%s: %s", step.ID, plan.Describe(step))
		}
	}
	for _, thing := range []string{"claim", "firewall", "selinux", "swap", "hostname", "time-zone", "ntp", "etc/sysctl.d/99-slipway.conf", "hosts/10.0.0.1/cp-1"} {
		if !slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.ID == "w-1/prepare/"+thing }) {
			t.Errorf("nothing is done about %s", thing)
		}
	}
	w.run(p, contents, seeded(1), -1)
	p, _ = w.planned(alone)
	wantEmpty(t, p)
	w.init(seeded(1))
	p, _ = w.planned(alone)
	wantEmpty(t, p)
	w.all(resetting())
	if after := w.machine("w-1"); after != bare {
		t.Errorf("w-1 is not what it was:\n%s", difference(bare, after))
	}
}
