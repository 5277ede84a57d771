package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// UpgradePlan is what an upgrade to the session's bundle would be.
type UpgradePlan struct {
	Cluster string       `json:"cluster"`
	Bundle  *plan.Bundle `json:"bundle"`
	// Runs is the version that the API servers serve, empty where none answers; Offered the bundle's.
	Runs    string `json:"runs,omitempty"`
	Offered string `json:"offered"`
	// Hops are the upgrades that lead there, one after another; none where there is nothing to upgrade.
	Hops       []string           `json:"hops,omitempty"`
	Components []ComponentVersion `json:"components"`
	Gates      []checks.Gate      `json:"gates"`
	// NotLookedAt are the hosts that were not reached: no gate says anything of them.
	NotLookedAt []string           `json:"notLookedAt,omitempty"`
	Forecast    *forecast.Forecast `json:"forecast,omitempty"`
	// Plan is what would be done once all gates are passed that may be; nil where another one stops it.
	Plan *plan.Plan `json:"plan,omitempty"`
	// Changes are the files that would be other, in the plan's order.
	Changes []FileChange `json:"changes,omitempty"`
}

// Stopped tells whether a gate has to be passed first.
func (u UpgradePlan) Stopped() bool { return slices.ContainsFunc(u.Gates, checks.Gate.Stops) }

// ComponentVersion is a component of the bundle on hosts that all have one version of it.
type ComponentVersion struct {
	Component string   `json:"component"`
	Hosts     []string `json:"hosts"`
	Current   string   `json:"current"` // empty where it is not known
	Target    string   `json:"target"`
}

// UpgradePlan looks at the cluster and tells what an upgrade to the bundle would change, and what
// stands in its way. Nothing is changed. The request is that of UpgradeApply.
func (s *Session) UpgradePlan(ctx context.Context, r *Run) (UpgradePlan, error) {
	if err := s.observed(ctx, r); err != nil {
		return UpgradePlan{}, err
	}
	in, err := s.inputOf(r)
	if err != nil {
		return UpgradePlan{}, err
	}
	findings := checks.Preflight(r.inChecks(), in.View)
	found := UpgradePlan{
		Cluster: s.cluster.Name, Bundle: s.BundleName(), Runs: s.live.Version, Offered: s.bill.KubernetesVersion,
		Hops: hopsOf(s.live.Version, s.bill.KubernetesVersion), Gates: checks.Gates(r.inChecks(), in.View, findings),
		NotLookedAt: in.Unseen(r.inChecks()),
	}
	if found.Components, err = s.componentVersions(ctx); err != nil {
		return UpgradePlan{}, err
	}
	passed := *r
	passed.IgnoreChecks = slices.Concat(r.IgnoreChecks, stoppingGates(found.Gates))
	ready, err := s.planned(&passed)
	if refused, is := errors.AsType[*checks.Refused](err); is {
		found.Gates = checks.Gates(r.inChecks(), in.View, append(findings, unlike(refused.Findings, findings)...))
		return found, nil
	}
	if err != nil {
		return UpgradePlan{}, err
	}
	found.Plan, found.Forecast = &ready.Plan, ready.Forecast
	found.Changes, err = s.fileChanges(ctx, ready)
	return found, err
}

// unlike are those findings that are not among others: what was found only while the plan was made.
func unlike(findings, others []checks.Finding) []checks.Finding {
	named := func(f checks.Finding) bool {
		return slices.ContainsFunc(others, func(other checks.Finding) bool { return other.Check == f.Check && other.Host == f.Host })
	}
	return slices.DeleteFunc(slices.Clone(findings), named)
}

// stoppingGates are the names of the gates that stop the upgrade and may be passed. Others are not: who
// ignores EtcdSnapshot gets another plan, without one.
func stoppingGates(gates []checks.Gate) []string {
	var names []string
	for _, gate := range gates {
		if gate.Stops() && gate.Ignorable {
			names = append(names, gate.Check)
		}
	}
	return names
}

func hopsOf(from, to string) []string {
	one, err := cluster.ParseVersion(from)
	other, otherErr := cluster.ParseVersion(to)
	if err != nil || otherErr != nil {
		return nil
	}
	return cluster.Hops(one, other)
}

// componentVersions holds what is in force on each host against the bundle, for what is on hosts or
// runs in the cluster: what only goes into one of these, or only builds it, is left out.
func (s *Session) componentVersions(ctx context.Context) ([]ComponentVersion, error) {
	inForce := map[string]bundle.Bill{} // by host
	for _, name := range slices.Sorted(maps.Keys(s.hosts)) {
		facts, err := s.lookAt(ctx, name, s.hosts[name], hosts.Query{Contents: []string{manifests.BillFile}})
		if err != nil {
			return nil, fmt.Errorf("ask %s which bundle is in force there: %w", name, err)
		}
		if bill, err := bundle.ReadBill(facts.Contents[manifests.BillFile]); err == nil {
			inForce[name] = bill // else an older Slipway, which noted none, made the host
		}
	}
	var all []ComponentVersion
	for _, component := range s.bill.Components {
		if component.Name != selfComponent {
			all = append(all, s.versionsOf(component, inForce)...)
		}
	}
	return all, nil
}

// selfComponent is Slipway itself in a bill: no host has it.
const selfComponent = "slipway"

// versionsOf has a row for each version of a component that is in force, the most hosts first.
func (s *Session) versionsOf(target bundle.Component, inForce map[string]bundle.Bill) []ComponentVersion {
	of := map[string][]string{}
	for _, h := range s.cluster.Hosts {
		if _, seen := s.facts[h.Name]; seen {
			current := s.versionOn(h.Name, target.Name, inForce[h.Name])
			of[current] = append(of[current], h.Name)
		}
	}
	var rows []ComponentVersion
	for current, names := range of {
		rows = append(rows, ComponentVersion{Component: target.Name, Hosts: names, Current: current, Target: target.Version})
	}
	slices.SortFunc(rows, func(a, b ComponentVersion) int {
		return cmp.Or(cmp.Compare(len(b.Hosts), len(a.Hosts)), cmp.Compare(a.Current, b.Current))
	})
	return rows
}

// versionOn is the version of a component on a host: Kubernetes' is what the kubelet reports.
func (s *Session) versionOn(host, component string, bill bundle.Bill) string {
	for _, node := range s.live.Nodes {
		if component == "kubernetes" && node.Name == host && node.KubeletVersion != "" {
			return node.KubeletVersion
		}
	}
	found, _ := bill.Component(component)
	return found.Version
}
