package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Init plans all that lies between the hosts as they are and the cluster of the file.
// On a cluster that is so already the plan is empty; after an interrupted init it is
// the rest. No control plane comes first: all hosts are worked on at once.
func Init(in Input) (plan.Plan, plan.Contents, error) {
	d, err := in.begin(view.Init)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	d.warnOfSilence()
	objects, err := d.renderCluster()
	if err != nil {
		return plan.Plan{}, nil, err
	}
	drafts, err := d.draftHosts(in.Targets(view.Init))
	if err != nil {
		return plan.Plan{}, nil, err
	}
	planes, workers, balancers := split(drafts)

	served, apis := startPlanes(planes, rollouts(objects))
	for _, h := range balancers {
		h.install()
		h.startKeepalived(nil)
		h.tidy()
	}
	for _, h := range workers {
		if err := h.joinAsWorker(apis, slices.Concat(planes, balancers)); err != nil {
			return plan.Plan{}, nil, err
		}
	}
	reached, err := reach(planes, apis)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	applied, err := d.addons(objects, drafts, apis)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	configured, err := d.configuration(objects, applied, served, apis)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	tokens, err := d.bootstrapTokens(objects, applied, apis)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	nodes := collect(nodesOf(drafts), func(h *hostDraft) string { return h.awaitNode(h.answers(apis)) })
	if d.in.takesTurns() {
		nodes = sequence{apis: apis, nodes: nodes}.take(planes, balancers, workers)
	}
	marks := collect(nodesOf(drafts), func(h *hostDraft) string { return h.mark(ownOf(nodes, h), apis) })
	available := d.awaitAddons(objects, applied, nodes, apis)
	if err := d.complete(join(configured, applied, tokens, reached, nodes, renewed(drafts), marks, available, balancing(drafts)), apis); err != nil {
		return plan.Plan{}, nil, err
	}
	return d.done()
}

// startPlanes brings all control planes up at once, and the controllers of all but one after
// the add-ons. It gives the waits until their API servers take requests and until they are
// ready.
func startPlanes(planes []*hostDraft, addons []hosts.ObjectKey) (served, apis []string) {
	var founders []string
	for _, h := range planes {
		h.install()
		founders = join(founders, h.letBegin(manifests.StateNew, nil))
	}
	for _, h := range planes {
		h.staticPods(join(founders, h.quorumInTurn()))
		h.startKubelet(nil)
		h.awaitPods("servers", isServer, h.pods)
	}
	served = collect(planes, (*hostDraft).awaitServing)
	apis = collect(planes, (*hostDraft).awaitAPI)
	for _, h := range planes {
		h.startKeepalived(nil)
		h.apiClients(h.inTurn(ownOf(apis, h), len(planes), addons))
		h.awaitPods("clients", isClient, h.clients)
		h.tidy()
	}
	return served, apis
}

// joinAsWorker brings a worker all the way to a running kubelet. Where the plan starts API
// servers (apis are the waits for them) and balancers of ours lead to them, the kubelet
// starts when the first of the control planes' and of the balancers ahead of it do: it then
// registers as soon as they, with an API server that is not ready yet. Else it waits until
// the endpoint answers.
func (h *hostDraft) joinAsWorker(apis []string, ahead []*hostDraft) error {
	h.install()
	reached, err := h.awaitEndpoint(apis)
	if err != nil {
		return err
	}
	switch {
	case len(apis) > 0 && len(h.in.Cluster.Balancers()) > 0:
		h.startKubelet(h.balancer, serving(ahead), h.in.holding(ahead))
	case len(reached) > 0:
		h.startKubelet(reached)
	default:
		h.startKubelet(nil, apis)
	}
	h.tidy()
	return nil
}

// serving lists the steps after which control planes bring up their API servers; none where
// one of them runs already.
func serving(drafts []*hostDraft) []string {
	var ids []string
	for _, h := range drafts {
		if h.runsControlPlane() && len(h.kubelet) == 0 {
			return nil
		}
		ids = append(ids, h.kubelet...)
	}
	return ids
}

// holding lists the steps by which hosts come to hold the virtual address; none where there
// is no such address, or a host that may have it already.
func (in Input) holding(drafts []*hostDraft) []string {
	var ids []string
	for _, h := range drafts {
		if !in.Cluster.MayHold(h.host) {
			continue
		}
		id := h.stepID(plan.PhaseLoadBalancer, manifests.KeepalivedUnit)
		if !slices.Contains(h.balancer, id) {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// reach waits until hosts reach the endpoint. Nothing of a control plane's own waits for
// it, but an endpoint that leads nowhere must not be found later, by whoever uses it first.
func reach(drafts []*hostDraft, apis []string) ([]string, error) {
	var reached []string
	for _, h := range drafts {
		ids, err := h.awaitEndpoint(h.answers(apis))
		if err != nil {
			return nil, err
		}
		reached = append(reached, ids...)
	}
	return reached, nil
}

// renewed lists the waits for static Pods that had run before.
func renewed(drafts []*hostDraft) []string {
	var ids []string
	for _, h := range drafts {
		ids = append(ids, h.renewed...)
	}
	return ids
}

// balancing lists the steps that start balancers.
func balancing(drafts []*hostDraft) []string {
	var ids []string
	for _, h := range drafts {
		ids = append(ids, h.balancer...)
	}
	return ids
}

// warnOfSilence tells what the plan does not know: a cluster whose API is silent may hold
// everything that the plan calls absent.
func (d *draft) warnOfSilence() {
	if d.in.ClusterFacts.Reachable {
		return
	}
	for _, host := range d.in.Cluster.ControlPlanes() {
		if facts, seen := d.in.Facts[host.Name]; seen && view.HasEtcdData(facts) {
			d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s has etcd's data, but no API server answers (%s): what the cluster holds is not known, and every object is compared only when one does",
				host.Name, orUnknown(d.in.ClusterFacts.Cause)))
			return
		}
	}
}

// membershipProblems says what init must not do once it has completed: hosts come by join,
// and the endpoint stays where it is.
func (in Input) membershipProblems(targets []cluster.Host) []Problem {
	if !in.Completed() {
		return in.newcomersInSilence(targets)
	}
	moved := in.movedEndpoint()
	var outside []string
	for _, host := range targets {
		if !in.Joined(host.Name) {
			outside = append(outside, host.Name)
		}
	}
	if len(outside) == 0 {
		return moved
	}
	return append(moved, Problem{
		Check: "membership", Severity: SeverityError,
		Detail: fmt.Sprintf("the cluster %s is running already, and %s not in it", in.Cluster.Name, isOrAre(outside)),
		Fix:    "bring in what is new by: slipway join",
	})
}

// newcomersInSilence refuses hosts that are new to a cluster that was complete and whose API is
// silent at the moment: else they would be brought in as if the cluster were still being made.
func (in Input) newcomersInSilence(targets []cluster.Host) []Problem {
	if in.ClusterFacts.Reachable || len(in.JoinedBefore) == 0 {
		return nil
	}
	var outside []string
	for _, host := range targets {
		if facts, looked := in.Facts[host.Name]; looked && !in.HasCome(host, facts) {
			outside = append(outside, host.Name)
		}
	}
	if len(outside) == 0 {
		return nil
	}
	return []Problem{{
		Check: "membership", Severity: SeverityError,
		Detail: fmt.Sprintf("the cluster %s was complete, no API server of it answers now (%s), and %s not in it", in.Cluster.Name, orUnknown(in.ClusterFacts.Cause), isOrAre(outside)),
		Fix:    "see what holds the API servers up by: slipway status; then bring in what is new by: slipway join",
	}}
}

func isOrAre(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " are"
}

// split parts the control planes, the workers, and the hosts that only balance.
func split(drafts []*hostDraft) (planes, workers, balancers []*hostDraft) {
	for _, h := range drafts {
		switch {
		case h.runsControlPlane():
			planes = append(planes, h)
		case h.isNode():
			workers = append(workers, h)
		default:
			balancers = append(balancers, h)
		}
	}
	return planes, workers, balancers
}

// isNode tells whether the host runs a kubelet.
func (h *hostDraft) isNode() bool { return h.host.IsNode() }

func isNode(host cluster.Host) bool { return !host.HasRole(cluster.RoleLoadBalancer) }

func nodesOf(drafts []*hostDraft) []*hostDraft {
	return keep(drafts, (*hostDraft).isNode)
}

// collect gathers the ids of the steps that were needed.
func collect(drafts []*hostDraft, step func(*hostDraft) string) []string {
	var ids []string
	for _, h := range drafts {
		if id := step(h); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// ownOf is the host's own among the steps of the cluster that every host has one of.
func ownOf(steps []string, h *hostDraft) []string {
	for _, id := range steps {
		if strings.HasSuffix(id, "/"+h.host.Name) {
			return []string{id}
		}
	}
	return nil
}
