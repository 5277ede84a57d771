package main

import (
	"math/big"
	"net"
	"os"
	"strings"

	"github.com/flannel-io/flannel/pkg/ip"
	"k8s.io/klog/v2"
)

// previous is what the flanneld before this one had: its rules are replaced where the
// subnet or the network is another now. What is not known is empty.
type previous struct {
	network, subnet   ip.IP4Net
	network6, subnet6 ip.IP6Net
}

// readPrevious reads it from the file that was written for the CNI plugin.
func readPrevious(path string) previous {
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		klog.Warningf("read what the flanneld before had: %v", err)
	}
	return parsePrevious(string(content))
}

func parsePrevious(content string) previous {
	values := map[string]string{}
	for line := range strings.Lines(content) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			values[key] = value
		}
	}
	four := func(key string) ip.IP4Net {
		if _, subnet, err := net.ParseCIDR(values[key]); err == nil && subnet.IP.To4() != nil {
			return ip.FromIPNet(subnet)
		}
		return ip.IP4Net{}
	}
	six := func(key string) ip.IP6Net {
		if _, subnet, err := net.ParseCIDR(values[key]); err == nil && subnet.IP.To4() == nil {
			return ip.FromIP6Net(subnet)
		}
		return ip.IP6Net{IP: (*ip.IP6)(big.NewInt(0))}
	}
	return previous{
		network: four("FLANNEL_NETWORK"), subnet: four("FLANNEL_SUBNET"),
		network6: six("FLANNEL_IPV6_NETWORK"), subnet6: six("FLANNEL_IPV6_SUBNET"),
	}
}
