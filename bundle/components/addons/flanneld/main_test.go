package main

import (
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet"
)

// The DaemonSet's own arguments, and what is refused.
func TestFlags(t *testing.T) {
	o, err := parse([]string{"--ip-masq", "--kube-subnet-mgr", "--public-ip=10.0.0.1", "-iface=eth0", "-iface=eth1"})
	if err != nil || !o.masquerade || !o.forwardRules || !o.condition || o.publicIP != "10.0.0.1" || o.interfaces.String() != "eth0,eth1" || o.resync != 5 {
		t.Errorf("got %+v, %v", o, err)
	}
	for arguments, says := range map[string]string{
		"":                                    "-kube-subnet-mgr is missing",
		"-kube-subnet-mgr=false":              "-kube-subnet-mgr is missing",
		"-kube-subnet-mgr -iptables-resync=0": "at least 1",
		"-kube-subnet-mgr up":                 `"up" is no flag`,
		"-etcd-endpoints=http://10.0.0.1":     "etcd-endpoints",
	} {
		if _, err := parse(strings.Fields(arguments)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: want %q, got %v", arguments, says, err)
		}
	}
	if _, err := parse([]string{"-version"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-version: got %v", err)
	}
}

// TestPublicAddresses: the node's own fill in for what no flag and no earlier run says.
func TestPublicAddresses(t *testing.T) {
	both := &subnet.Config{EnableIPv4: true, EnableIPv6: true}
	for name, test := range map[string]struct {
		has    ipmatch.PublicIPOpts
		node   string
		config *subnet.Config
		want   ipmatch.PublicIPOpts
	}{
		"the other family":  {ipmatch.PublicIPOpts{PublicIP: "10.0.0.1"}, "10.0.0.1,fd00::1", both, ipmatch.PublicIPOpts{PublicIP: "10.0.0.1", PublicIPv6: "fd00::1"}},
		"IPv6 before":       {ipmatch.PublicIPOpts{PublicIPv6: "fd00::1"}, "fd00::1, 10.0.0.1", both, ipmatch.PublicIPOpts{PublicIP: "10.0.0.1", PublicIPv6: "fd00::1"}},
		"said already":      {ipmatch.PublicIPOpts{PublicIP: "192.0.2.1", PublicIPv6: "fd00::9"}, "10.0.0.1,fd00::1", both, ipmatch.PublicIPOpts{PublicIP: "192.0.2.1", PublicIPv6: "fd00::9"}},
		"a family too many": {ipmatch.PublicIPOpts{PublicIP: "10.0.0.1"}, "10.0.0.1,fd00::1", &subnet.Config{EnableIPv4: true}, ipmatch.PublicIPOpts{PublicIP: "10.0.0.1"}},
		"not told":          {ipmatch.PublicIPOpts{PublicIP: "10.0.0.1"}, "", both, ipmatch.PublicIPOpts{PublicIP: "10.0.0.1"}},
	} {
		if complete(&test.has, test.node, test.config); test.has != test.want {
			t.Errorf("%s: got %+v, want %+v", name, test.has, test.want)
		}
	}
}

// TestPodMTU: what vxlan puts around a packet is longer over IPv6.
func TestPodMTU(t *testing.T) {
	for _, test := range []struct {
		config subnet.Config
		want   int
	}{
		{subnet.Config{EnableIPv4: true, BackendType: "vxlan"}, 1450},
		{subnet.Config{EnableIPv4: true, EnableIPv6: true, BackendType: "vxlan"}, 1430},
		{subnet.Config{EnableIPv6: true, BackendType: "host-gw"}, 1450},
	} {
		if got := podMTU(&test.config, 1450); got != test.want {
			t.Errorf("%+v: got %d, want %d", test.config, got, test.want)
		}
	}
}

func TestPrevious(t *testing.T) {
	const file = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.3.1/24
FLANNEL_IPV6_NETWORK=fd00:10:244::/56
FLANNEL_IPV6_SUBNET=fd00:10:244:3::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`
	was := parsePrevious(file)
	got := strings.Join([]string{was.network.String(), was.subnet.String(), was.network6.String(), was.subnet6.String()}, " ")
	if want := "10.244.0.0/16 10.244.3.0/24 fd00:10:244::/56 fd00:10:244:3::/64"; got != want {
		t.Errorf("want %s, got %s", want, got)
	}
	for _, file := range []string{"", "FLANNEL_NETWORK=\nFLANNEL_IPV6_SUBNET=x\n", "FLANNEL_SUBNET=fd00::1/64\nFLANNEL_IPV6_SUBNET=10.0.0.1/8\n"} {
		was := parsePrevious(file)
		if !was.network.Empty() || !was.subnet.Empty() || !was.network6.Empty() || !was.subnet6.Empty() {
			t.Errorf("%q: got %+v", file, was)
		}
	}
}
