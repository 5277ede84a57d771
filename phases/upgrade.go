package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Upgrade plans to bring a cluster that is at work to the bundle's version: first all of it is
// staged on every host, beside what runs; then the control planes change, one after another; then
// what runs in the cluster; and then the workers, each drained. What an interrupted upgrade left
// is the rest.
func Upgrade(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Upgrade, upgradePhases...)
}

var upgradePhases = []func(*draft){
	(*draft).nameBundle,
	(*draft).renderCluster,
	(*draft).spareMissing,
	(*draft).renderHosts,
	(*draft).installControlPlanes,
	(*draft).quitAPIServers,
	(*draft).upgradeControlPlanes,
	(*draft).installBalancers,
	(*draft).joinWorkers,
	(*draft).awaitEndpoints,
	(*draft).applyAddons,
	(*draft).uploadConfig,
	(*draft).bootstrapTokens,
	(*draft).awaitNodes,
	(*draft).makeRoom,
	(*draft).leaveOut,
	(*draft).upgradeInTurn,
	(*draft).markNodes,
	(*draft).awaitAddons,
	(*draft).pruneObjects,
	(*draft).forgetOld,
	(*draft).pruneHosts,
	(*draft).putBackWhatFails,
	(*draft).pauseInTurn,
}

// nameBundle names the bundle that is coming: by that a host knows what it keeps for it.
func (d *draft) nameBundle() {
	id, err := d.in.Bill.ID()
	if err != nil {
		d.fail(err)
		return
	}
	d.bundleID = id
}

// upgradeControlPlanes writes all static Pods of a control plane at once, before its kubelet starts
// anew: another one's controllers lead meanwhile.
func (d *draft) upgradeControlPlanes() {
	for _, h := range d.planes {
		all := func(string) bool { return true }
		h.writePods(all, h.quorumInTurn())
		h.startKubelet(nil)
		h.awaitPods("servers", isServer)
		h.awaitServing()
		h.awaitAPI()
		h.awaitPods("clients", isClient)
		h.startKeepalived(nil)
		h.tidy()
	}
}

// quitGrace is how long, in seconds, an API server that leaves has to bring to their end what its
// clients asked for. Watches end only with it.
const quitGrace = 3

// quitAPIServers ends, on control planes whose etcd starts anew, the API server first: it goes by
// that member alone, and would keep its clients' requests waiting. One that ends leaves the
// balancers, lets what is under way come to its end and sends its clients elsewhere.
func (d *draft) quitAPIServers() {
	for _, h := range d.planes {
		if h.restartsEtcd() && h.hadPod(manifests.APIServerManifest) && h.rewrites(manifests.APIServerManifest) {
			h.quitAPIServer()
		}
	}
}

func (h *hostDraft) quitAPIServer() {
	const name = "quit"
	why := "its etcd starts anew: clients go to another API server first"
	h.step(plan.PhaseControlPlane, trimmed(manifests.APIServerManifest)+"/"+name, plan.LaneWork, plan.Remove, why,
		hosts.RemovePath{Path: manifests.APIServerManifest}, h.base())
	h.step(plan.PhaseControlPlane, hosts.ComponentAPIServer+"/"+name, plan.LaneWork, "", why,
		hosts.StopPods{Only: []string{hosts.ComponentAPIServer + "-" + h.host.Name}, Grace: quitGrace})
}

// restartsEtcd tells whether the host's member of etcd ran before and is changed.
func (h *hostDraft) restartsEtcd() bool {
	return h.hadPod(manifests.EtcdManifest) && h.rewrites(manifests.EtcdManifest)
}

// makeRoom has each host, before it changes, keep what is in force there; each node's Pods run
// elsewhere while its kubelet or containerd starts anew; and an etcd that does hands its leadership over.
func (d *draft) makeRoom() {
	for _, h := range d.drafts {
		if !h.makes(h.changesVersion) && !h.rewrites(manifests.BillFile) {
			continue
		}
		waits := join(h.keepVersion(), h.moveLeader())
		if _, there := h.in.Node(h.host.Name); there && h.restartsKubelet() {
			waits = join(waits, h.drainForUpgrade(waits))
		}
		h.beforeItsSteps(join(waits, h.noteBundle(waits)))
	}
	for _, h := range d.nodes() {
		h.uncordon()
	}
}

// putBackWhatFails has what was in force put back on a host where its change fails.
func (d *draft) putBackWhatFails() {
	for _, h := range d.drafts {
		if failing := h.made(removesBill, h.changesVersion, awaitsAPI, does[plan.WaitPods], does[plan.WaitNode], does[plan.WaitEndpoint]); h.makes(h.changesVersion) {
			h.putVersionBack(failing)
		}
	}
}

// moveLeader has another member lead, where the host's own starts anew.
func (h *hostDraft) moveLeader() []string {
	if !h.restartsEtcd() || len(view.Voting(h.in.ClusterFacts.Members)) < 2 {
		return nil
	}
	return []string{h.add(plan.Step{
		ID: clusterID(plan.PhaseUpgrade, h.host.Name, "move-leader"), Phase: plan.PhaseUpgrade, Lane: string(plan.PhaseUpgrade) + "/" + h.host.Name,
		Why: "its etcd starts anew, and the others need no election then", Change: plan.Update,
		Subject: plan.Subject{Member: h.host.Name}, Cluster: plan.MoveLeader{From: h.host.Name},
	})}
}

func (h *hostDraft) drainForUpgrade(waits []string) []string {
	return []string{h.add(plan.Step{
		ID: clusterID(plan.PhaseUpgrade, h.host.Name, "drain"), Phase: plan.PhaseUpgrade, Lane: string(plan.PhaseUpgrade) + "/" + h.host.Name,
		After: after(waits), Why: "its kubelet starts anew: its Pods run elsewhere meanwhile", Change: plan.Update,
		Cluster: plan.Drain{Node: h.host.Name, By: cordonedFor, DrainOptions: h.in.View.Drain},
	})}
}

// uncordon gives a node back what it was cordoned for: by this plan, or by one that was
// interrupted. What a person has cordoned stays so.
func (h *hostDraft) uncordon() {
	node, there := h.in.Node(h.host.Name)
	left, why := node.CordonedBy == cordonedFor, "its kubelet is back"
	if !h.makes(does[plan.Drain]) {
		why = "an upgrade that was interrupted has cordoned it"
	}
	if !there || !left && (node.Unschedulable || !h.makes(does[plan.Drain])) {
		return
	}
	h.add(plan.Step{
		ID: clusterID(plan.PhaseUpgrade, h.host.Name, "uncordon"), Phase: plan.PhaseUpgrade, Lane: string(plan.PhaseUpgrade) + "/" + h.host.Name,
		After: after(join(h.made(does[plan.Drain]), h.well(), h.disturbed())), Why: why, Change: plan.Update,
		Cluster: plan.Uncordon{Node: h.host.Name, By: cordonedFor},
	})
}

// beforeItsSteps has all that changes the host wait for the steps given.
func (h *hostDraft) beforeItsSteps(waits []string) {
	if len(waits) == 0 {
		return
	}
	for _, i := range h.at[h.host.Name] {
		if step := h.plan.Steps[i]; h.changesVersion(step) || inPhase(plan.PhaseTidy)(step) {
			h.plan.Steps[i].After = append(slices.Clone(step.After), plan.All(waits...))
		}
	}
}

// upgradeInTurn has all hosts wait until every one has the version staged, and then change in turn:
// the control planes, the one whose etcd leads last; load balancers; what runs in the cluster; the
// workers. What is not well is put right first.
func (d *draft) upgradeInTurn() {
	if slices.ContainsFunc(d.drafts, func(h *hostDraft) bool { return len(h.disturbed()) > 0 }) {
		awaitUnwell(d.planes)
	}
	ready := d.readyForTurns()
	mended, last := oneByOne(inOrder(d.planes), ready)
	balanced, lastBalancer := oneByOne(d.balancers, join(mended, last))
	before := join(mended, last, balanced, lastBalancer)
	if len(before) == 0 {
		before = ready
	}
	d.applyAfter(before)
	unwell, well := splitUnwell(inOrder(d.workers))
	for _, h := range unwell {
		before = join(before, h.changed())
	}
	fewAtOnce(well, join(before, d.inCluster(does[plan.Apply]), d.awaitRollouts(before)), d.in.workersAtOnce())
}

// readyForTurns lists the steps before the first host's turn: every host has the version staged, there
// is a snapshot of etcd, and what an interrupted run has cordoned takes Pods again, and has begun in etcd
// is ended. For all but the first those wait, too, that are not well.
func (d *draft) readyForTurns() []string {
	interrupted := madeOn(keep(d.drafts, func(h *hostDraft) bool { return len(h.disturbed()) == 0 }), does[plan.Uncordon])
	staged := madeOn(d.drafts, stages)
	snapshot := d.snapshotEtcd(staged)
	cordoned := d.inCluster(does[plan.Cordon])
	d.postponeInCluster(does[plan.Cordon], join(staged, snapshot)) // until then no host is behind
	before := join(interrupted, snapshot, d.endEtcdDowngrade(staged), cordoned)
	for _, h := range d.drafts {
		if len(h.disturbed()) > 0 {
			h.postpone(before)
		} else {
			h.postpone(snapshot)
		}
	}
	return join(staged, before)
}

// applyAfter has what runs in the cluster change after the steps given: kube-proxy may not be newer
// than an API server, and what kubeadm-config says is true when all control planes are so.
func (d *draft) applyAfter(before []string) {
	d.postponeInCluster(does[plan.Apply], before)
}

// postponeInCluster has what is done to the cluster and is meant wait for the steps given.
func (d *draft) postponeInCluster(meant match, before []string) {
	if len(before) == 0 {
		return
	}
	for _, i := range d.at[""] {
		if meant(d.plan.Steps[i]) {
			d.plan.Steps[i].After = append(slices.Clone(d.plan.Steps[i].After), plan.All(before...))
		}
	}
}

// awaitRollouts waits, before the first worker is drained, until what was applied has rolled out.
func (d *draft) awaitRollouts(before []string) []string {
	var ids []string
	for _, object := range d.objects.Objects {
		applied := d.inCluster(appliesObject(object.Key))
		if !rollsOut(object.Key) || len(applied) == 0 {
			continue
		}
		ids = append(ids, d.add(plan.Step{
			ID: clusterID(object.Phase, thing(object.Key), "rolled-out"), Phase: object.Phase,
			Subject: plan.Subject{Object: object.Key}, Lane: plan.LaneWait + "/" + thing(object.Key), After: after(join(applied, before)),
			Why: "it is being rolled out, and the workers come next", Cluster: plan.WaitAvailable{Object: object.Key, Missing: d.in.missing(), Timeout: d.in.limit(), Patience: d.in.nodePatience()},
		}))
	}
	return ids
}
