package phases

import (
	"fmt"
	"path"
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// HostQuery says what to look at on a host, for every workflow. The bill may be empty
// where no bundle is at hand, as for a reset: then binaries and images are not looked at.
// The links, tables and chains of the cluster's network are not asked for: no step is planned
// by them, a reset removes them by the names that the ownership table has, and kube-proxy has
// a chain for each Service and each endpoint. InspectQuery asks for what is left of them.
func HostQuery(c *cluster.Cluster, bill bundle.Bill, host cluster.Host) hosts.Query {
	wanted := manifests.Skeleton(c, bill, host)
	query := hosts.Query{
		Recorded:     true,
		Paths:        hostPaths(c, host, wanted),
		Trees:        []string{manifests.KubernetesFolder, "/etc/containerd", manifests.CNIConfFolder, certs.KubeletFolder},
		Entries:      []string{manifests.KubeletFolder, manifests.CNIState, manifests.ContainerdData},
		Certificates: append(wanted.Certificates(), hosts.CertificateQuery{Cert: certs.Kubernetes.CertPath()}),
		Kubeconfigs:  wanted.Kubeconfigs(),
		Units:        wanted.UnitNames(),
		Sysctls:      sortedKeys(wanted.Sysctls),
		Modules:      wanted.Modules,
		Images:       wanted.References(),
		Names:        slices.DeleteFunc(append(view.NeededNames(c, host), peerNames(c, host)...), func(name string) bool { return name == "" }),
		Ports:        view.Ports(c, host),
	}
	if c.MayHold(host) {
		query.VirtualIP = &hosts.VirtualIPQuery{
			Address: c.VirtualAddress(), Interface: c.Endpoint.VRRP.Interface, Unit: manifests.KeepalivedUnit,
		}
	}
	if !host.IsNode() {
		return query
	}
	if c.Networking.Has(cluster.IPv6) {
		query.Sysctls = append(query.Sysctls, manifests.IPv6Off...)
	}
	query.Sandboxes = true
	query.Reach = reachable(c, host)
	query.Subnets = slices.Concat(c.Networking.PodSubnets, c.Networking.ServiceSubnets)
	for _, address := range c.Networking.DNSAddresses() {
		query.RouteTo = append(query.RouteTo, address.String())
	}
	if path, said := manifests.ConfiguredResolver(c); said && path != "" {
		query.Contents = append(query.Contents, path)
	}
	if !host.HasRole(cluster.RoleControlPlane) {
		return query
	}
	query.Entries = append(query.Entries, manifests.EtcdData)
	query.Contents = append(query.Contents, manifests.EtcdManifest)
	if c.StackedEtcd() {
		query.Sync = manifests.EtcdData
	}
	return query
}

// peerNames are the names of other hosts that the host is to find.
func peerNames(c *cluster.Cluster, host cluster.Host) []string {
	var names []string
	for _, entry := range manifests.PeerEntries(c, host) {
		names = append(names, entry.Names...)
	}
	return names
}

// UpgradeQuery is HostQuery for an upgrade, which has to know what belongs to the version in force.
func UpgradeQuery(c *cluster.Cluster, bill bundle.Bill, host cluster.Host) hosts.Query {
	query := HostQuery(c, bill, host)
	query.Contents = append(query.Contents, manifests.BillFile)
	return query
}

// reachable are the addresses that a node has to reach and that are not Slipway's to make.
func reachable(c *cluster.Cluster, host cluster.Host) []string {
	var found []string
	if c.Endpoint.Mode == cluster.EndpointExternal {
		if address, err := manifests.EndpointAddress(c); err == nil {
			found = append(found, address)
		}
	}
	if !c.StackedEtcd() && host.HasRole(cluster.RoleControlPlane) {
		found = append(found, view.EtcdAddresses(c)...)
	}
	return found
}

// hostPaths are the single paths that plans are made from, beside what lies in the query's trees:
// what the host should have, also what its units read of a bundle that is not at hand, and what
// a cluster leaves there.
func hostPaths(c *cluster.Cluster, host cluster.Host, wanted manifests.HostState) []string {
	table := manifests.OwnershipTable()
	paths := slices.Concat(wanted.Paths(), table.Trees, table.Logs, table.Shared, cluster.CAFolders[1:],
		[]string{manifests.RootKubeFolder, manifests.RootKubeconfig, view.EtcdLog, manifests.EtcdNotes})
	for _, unit := range wanted.Units {
		paths = slices.Concat(paths, unit.Inputs, unit.Reloads)
	}
	if host.HasRole(cluster.RoleControlPlane) {
		paths = append(paths, mountedPaths(c)...)
	}
	paths = append(paths, manifests.ParentsOf(slices.Concat(paths, etcdNotes))...)
	slices.Sort(paths)
	return append(slices.Clone(etcdNotes), slices.Compact(paths)...)
}

// etcdNotes are looked at before etcd's data: etcd renames the first to the second once it has
// data, so that a member seen as begun is seen with its data too.
var etcdNotes = []string{manifests.EtcdMayBegin, manifests.EtcdBegun}

// mountedPaths are what of the host the user's volumes and flags show to static Pods.
func mountedPaths(c *cluster.Cluster) []string {
	var found []string
	for _, pod := range c.StaticPods() {
		for _, volume := range pod.Volumes {
			found = append(found, path.Clean(volume.HostPath))
		}
		for _, file := range pod.Files() {
			if file.Host != "" {
				found = append(found, file.Host)
			}
		}
	}
	return found
}

// InspectQuery says what to look at after a reset, to list what is left.
func InspectQuery(c *cluster.Cluster, before *hosts.Record) hosts.Query {
	table := manifests.OwnershipTable()
	query := hosts.Query{
		Trees: slices.Concat(table.Trees, table.Logs),
		Links: table.Links, Tables: table.Tables, Chains: table.Chains,
	}
	if before != nil {
		for _, owned := range before.Paths {
			query.Paths = append(query.Paths, owned.Path)
		}
		query.Units = before.Units
	}
	return query
}

// clusterInfoKey is the object that tells those who join where the cluster is.
var clusterInfoKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-public", Name: "cluster-info"}

// ClusterQuery says which objects to fetch: all that the cluster should hold, those
// that say what it has settled on, and what else Slipway has applied. Without a bundle only
// the second are planned with, and the one that names a control plane.
func ClusterQuery(in Input) (hosts.ClusterQuery, error) {
	query := hosts.ClusterQuery{Objects: []hosts.ObjectKey{view.MarkerKey, view.KubeletConfigKey, view.KubeProxyConfigKey, clusterInfoKey}}
	if in.Bill.KubernetesVersion == "" {
		return query, nil
	}
	input, err := in.manifests()
	if err != nil {
		return hosts.ClusterQuery{}, err
	}
	state, err := manifests.ClusterObjects(input)
	if err != nil {
		return hosts.ClusterQuery{}, fmt.Errorf("render the cluster's objects: %w", err)
	}
	for _, object := range state.Objects {
		if !slices.Contains(query.Objects, object.Key) {
			query.Objects = append(query.Objects, object.Key)
		}
	}
	query.Inventory = manifests.Inventory()
	return query, nil
}
