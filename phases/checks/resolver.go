package checks

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// corefileKey is the object that holds CoreDNS's configuration.
var corefileKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "coredns"}

// noNameServer looks whether Pods of the host have a name server to ask, where CoreDNS,
// which may run on any node, asks what the host asks. It does not start where there is none. To
// prepare a host starts no CoreDNS: it is told, and in time.
func noNameServer(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if !dnsForwards(v) || len(manifests.NameServers(v.Cluster, facts)) > 0 {
		return nil
	}
	if v.Workflow == view.Prepare {
		return []Finding{warning(nameServerFix(v.Cluster, facts),
			"%s: if CoreDNS forwards to it, it will not start on this host", resolverLack(v.Cluster, facts))}
	}
	return []Finding{late(v, host, facts, nameServerFix(v.Cluster, facts),
		"%s, and CoreDNS, which forwards to it, does not start on this host", resolverLack(v.Cluster, facts))}
}

// noNameServers tells of a cluster none of whose nodes has a name server: it works, and
// knows no names but its own.
func noNameServers(v view.View) []Finding {
	if dnsForwards(v) || len(v.ClusterFacts.Objects[corefileKey]) > 0 {
		return nil // or the choice was made before
	}
	for _, host := range targets(v) {
		if facts, seen := v.Facts[host.Name]; seen && host.IsNode() {
			return []Finding{finding("where Pods need other names too, before this: "+nameServerFix(v.Cluster, facts)+
				"; afterwards also add the line `forward . "+manifests.ResolvConf+"` by: slipway kubectl -n kube-system edit configmap coredns",
				"no node has a name server that Pods can reach (on %s, %s): CoreDNS will answer for the cluster's own names alone",
				host.Name, resolverLack(v.Cluster, facts))}
		}
	}
	return nil
}

// dnsForwards tells whether CoreDNS asks the name servers of the host that it runs on: the
// running one, else the one that would be set up.
func dnsForwards(v view.View) bool {
	if live, there := v.ClusterFacts.Objects[corefileKey]; there {
		return bytes.Contains(live, []byte("forward . "+manifests.ResolvConf))
	}
	expected := v.Workflow == view.Join
	for _, host := range v.Cluster.Nodes() {
		facts, seen := v.Facts[host.Name]
		if seen && len(manifests.NameServers(v.Cluster, facts)) > 0 {
			return true
		}
		expected = expected || !seen && v.Workflow == view.Prepare // one that was not looked at may have some
	}
	return expected
}

// resolverLack says what is wrong with a resolv.conf that gives Pods no name server.
func resolverLack(c *cluster.Cluster, facts hosts.Facts) string {
	path, servers := manifests.Resolver(c, facts)
	switch {
	case path == "":
		return "there is no " + manifests.ResolvConf
	case len(servers) == 0:
		return path + " names no name server"
	}
	return fmt.Sprintf("%s names only %s, which a Pod cannot reach", path, strings.Join(servers, ", "))
}

func nameServerFix(c *cluster.Cluster, facts hosts.Facts) string {
	path, _ := manifests.Resolver(c, facts)
	if path == "" {
		path = manifests.ResolvConf
	}
	return "write `nameserver ADDRESS` to " + path + " by what manages that file, or name another file as resolvConf in a KubeletConfiguration document of the cluster file"
}
