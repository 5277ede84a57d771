// Package checks looks, before anything is changed, at what stands in a workflow's way: Table has
// the checks, and each gives findings. When a wait fails, Diagnose finds in the same way why.
//
// It is pure: it touches no host, no clock and no file.
package checks

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Check is one thing that is looked at. Several may have the same name: what the one name is
// for looks different in different workflows.
type Check struct {
	Name     string // kubeadm's where kubeadm has the check
	Scope    Scope
	Severity Severity // of what it finds; it may call some of it a warning
	In       []view.Workflow
	Look     look
	Needed   string // why it cannot be ignored; empty: it can
}

type look func(view.View, cluster.Host, hosts.Facts) []Finding

// Scope is whom a check looks at.
type Scope string

// The scopes. All but the first two are of the hosts that the workflow is for, and that
// have answered.
const (
	Cluster      Scope = "cluster"
	File         Scope = "every host of the file"
	Host         Scope = "host"
	Node         Scope = "node"
	ControlPlane Scope = "control plane"
	Balancer     Scope = "balancer"
)

// ofCluster is a look at the cluster as a whole.
func ofCluster(ask func(view.View) []Finding) look {
	return func(v view.View, _ cluster.Host, _ hosts.Facts) []Finding { return ask(v) }
}

// when is a finding, where there is something to find.
func when(there bool, found Finding) []Finding {
	if !there {
		return nil
	}
	return []Finding{found}
}

// targets are the hosts that the workflow is for.
func targets(v view.View) []cluster.Host { return v.Targets(v.Workflow) }

// hosts are those that a scope means.
func (s Scope) hosts(v view.View) []cluster.Host {
	if s == File {
		return v.Cluster.Hosts
	}
	var meant []cluster.Host
	for _, host := range targets(v) {
		if s == Host || s == Node && host.IsNode() || s == ControlPlane && host.HasRole(cluster.RoleControlPlane) || s == Balancer && v.Cluster.Balances(host) {
			meant = append(meant, host)
		}
	}
	return meant
}

// rankOf is the place of each host in the file, from 1.
func rankOf(v view.View) map[string]int {
	rank := map[string]int{}
	for i, host := range v.Cluster.Hosts {
		rank[host.Name] = i + 1
	}
	return rank
}
