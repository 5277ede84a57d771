package phases

import (
	"fmt"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Join plans to bring in the hosts of the file that are not in the cluster yet. It
// touches only them: what a worker brings changes no other host and no object.
func Join(in Input) (plan.Plan, plan.Contents, error) {
	d, err := in.begin(WorkflowJoin)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	drafts, err := d.draftHosts(in.targets(WorkflowJoin))
	if err != nil {
		return plan.Plan{}, nil, err
	}
	for _, h := range drafts {
		h.install()
		h.startKubelet(nil)
		h.tidy()
	}
	nodes := collect(drafts, func(h *hostDraft) string { return h.awaitNode(nil) })
	collect(drafts, func(h *hostDraft) string { return h.mark(waitOf(nodes, h), nil) })
	return d.done()
}

// JoinTargets are the hosts that a join brings in: those named, or all of the file,
// that are not in the cluster, or that an interrupted join left half-way.
func JoinTargets(in Input) []cluster.Host { return in.targets(WorkflowJoin) }

func (in Input) joinProblems(targets []cluster.Host) []Problem {
	if !in.ClusterFacts.Reachable {
		return []Problem{{
			Check: "membership", Severity: SeverityError,
			Detail: "no API server of the cluster answers: " + orUnknown(in.ClusterFacts.Cause),
			Fix:    "see what holds it up by: slipway status; a cluster that is not there yet is made by: slipway init",
		}}
	}
	if !in.completed() {
		return []Problem{{
			Check: "membership", Severity: SeverityError,
			Detail: "the cluster is only half-made: an init was interrupted",
			Fix:    "let it complete, with the new hosts as well: slipway init",
		}}
	}
	var problems []Problem
	for _, host := range targets {
		if host.HasRole(cluster.RoleControlPlane) {
			problems = append(problems, Problem{
				Check: "membership", Host: host.Name, Severity: SeverityError,
				Detail: "it is a control plane: adding control planes comes with high availability",
				Fix:    "give it the role worker, or take it out of the file",
			})
		}
		problems = append(problems, in.settingsProblems(host.Name)...)
	}
	return problems
}

// settingsProblems says which of the cluster's settings a host cannot have.
func (in Input) settingsProblems(name string) []Problem {
	facts, seen := in.Facts[name]
	if !seen {
		return nil
	}
	settings, err := in.settings()
	if err != nil {
		return []Problem{{Check: "settings", Severity: SeverityError, Detail: fmt.Sprint(err)}}
	}
	var problems []Problem
	for _, unmet := range settings.Unmet(facts) {
		problems = append(problems, Problem{
			Check: "settings", Host: name, Severity: SeverityError, Detail: unmet,
			Fix: "the cluster's settings were chosen at init for the hosts that it had; take another host",
		})
	}
	return problems
}
