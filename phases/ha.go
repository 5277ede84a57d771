package phases

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// leastMembers is how many voting members of etcd are needed to do without one.
const leastMembers = 3

// HATest tells what stands in the way of taking control planes out in turn: each of them
// can only be spared while all others are well.
func HATest(in Input) []Problem {
	problems := in.identityProblems()
	for _, host := range slices.Concat(in.Cluster.ControlPlanes(), in.Cluster.Balancers()) {
		if _, seen := in.Facts[host.Name]; !seen && !slices.ContainsFunc(problems, func(p Problem) bool { return p.Host == host.Name }) {
			problems = append(problems, in.unreached(host.Name))
		}
	}
	if !in.ClusterFacts.Reachable {
		return in.sorted(append(problems, Problem{
			Check: "health", Severity: SeverityError, Detail: "no API server answers: " + orUnknown(in.ClusterFacts.Cause),
			Fix: "see what holds it up by: slipway status",
		}))
	}
	return in.sorted(problemsOf(problems, in.sparable(), in.unwell(), in.downUnits()))
}

// sparable says why no control plane can be spared, whatever its state.
func (in Input) sparable() []Problem {
	const grow = "add control planes to the file, and bring them in by: slipway join"
	var problems []Problem
	if in.Cluster.Endpoint.Mode == cluster.EndpointControlPlane {
		problems = append(problems, Problem{Check: "endpoint", Severity: SeverityError,
			Detail: "the endpoint is the address of the only control plane, and goes with it", Fix: "make a cluster with endpoint.mode vip, loadBalancers, local or external"})
	}
	if !in.Cluster.StackedEtcd() {
		if n := len(in.Cluster.ControlPlanes()); n < 2 {
			problems = append(problems, Problem{Check: "health", Severity: SeverityError, Detail: "there is no second control plane", Fix: grow})
		}
		return problems
	}
	if n := len(view.Voting(in.ClusterFacts.Members)); n < leastMembers {
		problems = append(problems, Problem{Check: checkQuorum, Severity: SeverityError,
			Detail: fmt.Sprintf("etcd has %s with a vote; to do without one it needs %d", hosts.Count(n, "member"), leastMembers), Fix: grow})
	}
	return problems
}

// unwell lists what does not answer of etcd and of the control planes.
func (in Input) unwell() []Problem {
	const fix = "see why by: slipway status; what a test that was killed has left is put back by: slipway init"
	var problems []Problem
	for _, member := range in.ClusterFacts.Members {
		switch {
		case member.Learner:
			problems = append(problems, Problem{Check: "health", Severity: SeverityError, Fix: "let the join that was interrupted complete: slipway join",
				Detail: fmt.Sprintf("etcd's member %s is a learner: a control plane is still joining", view.MemberName(member))})
		case !member.Healthy:
			problems = append(problems, Problem{Check: "health", Severity: SeverityError, Fix: fix,
				Detail: fmt.Sprintf("etcd's member %s does not answer: %s", view.MemberName(member), orUnknown(member.Detail))})
		}
	}
	for _, health := range in.ClusterFacts.Health {
		if !health.Healthy {
			problems = append(problems, Problem{Check: "health", Host: health.Host, Severity: SeverityError,
				Detail: fmt.Sprintf("%s does not answer: %s", health.Component, orUnknown(health.Detail)), Fix: fix})
		}
	}
	return problems
}

// downUnits lists the units that should run and do not.
func (in Input) downUnits() []Problem {
	var problems []Problem
	for _, host := range in.Cluster.Hosts {
		facts, seen := in.Facts[host.Name]
		if !seen {
			continue
		}
		for _, unit := range in.testedUnits(host) {
			if state := facts.Units[unit]; state.Active != "active" {
				problems = append(problems, problem("health", host, "put it back by: slipway init", "%s is %s", unit, orNothing(state.Active)))
			}
		}
	}
	return problems
}

// testedUnits are the units that a test stops on a host, in the order in which it does.
func (in Input) testedUnits(host cluster.Host) []string {
	units := in.balancerUnitsOn(host)
	if host.HasRole(cluster.RoleControlPlane) {
		units = append(units, manifests.KubeletUnit)
	}
	return units
}

// balancerUnitsOn are the units of the balancer that a host is, in the order in which they stop.
func (in Input) balancerUnitsOn(host cluster.Host) []string {
	switch {
	case !among(in.Cluster.Balancers(), host.Name):
		return nil
	case in.Cluster.VirtualAddress() == "":
		return []string{manifests.HAProxyUnit}
	}
	return slices.Clone(balancerUnits)
}

// TakeOut plans to stop all of a control plane or load balancer cleanly, and to leave it
// enabled: after a reboot it is back by itself.
func TakeOut(in Input, name string) (plan.Plan, plan.Contents, error) {
	h, err := in.tried(name)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	if units := in.balancerUnitsOn(h.host); len(units) > 0 {
		h.pause("load-balancer", units...)
	}
	if !h.runsControlPlane() {
		return h.done()
	}
	h.pause(manifests.KubeletUnit, manifests.KubeletUnit)
	stopped := h.try("control-plane", hosts.StopPods{Only: serverPods(name), Grace: stopGrace})
	if in.Cluster.StackedEtcd() {
		moved := h.add(plan.Step{
			ID: clusterID(plan.PhaseHATest, name, "move-leader"), Phase: plan.PhaseHATest, Lane: string(plan.PhaseHATest), After: after([]string{stopped}),
			Why: "the others should not have to elect one", Change: plan.Update,
			Subject: plan.Subject{Member: name}, Cluster: plan.MoveLeader{From: name},
		})
		h.try("etcd", hosts.StopPods{Only: []string{"etcd-" + name}, Grace: stopGrace}, []string{moved})
	}
	return h.done()
}

// ReleaseVIP plans to stop only a host's keepalived: whatever it holds goes elsewhere.
func ReleaseVIP(in Input, name string) (plan.Plan, plan.Contents, error) {
	h, err := in.tried(name)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	h.pause(manifests.KeepalivedUnit, manifests.KeepalivedUnit)
	return h.done()
}

// PutBack plans to start again whatever of hosts a test has stopped, as it is seen: also
// what one has left that was killed. The virtual address may come back to a host only
// when its API server answers.
func PutBack(in Input, names ...string) (plan.Plan, plan.Contents, error) {
	d := in.trial()
	targets, err := in.Named(names)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	for _, host := range targets {
		if _, seen := in.Facts[host.Name]; !seen {
			return plan.Plan{}, nil, &Refused{Problems: []Problem{in.unreached(host.Name)}}
		}
		if err := d.forHost(host, manifests.HostState{}).putBack(); err != nil {
			return plan.Plan{}, nil, err
		}
	}
	return d.done()
}

func (h *hostDraft) putBack() error {
	var keepalived bool
	for _, unit := range slices.Backward(h.in.testedUnits(h.host)) {
		if h.facts.Units[unit].Active == "active" {
			continue
		}
		if unit == manifests.KeepalivedUnit {
			keepalived = true
			continue
		}
		h.resume(unit, nil)
	}
	waits := h.awaitBack()
	if keepalived {
		waits = []string{h.resume(manifests.KeepalivedUnit, waits)}
	}
	if len(waits) == 0 {
		return nil
	}
	endpoint, err := manifests.EndpointAddress(h.in.Cluster)
	if err != nil {
		return err
	}
	h.add(plan.Step{
		ID: clusterID(plan.PhaseHATest, h.host.Name, "endpoint"), Phase: plan.PhaseHATest, Lane: plan.LaneWait + "/endpoint/" + h.host.Name,
		After: after(waits), Why: "it is being put back",
		Cluster: plan.WaitEndpoint{Host: h.host.Name, Address: endpoint, Timeout: apiTimeout},
	})
	return nil
}

// awaitBack waits until the API server answers that the host's kubelet starts again.
func (h *hostDraft) awaitBack() []string {
	if !h.runsControlPlane() || !h.makes(inPhase(plan.PhaseHATest)) && !h.isDown(hosts.ComponentAPIServer) {
		return nil
	}
	return []string{h.add(plan.Step{
		ID: clusterID(plan.PhaseHATest, h.host.Name, "api"), Phase: plan.PhaseHATest, Lane: plan.LaneWait + "/api/" + h.host.Name,
		After: after(h.made(startsKubelet)), Why: "it is being put back",
		Cluster: plan.WaitAPI{Host: h.host.Name, Timeout: apiTimeout},
	})}
}

// trial begins a plan that only stops and starts.
func (in Input) trial() *draft {
	in.Workflow = view.HATest
	return newDraft(in)
}

// tried begins the plan for one host that must have been seen.
func (in Input) tried(name string) (*hostDraft, error) {
	host, ok := in.Cluster.Host(name)
	if !ok {
		return nil, fmt.Errorf("find host %s: the cluster file has no host of this name", name)
	}
	if _, seen := in.Facts[name]; !seen {
		return nil, &Refused{Problems: []Problem{in.unreached(name)}}
	}
	return in.trial().forHost(host, manifests.HostState{}), nil
}

// try adds one step of a test.
func (h *hostDraft) try(thing string, action hosts.Action, after ...[]string) string {
	return h.step(plan.PhaseHATest, thing, plan.LaneWork, plan.Update, "it is taken out to see what the others do", action, after...)
}

// pause stops units that stay enabled.
func (h *hostDraft) pause(thing string, units ...string) string {
	return h.try(thing, hosts.StopUnits{Names: units, Enabled: true})
}

// resume starts a unit again, with what it reads as it lies on the host.
func (h *hostDraft) resume(name string, waits []string) string {
	return h.step(plan.PhaseHATest, name, plan.LaneWork, plan.Update, "is "+orNothing(h.facts.Units[name].Active), hosts.SetUnit{
		Name: name, Enabled: true, Active: true, Inputs: h.asFound(name),
	}, waits)
}

// asFound is the digest of what a unit reads, as it lies on the host: a test changes no file.
func (h *hostDraft) asFound(name string) string {
	for _, unit := range manifests.Units(h.in.Cluster, h.host) {
		if unit.Name == name {
			return h.inputs(unit)
		}
	}
	return ""
}
