package phases

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

func TestEtcdIsReachedWhereItsURLsLead(t *testing.T) {
	c := &cluster.Cluster{}
	c.Etcd.External = &cluster.ExternalEtcd{Endpoints: []string{"https://10.0.3.1:2379", "HTTPS://etcd.example:2379/", "https://[fd00::1]:2379"}}
	if got, want := view.EtcdAddresses(c), []string{"10.0.3.1:2379", "etcd.example:2379", "[fd00::1]:2379"}; !slices.Equal(got, want) {
		t.Errorf("asked at %q, want %q", got, want)
	}
}

// A member that has just begun makes of one note the other when it has data: who looked at its
// data before, and at its note after that, would take it for one that has lost them.
func TestTheNotesOfEtcdAreLookedAtBeforeItsData(t *testing.T) {
	c := &cluster.Cluster{Hosts: []cluster.Host{{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}}}
	paths := HostQuery(c, bundle.Bill{}, c.Hosts[0]).Paths
	order := []int{
		slices.Index(paths, manifests.EtcdMayBegin), slices.Index(paths, manifests.EtcdBegun), slices.Index(paths, view.EtcdLog),
	}
	if order[0] < 0 || !slices.IsSorted(order) {
		t.Errorf("want the note that it may begin, that it has, and then its data, got them at %v of %q", order, paths)
	}
}

// kube-proxy has a chain for each Service and each endpoint: thousands, on every host.
func TestWhatNoPlanIsMadeFromIsAskedForOnlyAtTheEnd(t *testing.T) {
	c := &cluster.Cluster{Hosts: []cluster.Host{{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}}}
	asked := HostQuery(c, bundle.Bill{}, c.Hosts[0])
	if names := slices.Concat(asked.Links, asked.Tables, asked.Chains); len(names) > 0 {
		t.Errorf("each look asks for %q", names)
	}
	table, left := manifests.OwnershipTable(), InspectQuery(c, nil)
	if !slices.Equal(left.Links, table.Links) || !slices.Equal(left.Tables, table.Tables) || !slices.Equal(left.Chains, table.Chains) {
		t.Errorf("the last look of a reset asks for links %q, tables %q, chains %q", left.Links, left.Tables, left.Chains)
	}
}

// A name that nobody plans by may hold up the look at a host, and say nothing.
func TestOnlyNamesThatArePlannedByAreLookedUp(t *testing.T) {
	plane, worker := cluster.Host{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}, cluster.Host{Name: "w-1", Roles: []cluster.Role{cluster.RoleWorker}}
	c := &cluster.Cluster{Hosts: []cluster.Host{plane, worker}}
	want := func(host cluster.Host, names ...string) {
		t.Helper()
		if got := HostQuery(c, bundle.Bill{}, host).Names; !slices.Equal(got, names) {
			t.Errorf("on %s %q are looked up, want %q", host.Name, got, names)
		}
	}
	want(plane)
	c.Endpoint.Host = "api.example"
	c.Etcd.External = &cluster.ExternalEtcd{Endpoints: []string{"https://etcd.example:2379", "https://10.0.3.1:2379"}}
	want(plane, "api.example", "etcd.example")
	want(worker, "api.example")
}
