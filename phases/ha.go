package phases

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TakeOut plans to stop all of a control plane or load balancer cleanly, and to leave it
// enabled: after a reboot it is back by itself.
func TakeOut(in Input, name string) (plan.Plan, plan.Contents, error) {
	h, err := in.testOf(name)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	if units := view.BalancerUnitsOn(in.Cluster, h.host); len(units) > 0 {
		h.pause("load-balancer", units...)
	}
	if !h.runsControlPlane() {
		return h.done()
	}
	h.pause(manifests.KubeletUnit, manifests.KubeletUnit)
	stopped := h.testStep("control-plane", hosts.StopPods{Only: serverPods(name), Grace: stopGrace})
	if in.Cluster.StackedEtcd() {
		moved := h.add(plan.Step{
			ID: clusterID(plan.PhaseHATest, name, "move-leader"), Phase: plan.PhaseHATest, Lane: string(plan.PhaseHATest), After: after([]string{stopped}),
			Why: "so that the other members need no election", Change: plan.Update,
			Subject: plan.Subject{Member: name}, Cluster: plan.MoveLeader{From: name},
		})
		h.testStep("etcd", hosts.StopPods{Only: []string{"etcd-" + name}, Grace: stopGrace}, []string{moved})
	}
	return h.done()
}

// ReleaseVIP plans to stop only a host's keepalived: whatever it holds goes elsewhere.
func ReleaseVIP(in Input, name string) (plan.Plan, plan.Contents, error) {
	h, err := in.testOf(name)
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
	d := in.newTest()
	targets, err := in.Named(names)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	for _, host := range targets {
		if _, seen := in.Facts[host.Name]; !seen {
			return plan.Plan{}, nil, &checks.Refused{Findings: []checks.Finding{checks.Unreached(in.View, host.Name)}}
		}
		if err := d.forHost(host, manifests.HostState{}).putBack(); err != nil {
			return plan.Plan{}, nil, err
		}
	}
	return d.done()
}

func (h *hostDraft) putBack() error {
	var keepalived bool
	for _, unit := range slices.Backward(view.TestedUnits(h.in.Cluster, h.host)) {
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
		Cluster: plan.WaitEndpoint{Host: h.host.Name, Address: endpoint, Timeout: h.in.limit(), Patience: h.in.endpointPatience()},
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
		Cluster: plan.WaitAPI{Host: h.host.Name, Timeout: h.in.limit(), Patience: h.in.againPatience()},
	})}
}

// newTest begins a plan that only stops and starts.
func (in Input) newTest() *draft {
	in.Workflow = view.HATest
	return newDraft(in)
}

// testOf begins the plan for one host that must have been seen.
func (in Input) testOf(name string) (*hostDraft, error) {
	host, ok := in.Cluster.Host(name)
	if !ok {
		return nil, fmt.Errorf("find host %s: the cluster file has no host of this name", name)
	}
	if _, seen := in.Facts[name]; !seen {
		return nil, &checks.Refused{Findings: []checks.Finding{checks.Unreached(in.View, name)}}
	}
	return in.newTest().forHost(host, manifests.HostState{}), nil
}

// testStep adds one step of a test.
func (h *hostDraft) testStep(thing string, action hosts.Action, after ...[]string) string {
	return h.step(plan.PhaseHATest, thing, plan.LaneWork, plan.Update, "it is taken out to see what the others do", action, after...)
}

// pause stops units that stay enabled.
func (h *hostDraft) pause(thing string, units ...string) string {
	return h.testStep(thing, hosts.StopUnits{Names: units, Enabled: true})
}

// resume starts a unit again, with what it reads as it lies on the host.
func (h *hostDraft) resume(name string, waits []string) string {
	return h.step(plan.PhaseHATest, name, plan.LaneWork, plan.Update, "is "+orNothing(h.facts.Units[name].Active), hosts.SetUnit{
		Name: name, Enabled: true, Active: true, Inputs: h.asFound(name),
	}, waits)
}

// asFound is the digest of what a unit reads, as it lies on the host: a test changes no file.
func (h *hostDraft) asFound(name string) string {
	for _, unit := range manifests.Skeleton(h.in.Cluster, h.in.Bill, h.host).Units {
		if unit.Name == name {
			return h.inputs(unit)
		}
	}
	return ""
}
