package manifests

import (
	"net/netip"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// ResolvConf is where the kubelet looks for name servers unless it is told otherwise.
const ResolvConf = "/etc/resolv.conf"

// ConfiguredResolver is the resolv.conf that the user's KubeletConfiguration names for all hosts;
// set is false where it names none, and each host's own counts. Empty: no file at all.
func ConfiguredResolver(c *cluster.Cluster) (path string, set bool) {
	path, set = c.Kubelet["resolvConf"].(string)
	return path, set
}

// Resolver is the resolv.conf that a host's Pods inherit, and the name servers in it. The
// file is empty where there is none.
func Resolver(c *cluster.Cluster, facts hosts.Facts) (path string, servers []string) {
	if path, set := ConfiguredResolver(c); set && path != facts.Resolver {
		return path, hosts.NameServers(facts.Contents[path])
	}
	return facts.Resolver, facts.NameServers
}

// NameServers are those that a host's Pods inherit and can reach: a server on the host's
// loopback is another one, or none, on theirs, and one with a link-local address (fe80::1%eth0)
// is on no link of theirs.
func NameServers(c *cluster.Cluster, facts hosts.Facts) []netip.Addr {
	_, servers := Resolver(c, facts)
	var found []netip.Addr
	for _, server := range servers {
		if address, err := netip.ParseAddr(server); err == nil && !address.IsLoopback() && !address.IsUnspecified() &&
			!(address.Is6() && address.IsLinkLocalUnicast()) {
			found = append(found, address.Unmap())
		}
	}
	return found
}

// forwards tells whether CoreDNS asks other servers for names that are not the cluster's.
// Where no node names a server that it could ask, it would not even start with that in its
// Corefile; it then answers for the cluster alone. Of hosts that were not seen, servers are
// expected.
func (in Input) forwards() bool {
	seen := false
	for _, host := range in.Cluster.Nodes() {
		facts, known := in.Facts[host.Name]
		if known && len(NameServers(in.Cluster, facts)) > 0 {
			return true
		}
		seen = seen || known
	}
	return !seen
}
