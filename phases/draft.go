package phases

import (
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// draft is a plan being written. What a step waits for is found among the steps that there are:
// a phase needs to know only what the ones before it do.
type draft struct {
	in       Input
	plan     plan.Plan
	contents plan.Contents
	at       map[string][]int // where the steps at a place stand in the plan; "" is the cluster
	about    map[string][]int // the same of the steps that are about a host

	err error

	bundleID string // of the bundle that is coming, for an upgrade

	objects                    manifests.ClusterState
	drafts                     []*hostDraft
	planes, workers, balancers []*hostDraft // the same by what they are
	followers                  []*hostDraft // other hosts, whose balancers are told who comes and goes
	opened                     []string     // the steps that open other hosts' firewalls to those that come
}

func newDraft(in Input) *draft {
	return &draft{
		in:       in,
		plan:     plan.Plan{Workflow: string(in.Workflow), Cluster: in.ClusterID, Steps: []plan.Step{}},
		contents: plan.Contents{}, at: map[string][]int{}, about: map[string][]int{},
	}
}

// add puts a step at the plan's end and gives its id.
func (d *draft) add(step plan.Step) string {
	d.at[step.Host] = append(d.at[step.Host], len(d.plan.Steps))
	d.about[step.Subject.Host] = append(d.about[step.Subject.Host], len(d.plan.Steps))
	d.plan.Steps = append(d.plan.Steps, step)
	return step.ID
}

// put keeps content under the ref that a plan may show.
func (d *draft) put(content []byte, secret bool) string {
	if !secret {
		return d.contents.Put(content)
	}
	return d.contents.PutSecret(d.in.PKI.Secret, content)
}

// fail notes what keeps the plan from being made; the first such is told.
func (d *draft) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// done gives the plan, after a look at its form.
func (d *draft) done() (plan.Plan, plan.Contents, error) {
	dropIdleEdges(d.plan.Steps)
	if err := plan.Validate(d.plan); err != nil {
		return plan.Plan{}, nil, fmt.Errorf("plan %s: %w", d.plan.Workflow, err)
	}
	return d.plan, d.contents, nil
}

// hostDraft is the part of a plan that is about one host.
type hostDraft struct {
	*draft
	host  cluster.Host
	facts hosts.Facts
	state manifests.HostState
	// reseed are paths whose seeds are written anew: what grew from them is no good.
	reseed map[string]bool
	judged map[string]string // why a certificate or kubeconfig cannot stay, by path
}

func (d *draft) forHost(host cluster.Host, state manifests.HostState) *hostDraft {
	return &hostDraft{draft: d, host: host, facts: d.in.Facts[host.Name], state: state, reseed: map[string]bool{}, judged: map[string]string{}}
}

// begin begins a host's part of the plan.
func (d *draft) begin(h *hostDraft) {
	d.drafts = append(d.drafts, h)
	switch {
	case h.runsControlPlane():
		d.planes = append(d.planes, h)
	case h.isNode():
		d.workers = append(d.workers, h)
	default:
		d.balancers = append(d.balancers, h)
	}
}

// nodes are the hosts that run a kubelet.
func (d *draft) nodes() []*hostDraft { return keep(d.drafts, (*hostDraft).isNode) }

func (h *hostDraft) isNode() bool           { return h.host.IsNode() }
func (h *hostDraft) runsControlPlane() bool { return h.host.HasRole(cluster.RoleControlPlane) }

// stepID names what a phase does to a thing on the host.
func (h *hostDraft) stepID(phase plan.Phase, thing string) string {
	return h.host.Name + "/" + string(phase) + "/" + thing
}

// clusterID names what a phase does to the cluster.
func clusterID(phase plan.Phase, things ...string) string {
	return "cluster/" + string(phase) + "/" + strings.Join(things, "/")
}

// add puts a step that is about the host at the plan's end and gives its id.
func (h *hostDraft) add(step plan.Step) string {
	step.Subject.Host = h.host.Name
	return h.draft.add(step)
}

// step adds one step of the host.
func (h *hostDraft) step(phase plan.Phase, thing, lane string, change plan.Change, why string, action hosts.Action, after ...[]string) string {
	step := plan.Step{
		ID: h.stepID(phase, thing), Phase: phase, Host: h.host.Name,
		Lane: lane, Why: why, Change: change, Action: action,
	}
	if ids := join(after...); len(ids) > 0 {
		step.After = []plan.Dependency{plan.All(ids...)}
	}
	return h.add(step)
}
