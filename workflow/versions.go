package workflow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// namedAtMost is how many hosts are named in one sentence; of more the number is told.
const namedAtMost = 8

func namedHosts(names []string) string {
	if len(names) > namedAtMost {
		return hosts.Count(len(names), "host")
	}
	return strings.Join(names, ", ")
}

// leads says from which version of Kubernetes to which a plan leads, and on which hosts: an answer to
// a rollback's question needs it as much as one to an upgrade's. Empty where the plan changes no version.
func (s *Session) leads(r *Run, p plan.Plan) string {
	if !r.inChecks().ChangesVersion() || p.Empty() {
		return ""
	}
	target := s.bill.KubernetesVersion
	from := s.otherKubelets(target, slices.Concat(r.Without, p.Left))
	goes := "goes"
	if r.inChecks() == view.Rollback {
		goes = "goes back"
	}
	switch len(from) {
	case 0:
		return fmt.Sprintf("%s stays with Kubernetes %s.", s.cluster.Name, target)
	case 1:
		return fmt.Sprintf("%s %s from Kubernetes %s to %s on %s.", s.cluster.Name, goes, from[0].version, target, namedHosts(from[0].hosts))
	}
	var parts []string
	for _, one := range from {
		parts = append(parts, fmt.Sprintf("from %s on %s", one.version, namedHosts(one.hosts)))
	}
	return fmt.Sprintf("%s %s to Kubernetes %s: %s.", s.cluster.Name, goes, target, strings.Join(parts, "; "))
}

// onVersion is hosts whose kubelets have one version.
type onVersion struct {
	version string
	hosts   []string
}

// otherKubelets are the hosts whose kubelets have another version than the target, the most first.
func (s *Session) otherKubelets(target string, but []string) []onVersion {
	var all []onVersion
	for _, name := range s.HostNames() {
		version := s.kubeletOf(name)
		if version == "" || version == target || slices.Contains(but, name) {
			continue
		}
		at := slices.IndexFunc(all, func(one onVersion) bool { return one.version == version })
		if at < 0 {
			at, all = len(all), append(all, onVersion{version: version})
		}
		all[at].hosts = append(all[at].hosts, name)
	}
	slices.SortStableFunc(all, func(a, b onVersion) int { return cmp.Compare(len(b.hosts), len(a.hosts)) })
	return all
}

// kubeletOf is the version that a host's kubelet reports; empty where none does.
func (s *Session) kubeletOf(name string) string {
	for _, node := range s.live.Nodes {
		if node.Name == name {
			return node.KubeletVersion
		}
	}
	return ""
}
