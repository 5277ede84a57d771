package phases

import (
	"fmt"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// draftHosts renders what the hosts should be and begins each one's part of the plan.
func (d *draft) draftHosts(targets []cluster.Host) ([]*hostDraft, error) {
	input, err := d.in.manifests()
	if err != nil {
		return nil, err
	}
	var drafts []*hostDraft
	for _, host := range targets {
		if _, seen := d.in.Facts[host.Name]; !seen {
			return nil, &Refused{Problems: []Problem{d.in.unreached(host.Name)}}
		}
		state, err := manifests.Host(input, host.Name)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", host.Name, err)
		}
		h := d.forHost(host, state)
		if err := h.keepInitialCluster(input); err != nil {
			return nil, err
		}
		h.findReseeds()
		drafts = append(drafts, h)
	}
	return drafts, nil
}

// renderCluster renders what the cluster should hold.
func (d *draft) renderCluster() (manifests.ClusterState, error) {
	input, err := d.in.manifests()
	if err != nil {
		return manifests.ClusterState{}, err
	}
	state, err := manifests.ClusterObjects(input)
	if err != nil {
		return manifests.ClusterState{}, fmt.Errorf("render the cluster's objects: %w", err)
	}
	return state, nil
}

// install brings one host to where its static Pods can be written and its kubelet can be
// started, and starts its haproxy.
func (h *hostDraft) install() {
	h.claim()
	h.directories()
	h.prepare()
	h.binaries()
	h.writeFiles(plan.PhaseContainerd, plan.PhasePrepare)
	h.removeStale()
	h.startContainerd()
	h.writeFiles(plan.PhaseCerts, plan.PhaseLoadBalancer, plan.PhaseKubeconfig, plan.PhaseEtcd, plan.PhaseControlPlane, plan.PhaseKubelet)
	h.loadImages()
	h.startHAProxy()
}
