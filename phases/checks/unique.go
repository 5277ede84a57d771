package checks

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// withSame is another host of the file that has something in common with one, and is no twin of it: that is
// told by the check of the machine.
func withSame(v view.View, host cluster.Host, facts hosts.Facts, same func(hosts.Facts) bool) string {
	if sameMachine(v, host, facts) != "" {
		return ""
	}
	for _, other := range v.Cluster.Hosts {
		if seen, there := v.Facts[other.Name]; there && other.Name != host.Name && same(seen) {
			return other.Name
		}
	}
	return ""
}

// sameUUID is a firmware's identity that another host has too: a copied virtual machine's. The kubelet reports it,
// and clouds and storage drivers tell nodes apart by it.
func sameUUID(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	other := withSame(v, host, facts, func(f hosts.Facts) bool {
		return facts.SystemUUID != "" && strings.EqualFold(facts.SystemUUID, f.SystemUUID)
	})
	return when(other != "", finding("give the virtual machine a UUID of its own where it is defined",
		"its firmware's UUID is that of %s too (%s): one is a copy of the other", other, facts.SystemUUID))
}

// sameMAC is a hardware address that another host has too, on the interface that carries the host's own address.
func sameMAC(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	own := macOf(host, facts)
	other := ""
	for _, one := range v.Cluster.Hosts {
		if own != "" && one.Name != host.Name && strings.EqualFold(own, macOf(one, v.Facts[one.Name])) {
			other = one.Name
		}
	}
	return when(other != "" && sameMachine(v, host, facts) == "",
		finding("give the machine's interface a MAC address of its own where the machine is defined",
			"its hardware address %s is that of %s too: switches would send the one's packets to the other", own, other))
}

// macOf is the hardware address of the interface that has a host's address.
func macOf(host cluster.Host, facts hosts.Facts) string {
	address, err := netip.ParseAddr(host.Address())
	if err != nil {
		return ""
	}
	link, _ := facts.LinkWith(address)
	return link.MAC
}

// sameHostname is a host name that another host has too, and keeps.
func sameHostname(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Hostname == "" || host.Hostname != cluster.HostnameKeep {
		return nil // it is set to the host's name, and those are unique
	}
	other := withSame(v, host, facts, func(f hosts.Facts) bool { return strings.EqualFold(facts.Hostname, f.Hostname) })
	return when(other != "", finding("hostnamectl set-hostname "+host.Name+", or leave hostname: keep out of the cluster file",
		"it calls itself %s, as %s does: logs and journals do not tell them apart", facts.Hostname, other))
}

// noLocalhost is a hosts file by which localhost does not lead to the host itself.
func noLocalhost(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Conditions == nil {
		return nil
	}
	leads := slices.ContainsFunc(facts.Conditions.Localhost, func(text string) bool {
		address, err := netip.ParseAddr(text)
		return err == nil && address.IsLoopback()
	})
	const fix = "write the line `127.0.0.1 localhost` into /etc/hosts"
	if len(facts.Conditions.Localhost) > 0 && !leads {
		return []Finding{warning(fix, "/etc/hosts leads localhost to %s: what asks the host itself goes astray", strings.Join(facts.Conditions.Localhost, ", "))}
	}
	return when(!leads, warning(fix, "/etc/hosts has no localhost: a Pod with the host's network finds it only where a name server knows it"))
}
