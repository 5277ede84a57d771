package phases

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// The ports that Kubernetes listens on.
const (
	portAPI        = 6443
	portEtcdClient = 2379
	portEtcdPeer   = 2380
	portKubelet    = 10250
	portController = 10257
	portScheduler  = 10259
	portProxy      = 10256
)

// HostQuery says what to look at on a host, for every workflow. The bill may be empty
// where no bundle is at hand, as for a reset: then binaries and images are not looked at.
func HostQuery(c *cluster.Cluster, bill bundle.Bill, host cluster.Host) hosts.Query {
	table := manifests.OwnershipTable()
	query := hosts.Query{
		Paths:        hostPaths(bill, host, table),
		Trees:        []string{manifests.KubernetesFolder, "/etc/containerd", manifests.CNIConfFolder, certs.KubeletFolder},
		Entries:      []string{manifests.KubeletFolder, manifests.CNIState, manifests.ContainerdData},
		Certificates: certificateQueries(host),
		Kubeconfigs:  []string{manifests.KubeletConf},
		Units:        []string{manifests.ContainerdUnit, manifests.KubeletUnit},
		Sysctls:      manifests.SysctlKeys(c),
		Modules:      manifests.ModuleNames(),
		Images:       imageReferences(c, bill),
		Names:        names(c),
		Ports:        ports(c, host),
		Links:        table.Links,
		Tables:       table.Tables,
		Chains:       table.Chains,
	}
	if host.HasRole(cluster.RoleControlPlane) {
		query.Entries = append(query.Entries, manifests.EtcdData)
		query.Contents = []string{manifests.EtcdManifest}
		query.Kubeconfigs = append(query.Kubeconfigs, manifests.AdminConf, manifests.ControllerConf, manifests.SchedulerConf)
	}
	return query
}

// hostPaths are the single paths that plans are made from; what lies in the query's
// trees comes with those.
func hostPaths(bill bundle.Bill, host cluster.Host, table manifests.Ownership) []string {
	paths := []string{
		manifests.KubeletConfig, manifests.KubeletInstance, manifests.KubeletFlags,
		manifests.RootKubeFolder, manifests.RootKubeconfig,
		manifests.CrictlConfig, manifests.UnitsFolder + "/" + manifests.ContainerdUnit,
		manifests.UnitsFolder + "/" + manifests.KubeletUnit, manifests.KubeletDropIn,
		manifests.ModulesFile, manifests.SysctlFile, manifests.EtcdData, etcdMember,
	}
	paths = slices.Concat(paths, table.Trees, table.Logs, table.Shared)
	paths = append(paths, manifests.CATrustPaths()...)
	for _, set := range setsOf(bill, host) {
		for _, file := range set.Files {
			paths = append(paths, file.Path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// setsOf are the sets that the host's roles ask for.
func setsOf(bill bundle.Bill, host cluster.Host) []bundle.FileSet {
	names := []string{bundle.SetSlipway, bundle.SetNode}
	if host.HasRole(cluster.RoleControlPlane) {
		names = append(names, bundle.SetControlPlane)
	}
	var sets []bundle.FileSet
	for _, name := range names {
		if set, ok := bill.Set(name); ok {
			sets = append(sets, set)
		}
	}
	return sets
}

func certificateQueries(host cluster.Host) []hosts.CertificateQuery {
	queries := []hosts.CertificateQuery{{Cert: certs.KubeletCurrent, Key: certs.KubeletCurrent}}
	if !host.HasRole(cluster.RoleControlPlane) {
		return append(queries, hosts.CertificateQuery{Cert: certs.Kubernetes.CertPath()})
	}
	for _, authority := range certs.Authorities() {
		queries = append(queries, hosts.CertificateQuery{Cert: authority.CertPath(), Key: authority.KeyPath()})
	}
	for _, entry := range certs.Catalogue() {
		if entry.Form == certs.AsFiles {
			queries = append(queries, hosts.CertificateQuery{Cert: entry.CertPath(), Key: entry.KeyPath()})
		}
	}
	return queries
}

// imageReferences are the names that the bundle's images have in the cluster.
func imageReferences(c *cluster.Cluster, bill bundle.Bill) []string {
	var references []string
	for _, image := range bill.Images {
		references = append(references, image.Reference(c.ImageRepository))
	}
	return references
}

// names are those that have to resolve: the hosts' and the endpoint's.
func names(c *cluster.Cluster) []string {
	var found []string
	for _, host := range c.Hosts {
		found = append(found, host.Name)
	}
	if c.Endpoint.Host != "" && !slices.Contains(found, c.Endpoint.Host) {
		found = append(found, c.Endpoint.Host)
	}
	return found
}

// ports are those that the host's roles listen on.
func ports(c *cluster.Cluster, host cluster.Host) []int {
	found := []int{portKubelet, portProxy}
	if host.HasRole(cluster.RoleControlPlane) {
		api := portAPI
		if c.Endpoint.Mode == cluster.EndpointControlPlane && c.Endpoint.Port != 0 {
			api = c.Endpoint.Port
		}
		found = append(found, api, portEtcdClient, portEtcdPeer, portController, portScheduler)
	}
	return found
}

// InspectQuery says what to look at after a reset, to list what is left.
func InspectQuery(c *cluster.Cluster, before *hosts.Record) hosts.Query {
	table := manifests.OwnershipTable()
	query := hosts.Query{
		Trees: slices.Concat(table.Trees, table.Logs), Units: []string{manifests.ContainerdUnit, manifests.KubeletUnit},
		Links: table.Links, Tables: table.Tables, Chains: table.Chains,
	}
	if before != nil {
		for _, owned := range before.Paths {
			query.Paths = append(query.Paths, owned.Path)
		}
	}
	return query
}

// ClusterQuery says which objects to fetch: all that the cluster should hold, and those
// that say what it has settled on.
func ClusterQuery(in Input) (hosts.ClusterQuery, error) {
	input, err := in.manifests()
	if err != nil {
		return hosts.ClusterQuery{}, err
	}
	state, err := manifests.ClusterObjects(input)
	if err != nil {
		return hosts.ClusterQuery{}, fmt.Errorf("render the cluster's objects: %w", err)
	}
	query := hosts.ClusterQuery{Objects: []hosts.ObjectKey{markerKey, kubeletConfigKey, kubeProxyConfigKey}}
	for _, object := range state.Objects {
		if !slices.Contains(query.Objects, object.Key) {
			query.Objects = append(query.Objects, object.Key)
		}
	}
	return query, nil
}
