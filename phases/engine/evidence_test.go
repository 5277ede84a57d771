package engine

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func TestAskedAreThoseWhoMaySayWhy(t *testing.T) {
	all := []string{"cp-1", "cp-2", "w-1"}
	connected := map[string]hosts.Host{}
	for _, name := range all {
		connected[name] = nil
	}
	tests := map[string]struct {
		step plan.Step
		want []string
	}{
		"the API server of one host":  {plan.Step{Cluster: plan.WaitAPI{Host: "cp-2"}}, []string{"cp-2"}},
		"a node":                      {plan.Step{Cluster: plan.WaitNode{Node: "w-1"}}, []string{"w-1"}},
		"a node that is not reached":  {plan.Step{Cluster: plan.WaitNode{Node: "w-2"}}, all},
		"an etcd member on its host":  {plan.Step{Cluster: plan.MemberPromote{Name: "cp-2"}}, []string{"cp-2"}},
		"the endpoint: any of them":   {plan.Step{Cluster: plan.WaitEndpoint{Host: "w-1"}}, all},
		"a rollout":                   {plan.Step{Cluster: plan.WaitAvailable{}}, all},
		"a unit that stops":           {plan.Step{Host: "w-1", Action: hosts.StopUnits{Names: []string{"haproxy.service"}}}, []string{"w-1"}},
		"a unit":                      {plan.Step{Host: "w-1", Action: hosts.SetUnit{Name: "haproxy.service"}}, []string{"w-1"}},
		"what is refused, not waited": {plan.Step{Cluster: plan.MemberAdd{Name: "cp-2"}}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &run{options: Options{Hosts: connected}}
			if got := r.concerned(test.step); !slices.Equal(got, test.want) {
				t.Errorf("concerned are %v, should be %v", got, test.want)
			}
		})
	}
}

// TestOnlyWhatConcernsAStepIsEvidence: a cause is looked for where the step's thing runs,
// and in what that stands on.
func TestOnlyWhatConcernsAStepIsEvidence(t *testing.T) {
	const (
		etcd    = "container kube-system/etcd-cp-1/etcd"
		manager = "container kube-system/kube-controller-manager-cp-1/kube-controller-manager"
		dns     = "container kube-system/coredns-1/coredns"
		flannel = "container kube-flannel/kube-flannel-ds-x/kube-flannel"
		tenant  = "container default/etcd-cp-1/etcd"
	)
	all := []string{kubelet, containerd, haproxy, keepalived, etcd, manager, dns, flannel, tenant, "port 6443 (kube-apiserver)", "disk", sourceContainerd}
	host := []string{"port 6443 (kube-apiserver)", "disk", sourceContainerd}
	tests := map[string]struct {
		step plan.Step
		want []string
	}{
		"the API server": {plan.Step{Cluster: plan.WaitAPI{Host: "cp-1"}}, []string{kubelet, containerd, etcd}},
		"a node":         {plan.Step{Cluster: plan.WaitNode{Node: "w-1"}}, []string{kubelet, containerd, etcd, manager, dns, flannel}},
		"a rollout": {
			plan.Step{Cluster: plan.WaitAvailable{Object: hosts.ObjectKey{Namespace: "kube-system", Name: "coredns"}}},
			[]string{kubelet, containerd, etcd, manager, dns},
		},
		"the endpoint": {plan.Step{Cluster: plan.WaitEndpoint{}}, []string{kubelet, containerd, haproxy, keepalived, etcd, manager, dns, flannel}},
		"a balancer":   {plan.Step{Action: hosts.SetUnit{Name: haproxy}}, []string{haproxy}},
		"the kubelet":  {plan.Step{Action: hosts.SetUnit{Name: kubelet}}, []string{kubelet, containerd}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, source := range all {
				if concerns(test.step)(source) {
					got = append(got, source)
				}
			}
			if want := append(test.want, host...); !slices.Equal(got, want) {
				t.Errorf("sources %q, should be %q", got, want)
			}
		})
	}
}
