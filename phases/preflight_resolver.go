package phases

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

const checkResolver = "name-servers"

// corefileKey is the object that holds CoreDNS's configuration.
var corefileKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "coredns"}

// checkNameServers looks whether Pods of the host have a name server to ask, where CoreDNS,
// which may run on any node, asks what the host asks. It does not start where there is none. To
// prepare a host starts no CoreDNS: it is told, and in time.
func checkNameServers(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	if !in.dnsForwards() || len(manifests.NameServers(in.Cluster, facts)) > 0 {
		return nil
	}
	if in.Workflow == view.Prepare {
		return []Problem{warning(checkResolver, host, nameServerFix(in.Cluster, facts),
			"%s: if CoreDNS forwards to it, it will not start on this host", resolverLack(in.Cluster, facts))}
	}
	return []Problem{in.problemUnlessSettled(checkResolver, host, facts, nameServerFix(in.Cluster, facts),
		"%s, and CoreDNS, which forwards to it, does not start on this host", resolverLack(in.Cluster, facts))}
}

// nameServerProblems tells of a cluster none of whose nodes has a name server: it works, and
// knows no names but its own.
func (in Input) nameServerProblems(targets []cluster.Host) []Problem {
	if in.dnsForwards() || len(in.ClusterFacts.Objects[corefileKey]) > 0 {
		return nil // or the choice was made before
	}
	for _, host := range targets {
		if facts, seen := in.Facts[host.Name]; seen && host.IsNode() {
			return []Problem{{
				Check: checkResolver, Severity: SeverityWarning,
				Detail: fmt.Sprintf("no node has a name server that Pods can reach (on %s, %s): CoreDNS will answer for the cluster's own names alone",
					host.Name, resolverLack(in.Cluster, facts)),
				Fix: "where Pods need other names too, before this: " + nameServerFix(in.Cluster, facts) +
					"; afterwards also add the line `forward . " + manifests.ResolvConf + "` by: slipway kubectl -n kube-system edit configmap coredns",
			}}
		}
	}
	return nil
}

// dnsForwards tells whether CoreDNS asks the name servers of the host that it runs on: the
// running one, else the one that would be set up.
func (in Input) dnsForwards() bool {
	if live, there := in.ClusterFacts.Objects[corefileKey]; there {
		return bytes.Contains(live, []byte("forward . "+manifests.ResolvConf))
	}
	expected := in.Workflow == view.Join
	for _, host := range in.Cluster.Nodes() {
		facts, seen := in.Facts[host.Name]
		if seen && len(manifests.NameServers(in.Cluster, facts)) > 0 {
			return true
		}
		expected = expected || !seen && in.Workflow == view.Prepare // one that was not looked at may have some
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
