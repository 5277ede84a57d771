package phases

import (
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Init plans all that lies between the hosts as they are and the cluster of the file.
// On a cluster that is so already the plan is empty; after an interrupted init it is
// the rest. No control plane comes first: all hosts are worked on at once.
func Init(in Input) (plan.Plan, plan.Contents, error) {
	d, err := in.begin(WorkflowInit)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	d.warnOfSilence()
	objects, err := d.renderCluster()
	if err != nil {
		return plan.Plan{}, nil, err
	}
	drafts, err := d.draftHosts(in.targets(WorkflowInit))
	if err != nil {
		return plan.Plan{}, nil, err
	}
	planes, workers := split(drafts)

	for _, h := range planes {
		h.install()
		h.startKubelet(nil)
	}
	apis := collect(planes, func(h *hostDraft) string {
		api := h.awaitAPI()
		h.apiClients(api)
		h.tidy()
		return api
	})
	for _, h := range workers {
		h.install()
		h.startKubelet(apis)
		h.tidy()
	}
	configured, err := d.configuration(objects, apis)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	applied, err := d.addons(objects, drafts, apis)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	tokens, err := d.bootstrapTokens(objects, apis)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	nodes := collect(drafts, func(h *hostDraft) string { return h.awaitNode(apis) })
	marks := collect(drafts, func(h *hostDraft) string { return h.mark(waitOf(nodes, h), apis) })
	available := d.awaitAddons(objects, applied, nodes, apis)
	if err := d.complete(join(configured, applied, tokens, nodes, marks, available), apis); err != nil {
		return plan.Plan{}, nil, err
	}
	return d.done()
}

// warnOfSilence tells what the plan does not know: a cluster whose API is silent may hold
// everything that the plan calls absent.
func (d *draft) warnOfSilence() {
	if d.in.ClusterFacts.Reachable {
		return
	}
	for _, host := range d.in.Cluster.ControlPlanes() {
		if facts, seen := d.in.Facts[host.Name]; seen && hasEtcdData(facts) {
			d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s has etcd's data, but no API server answers (%s): what the cluster holds is not known, and every object is compared only when one does",
				host.Name, orUnknown(d.in.ClusterFacts.Cause)))
			return
		}
	}
}

// membershipProblems says which hosts init must not bring in: once it has completed,
// hosts come by join.
func (in Input) membershipProblems(targets []cluster.Host) []Problem {
	if !in.completed() {
		return nil
	}
	var outside []string
	for _, host := range targets {
		if !in.joined(host.Name) {
			outside = append(outside, host.Name)
		}
	}
	if len(outside) == 0 {
		return nil
	}
	return []Problem{{
		Check: "membership", Severity: SeverityError,
		Detail: fmt.Sprintf("the cluster %s is running already, and %s not in it", in.Cluster.Name, isOrAre(outside)),
		Fix:    "bring in what is new by: slipway join",
	}}
}

func isOrAre(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " are"
}

// split parts the control planes from the other hosts.
func split(drafts []*hostDraft) (planes, others []*hostDraft) {
	for _, h := range drafts {
		if h.runsControlPlane() {
			planes = append(planes, h)
		} else {
			others = append(others, h)
		}
	}
	return planes, others
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

// waitOf is the host's own among the waits for nodes.
func waitOf(waits []string, h *hostDraft) []string {
	for _, id := range waits {
		if strings.HasSuffix(id, "/"+h.host.Name) {
			return []string{id}
		}
	}
	return nil
}
