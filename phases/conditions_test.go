package phases

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
)

// TestModulesThatAreLookedFor: what flannel and kube-proxy have the kernel load is looked for on nodes before they
// need it.
func TestModulesThatAreLookedFor(t *testing.T) {
	own := []string{"overlay", "br_netfilter"}
	for name, test := range map[string]struct {
		change func(*cluster.Cluster)
		role   cluster.Role
		want   []string
	}{
		"flannel":         {func(*cluster.Cluster) {}, cluster.RoleWorker, append(slices.Clone(own), "vxlan")},
		"another network": {func(c *cluster.Cluster) { c.Networking.AddOn = cluster.AddOnNone }, cluster.RoleWorker, own},
		"ipvs":            {func(c *cluster.Cluster) { c.KubeProxy = map[string]any{"mode": "ipvs"} }, cluster.RoleWorker, append(slices.Clone(own), "vxlan", "ip_vs", "ip_vs_rr")},
		"another scheduler": {func(c *cluster.Cluster) {
			c.KubeProxy = map[string]any{"mode": "ipvs", "ipvs": map[string]any{"scheduler": "sh"}}
		}, cluster.RoleWorker, append(slices.Clone(own), "vxlan", "ip_vs", "ip_vs_sh")},
		"a load balancer": {func(*cluster.Cluster) {}, cluster.RoleLoadBalancer, nil},
	} {
		host := cluster.Host{Name: "h-1", Addresses: []string{"10.0.0.9"}, Roles: []cluster.Role{test.role}}
		c := &cluster.Cluster{Name: "try", Endpoint: cluster.Endpoint{Mode: cluster.EndpointLoadBalancers, Host: "10.0.0.200"}, Hosts: []cluster.Host{
			{Name: "cp-1", Addresses: []string{"10.0.0.1"}, Roles: []cluster.Role{cluster.RoleControlPlane}}, host}}
		cluster.Defaults(c)
		test.change(c)
		if got := ConditionsQuery(c, bundle.Bill{}, host).Modules; !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
