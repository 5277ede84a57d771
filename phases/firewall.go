package phases

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// A host's firewall opens before anything that is reached through it starts there, and a reset closes it
// last. etcd is open to its members alone: a control plane that joins has to be told to those that are
// there before etcd is.

// openFirewall has the firewall of the host let the cluster's traffic through.
func (h *hostDraft) openFirewall() {
	want := h.state.Firewall
	if want == nil {
		h.leaveFirewall()
		return
	}
	have := h.facts.FirewallState.Opened
	why, change := "it runs, and lets nothing of the cluster in yet", plan.Create
	switch {
	case have == nil && h.facts.Firewall == "":
		why = "the next boot starts it"
	case have == nil:
	case len(h.facts.FirewallState.Missing) > 0:
		why, change = "it lacks: "+strings.Join(h.facts.FirewallState.Missing, ", "), plan.Update
	case reflect.DeepEqual(have, want):
		return
	default:
		why, change = "the cluster's traffic has changed", plan.Update
	}
	h.step(plan.PhasePrepare, "firewall", plan.LaneWork, change, why, *want)
}

// leaveFirewall closes what was opened, where the file now says that firewalls are not Slipway's.
func (h *hostDraft) leaveFirewall() {
	if h.in.Cluster.ManagesFirewall() {
		return
	}
	for _, kind := range []string{hosts.Firewalld, hosts.UFW} {
		if prior, opened := h.facts.Record.PriorOf(hosts.FirewallSetting(kind)); opened {
			h.step(plan.PhasePrepare, "restore/"+trimmed(prior.Setting), plan.LaneWork, plan.Update,
				"firewall.manage is false: what was opened is closed", hosts.Restore{Setting: prior.Setting})
		}
	}
}

// firewallsFollow opens the firewalls of hosts that are in the cluster to those that join, and gives the steps.
func (d *draft) firewallsFollow(except []cluster.Host) []string {
	var steps []string
	for _, host := range d.in.Cluster.Hosts {
		facts, seen := d.in.Facts[host.Name]
		if among(except, host.Name) || !seen || !view.Claimed(facts.Record) || facts.FirewallState.Opened == nil {
			continue
		}
		h := d.forHost(host, manifests.HostState{Firewall: manifests.Firewall(d.in.Cluster, host, facts)})
		if h.state.Firewall == nil {
			continue
		}
		h.openFirewall()
		steps = append(steps, h.made(opensFirewall)...)
	}
	return steps
}

// firewallsForget closes the firewalls of hosts that stay to those that leave, when nothing of these needs them any more.
// Whatever else has changed there is the next init's.
func (d *draft) firewallsForget(leaving []cluster.Host) {
	rest := d.in.without(leaving)
	gone := join(d.inCluster(does[plan.MemberRemove]), madeOn(d.drafts, does[hosts.StopUnits]))
	for _, host := range rest.Cluster.Hosts {
		facts, seen := d.in.Facts[host.Name]
		if !seen || !view.Claimed(facts.Record) || facts.FirewallState.Opened == nil {
			continue
		}
		want := manifests.Firewall(rest.Cluster, host, facts)
		if want == nil || reflect.DeepEqual(want, manifests.Firewall(d.in.Cluster, host, facts)) || reflect.DeepEqual(want, facts.FirewallState.Opened) {
			continue
		}
		if unsaved := facts.FirewallState.Unsaved; len(unsaved) > 0 {
			d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s: its firewall stays open to what leaves: firewalld has settings that its files do not have, and a reload would end them: %s (keep them: firewall-cmd --runtime-to-permanent; then, without those hosts in the file: slipway init)",
				host.Name, strings.Join(unsaved, "; ")))
			continue
		}
		d.forHost(host, manifests.HostState{}).step(plan.PhasePrepare, "firewall", plan.LaneWork, plan.Update,
			"it is open to "+namesOf(leaving)+" no longer", *want, gone)
	}
}

func namesOf(list []cluster.Host) string {
	var names []string
	for _, host := range list {
		names = append(names, host.Name)
	}
	return strings.Join(names, ", ")
}

func opensFirewall(step plan.Step) bool {
	_, opens := step.Action.(hosts.OpenFirewall)
	return opens
}
