package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// draft is a plan being written.
type draft struct {
	in       Input
	plan     plan.Plan
	contents plan.Contents
}

// add puts a step at the plan's end and gives its id.
func (d *draft) add(step plan.Step) string {
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

// done gives the plan, after a look at its form.
func (d *draft) done() (plan.Plan, plan.Contents, error) {
	d.dropIdleEdges()
	if err := plan.Validate(d.plan); err != nil {
		return plan.Plan{}, nil, fmt.Errorf("plan %s: %w", d.plan.Workflow, err)
	}
	return d.plan, d.contents, nil
}

// hostDraft is the part of a plan that touches one host, and what of it other parts
// wait for.
type hostDraft struct {
	*draft
	host  cluster.Host
	facts hosts.Facts
	state manifests.HostState
	// reseed are paths whose seeds are written anew: what grew from them is no good.
	reseed map[string]bool
	judged map[string]string // why a certificate or kubeconfig cannot stay, by path

	base       []string                // what every lane of the host begins after
	entry      []string                // steps that write lines of /etc/hosts
	files      map[plan.Phase][]string // steps that write files and links, by phase
	sets       map[string]string       // steps that unpack, by the set's name
	containerd []string                // the step that starts containerd
	images     map[string]string       // steps that load images, by the image's name
	imageOrder []string                // the same in their order
	pods       []string                // steps that write static Pods
	clients    []string                // steps that write the static Pods of the API's clients
	kubelet    []string                // the step that starts the kubelet
	balancer   []string                // steps that start haproxy and keepalived
	renewed    []string                // the waits for static Pods to run by their manifests
	reached    []string                // the wait for the endpoint, as seen from the host
}

func (d *draft) forHost(host cluster.Host, state manifests.HostState) *hostDraft {
	return &hostDraft{
		draft: d, host: host, facts: d.in.Facts[host.Name], state: state,
		reseed: map[string]bool{}, judged: map[string]string{}, files: map[plan.Phase][]string{}, sets: map[string]string{}, images: map[string]string{},
	}
}

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

// changed tells whether any of the host's steps belongs to one of the phases.
func (h *hostDraft) changed(phases ...plan.Phase) bool {
	return slices.ContainsFunc(h.plan.Steps, func(step plan.Step) bool {
		return step.Host == h.host.Name && slices.Contains(phases, step.Phase)
	})
}

// join puts ids together, each once.
func join(lists ...[]string) []string {
	var ids []string
	for _, list := range lists {
		for _, id := range list {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// after makes the dependencies of a step: on all of one set, and on any of others.
func after(every []string, anyOf ...[]string) []plan.Dependency {
	var dependencies []plan.Dependency
	if len(every) > 0 {
		dependencies = append(dependencies, plan.All(every...))
	}
	for _, ids := range anyOf {
		if len(ids) > 0 {
			dependencies = append(dependencies, plan.Any(ids...))
		}
	}
	return dependencies
}
