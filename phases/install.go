package phases

import (
	"fmt"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// renderHosts renders what the workflow's hosts should be, and begins each one's part of the plan.
func (d *draft) renderHosts() {
	input, err := d.in.manifests()
	if err != nil {
		d.fail(err)
		return
	}
	for _, host := range d.in.Targets(d.in.Workflow) {
		if d.in.Workflow.ChangesVersion() && !d.in.ClusterFacts.Reachable && !host.HasRole(cluster.RoleControlPlane) {
			continue // without an API server no Pod goes elsewhere: this host's turn is the next run's
		}
		if _, seen := d.in.Facts[host.Name]; !seen {
			d.fail(&checks.Refused{Findings: []checks.Finding{checks.Unreached(d.in.View, host.Name)}})
			return
		}
		render := manifests.Host
		if d.in.HostsOnly {
			render = manifests.HostSettings
		}
		state, err := render(input, host.Name)
		if err != nil {
			d.fail(fmt.Errorf("render %s: %w", host.Name, err))
			return
		}
		h := d.forHost(host, state)
		if !d.in.HostsOnly {
			h.keepInitialCluster(input)
			h.findReseeds()
		}
		d.begin(h)
	}
}

// renderCluster renders what the cluster should hold.
func (d *draft) renderCluster() {
	input, err := d.in.manifests()
	if err == nil {
		d.objects, err = manifests.ClusterObjects(input)
	}
	if err != nil {
		d.fail(fmt.Errorf("render the cluster's objects: %w", err))
	}
}

// install brings one host to where its static Pods can be written and its kubelet can be
// started, and starts its haproxy.
func (h *hostDraft) install() {
	h.claim()
	h.openFirewall()
	h.policyModule()
	h.directories()
	h.prepare()
	h.binaries()
	h.writeFiles(h.base(), plan.PhaseContainerd, plan.PhasePrepare)
	h.pruneRegistries()
	h.startContainerd()
	h.writeFiles(h.base(), plan.PhaseCerts, plan.PhaseLoadBalancer, plan.PhaseKubeconfig, plan.PhaseEtcd, plan.PhaseControlPlane, plan.PhaseKubelet)
	h.loadImages()
	h.startHAProxy()
}

// prepareSettings sets the host's own settings, and puts nothing there that comes from a bundle.
func (h *hostDraft) prepareSettings() {
	h.claim()
	h.openFirewall()
	h.policyModule()
	h.prepare()
	h.writeFiles(h.base(), plan.PhasePrepare)
	h.tidy()
}

// installControlPlanes brings control planes to where their static Pods can be written, and lets
// their members of etcd begin.
func (d *draft) installControlPlanes() {
	for _, h := range d.planes {
		h.install()
		h.letBegin(manifests.StateNew, nil)
	}
}

// installBalancers brings up the hosts that only balance.
func (d *draft) installBalancers() {
	for _, h := range d.balancers {
		h.install()
		h.startKeepalived(nil)
		h.tidy()
	}
}

// beginHosts begins the parts of hosts that are only taken away from.
func (d *draft) beginHosts() {
	for _, host := range d.in.Targets(d.in.Workflow) {
		d.begin(d.forHost(host, manifests.HostState{}))
	}
}
