package main

import (
	"errors"
	"flag"
	"strings"
	"testing"
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
