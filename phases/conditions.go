package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// mostPeers is of how many other hosts it is looked up how they are reached.
const mostPeers = 32

// ConditionsQuery says what only checks look at, on a host that comes or may come.
func ConditionsQuery(c *cluster.Cluster, bill bundle.Bill, host cluster.Host) *hosts.ConditionsQuery {
	wanted, table := manifests.Skeleton(c, bill, host), manifests.OwnershipTable()
	query := &hosts.ConditionsQuery{
		Places: []string{"/etc", bundle.ComponentsFolder, "/var/lib/slipway"},
		Own:    host.Addresses,
		Peers:  otherAddresses(c, host),
	}
	if host.IsNode() {
		query.Places = append(query.Places, manifests.KubeletBinary, manifests.CNIBinFolder, manifests.KubeletFolder, manifests.ContainerdData, manifests.ProcSys)
		query.Modules = slices.Concat(wanted.Modules, manifests.OnDemand(c))
		query.Programs = []string{"mount", "umount", "losetup"}
		query.Leftovers = &hosts.LeftoversQuery{
			Links: table.Links, Tables: table.Tables, Chains: table.Chains, Mounts: table.Mounts,
			Processes: clusterPrograms(c), Units: wanted.UnitNames(),
		}
	}
	if host.HasRole(cluster.RoleControlPlane) && c.StackedEtcd() {
		query.Places = append(query.Places, manifests.EtcdData)
	}
	return query
}

// otherAddresses are addresses of others, the control planes' first: as many as it needs to see by which interface the
// host reaches them.
func otherAddresses(c *cluster.Cluster, host cluster.Host) []string {
	var peers []string
	for _, other := range append(c.ControlPlanes(), c.Hosts...) {
		for _, address := range other.Addresses {
			if other.Name != host.Name && !slices.Contains(peers, address) && len(peers) < mostPeers {
				peers = append(peers, address)
			}
		}
	}
	return peers
}

// clusterPrograms are those of which a process shows that a cluster runs on a host. An etcd of the user's own may.
func clusterPrograms(c *cluster.Cluster) []string {
	programs := []string{
		"kubelet", "kube-proxy", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "flanneld",
		"containerd-shim", "containerd-shim-runc-v2",
	}
	if c.StackedEtcd() {
		programs = append(programs, "etcd")
	}
	return programs
}
