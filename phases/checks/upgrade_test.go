package checks

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestWhatANewVersionNoLongerKnowsIsFoundBefore: the file was read for the version that runs.
func TestWhatANewVersionNoLongerKnowsIsFoundBefore(t *testing.T) {
	file := cluster.Cluster{KubernetesVersion: "v1.36.3", ExtraArgs: cluster.ExtraArgs{
		ControllerManager: []cluster.Arg{{Name: "v", Value: "2"}, {Name: "concurrent-service-syncs", Value: "2"}},
	}}
	if found := unknownSettings(view.View{Cluster: &file}); len(found) > 0 {
		t.Errorf("the version that runs: %v", found)
	}
	file.KubernetesVersion = "v1.37.2"
	found := unknownSettings(view.View{Cluster: &file})
	if len(found) != 1 || !strings.HasPrefix(found[0].Seen, "extraArgs.controllerManager[1].name of the cluster file: kube-controller-manager has no flag concurrent-service-syncs") {
		t.Errorf("the version that is coming: %v", found)
	}
}

// TestAnUpgradeBeginsOnlyWhereAllIsWell, and goes on where it has begun.
func TestAnUpgradeBeginsOnlyWhereAllIsWell(t *testing.T) {
	v := view.View{
		Cluster: &cluster.Cluster{Hosts: []cluster.Host{{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}, {Name: "w-1", Roles: []cluster.Role{cluster.RoleWorker}}}},
		Bill:    bundle.Bill{KubernetesVersion: "v1.37.2"},
		ClusterFacts: hosts.ClusterFacts{
			Reachable: true,
			Nodes:     []hosts.Node{{Name: "cp-1", Ready: true, KubeletVersion: "v1.36.3"}, {Name: "w-1", Reason: "KubeletNotReady", KubeletVersion: "v1.36.3"}, {Name: "unknown"}},
			Members:   []hosts.Member{{Name: "cp-1", Healthy: true}, {Name: "cp-2", Detail: "connection refused"}},
			Health:    []hosts.Health{{Host: "cp-1", Component: "kube-scheduler", Detail: "connection refused"}},
		},
	}
	told := func() (errors, all int) {
		for _, found := range unwellForUpgrade(v) {
			if all++; found.Severity != Warning {
				errors++
			}
		}
		return errors, all
	}
	if errors, all := told(); errors != 3 || all != 3 {
		t.Errorf("%d findings, %d of them errors: %v", all, errors, unwellForUpgrade(v))
	}
	v.ClusterFacts.Nodes[0].KubeletVersion = "v1.37.2"
	if errors, all := told(); errors != 0 || all != 3 {
		t.Errorf("once begun: %d findings, %d of them errors", all, errors)
	}
}
