package main

import (
	"net/netip"
	"strings"

	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet"
)

// complete takes, for each family of the network that has no public address yet, the node's own.
func complete(public *ipmatch.PublicIPOpts, nodeAddresses string, config *subnet.Config) {
	for text := range strings.SplitSeq(nodeAddresses, ",") {
		address, err := netip.ParseAddr(strings.TrimSpace(text))
		switch {
		case err != nil:
		case address.Is4() && config.EnableIPv4 && public.PublicIP == "":
			public.PublicIP = address.String()
		case address.Is6() && config.EnableIPv6 && public.PublicIPv6 == "":
			public.PublicIPv6 = address.String()
		}
	}
}
