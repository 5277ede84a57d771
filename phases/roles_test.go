package phases

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// TestNoRoleIsTakenFromAHost: pruning never takes a control plane apart.
func TestNoRoleIsTakenFromAHost(t *testing.T) {
	tests := []struct {
		name   string
		shape  shape
		change func(*cluster.Cluster)
		want   string
	}{
		{"a control plane", shape{planes: 3, workers: 1}, role("cp-3", cluster.RoleWorker), "cp-3: Roles: the host was made a control plane"},
		{"a worker", shape{planes: 3, workers: 1}, role("w-1", cluster.RoleControlPlane), "w-1: Roles: the host was made a worker"},
		{"a node", shape{planes: 3, workers: 1}, role("w-1", cluster.RoleLoadBalancer), "w-1: Roles: the host was made a node"},
		{"a load balancer", shape{mode: cluster.EndpointLoadBalancers, planes: 3, spares: 2}, role("lb-1", cluster.RoleWorker), "lb-1: Roles: the host was made a load balancer"},
		{"a member of etcd", shape{planes: 3}, func(c *cluster.Cluster) {
			c.Etcd.External = &cluster.ExternalEtcd{Endpoints: []string{"https://" + testEtcd}, CAFile: "etcd-ca.crt", CertFile: "etcd.crt", KeyFile: "etcd.key"}
		}, "cp-1: Roles: the host was made a control plane with a member of etcd"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.shape.mode == "" {
				test.shape.mode = cluster.EndpointVIP
			}
			w := newWorldOf(t, test.shape)
			w.init(seeded(1))
			test.change(w.cluster)
			for _, host := range w.cluster.Hosts {
				w.mintLeaves(host)
			}
			w.query = nil
			in := w.observe()
			in.IgnoreChecks = []string{"Roles"}
			_, _, err := Init(in)
			if !refusedFor(err, "Roles") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("refused for %v, want %s", err, test.want)
			}
		})
	}
}

// role gives a host another role.
func role(name string, to cluster.Role) func(*cluster.Cluster) {
	return func(c *cluster.Cluster) {
		for i := range c.Hosts {
			if c.Hosts[i].Name == name {
				c.Hosts[i].Roles = []cluster.Role{to}
			}
		}
	}
}
