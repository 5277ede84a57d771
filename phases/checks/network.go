package checks

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// missingAddresses looks for the addresses that the other hosts are to reach it by.
func missingAddresses(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	have := addressesOf(facts)
	var all []Finding
	for _, text := range host.Addresses {
		want, err := netip.ParseAddr(text)
		if err == nil && slices.Contains(have, want.Unmap()) {
			continue
		}
		all = append(all, finding("set hosts[].address to one of: "+listAddresses(have), "no interface has the address %s", text))
		all[len(all)-1].Check = "HostAddress" // also where the machine's check tells it
	}
	return all
}

func addressesOf(facts hosts.Facts) []netip.Addr {
	var found []netip.Addr
	for _, link := range facts.Interfaces {
		for _, text := range link.Addresses {
			if prefix, err := netip.ParsePrefix(text); err == nil {
				found = append(found, prefix.Addr().Unmap())
			} else if address, err := netip.ParseAddr(text); err == nil {
				found = append(found, address.Unmap())
			}
		}
	}
	return found
}

func listAddresses(addresses []netip.Addr) string {
	var texts []string
	for _, address := range addresses {
		if !address.IsLoopback() && !address.IsLinkLocalUnicast() {
			texts = append(texts, address.String())
		}
	}
	return strings.Join(texts, ", ")
}

// takenPorts looks for somebody else on the ports that Kubernetes listens on.
func takenPorts(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	ours := facts.Record != nil && facts.Record.Cluster.ID == v.ClusterID.ID
	var all []Finding
	for _, port := range view.Ports(v.Cluster, host) {
		listener, taken := facts.Listeners[port]
		if !taken || ours && isOwn(v, host, port, listener) {
			continue
		}
		found := finding(fmt.Sprintf("see who it is, and stop it: ss -ltnp 'sport = :%d'", port),
			"port %d is taken by %s", port, cmp.Or(listener, "another program")).of("Port", port)
		if ours { // what it calls itself proves little on a host that is the cluster's already
			found.Severity = Warning
		}
		all = append(all, found)
	}
	return all
}

// isOwn tells whether a listener is what Slipway itself put there.
func isOwn(v view.View, host cluster.Host, port int, listener string) bool {
	want := "kube"
	switch {
	case port == cluster.PortEtcdClient || port == cluster.PortEtcdPeer:
		want = "etcd"
	case v.Cluster.Balances(host) && port == v.Cluster.Endpoint.Port:
		want = "haproxy"
	}
	return listener == "" || strings.Contains(listener, want)
}
