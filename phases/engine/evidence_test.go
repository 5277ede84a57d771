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
