package checks

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// noIPv6 is a node whose kernel has IPv6 switched off, or would have after the next boot, where the
// cluster has addresses of it.
func noIPv6(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	if !v.Cluster.Networking.Has(cluster.IPv6) || len(facts.Sysctls) == 0 {
		return nil
	}
	if _, there := facts.Sysctls[manifests.IPv6Forwarding]; !there {
		return []Finding{finding("take ipv6.disable=1 off the kernel's command line, and boot again; or leave IPv6 out of the file",
			"the kernel has no IPv6, and the cluster has addresses of it")}
	}
	var all []Finding
	for _, key := range manifests.IPv6Off {
		boot := facts.Boot.Sysctls[key]
		switch {
		case facts.Sysctls[key] == "1":
			all = append(all, finding("sysctl -w "+key+"=0, and take the line out of what sets it: grep -rs "+key+" /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d",
				"IPv6 is switched off (%s = 1), and the cluster has addresses of it", key))
		case boot.Value == "1":
			all = append(all, finding("take the line out of "+boot.File,
				"at the next boot %s switches IPv6 off (%s = 1), and the cluster has addresses of it", boot.File, key))
		}
	}
	return all
}

// apartAddresses is a node whose two addresses are on different interfaces: flannel takes one
// interface for both, and does not start there.
func apartAddresses(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if v.Cluster.Networking.AddOn != cluster.AddOnFlannel || len(host.Addresses) < 2 {
		return nil
	}
	first, second := linkWith(facts, host.Addresses[0]), linkWith(facts, host.Addresses[1])
	return when(first != "" && second != "" && first != second,
		finding("name addresses of one interface in hosts[].addresses, or bring a network of your own (networking.addOn: none)",
			"%s is on %s and %s on %s: flannel carries both families over one interface", host.Addresses[0], first, host.Addresses[1], second))
}
