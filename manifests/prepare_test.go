package manifests

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// TestAHostKeepsTheRouteThatItLearnt: a node forwards, and the kernel of a host that forwards
// listens to no router unless it is told to on that link, before.
func TestAHostKeepsTheRouteThatItLearnt(t *testing.T) {
	learnt := hosts.Link{Name: "eth0.100", AcceptRA: 1, AdvertisedRoute: true}
	set := &hosts.Record{Priors: []hosts.Prior{{Setting: "sysctl/net/ipv6/conf/eth0.100/accept_ra", Value: "1", Set: "2"}}}
	for name, test := range map[string]struct {
		cluster *cluster.Cluster
		link    hosts.Link
		record  *hosts.Record
		want    bool
	}{
		"learnt by the kernel":                    {dual(), learnt, nil, true},
		"and IPv6 alone":                          {six(), learnt, nil, true},
		"and IPv4 alone":                          {one(), learnt, nil, false},
		"by another program":                      {dual(), hosts.Link{Name: "eth0.100", AdvertisedRoute: true}, nil, false},
		"not learnt":                              {dual(), hosts.Link{Name: "eth0.100", AcceptRA: 1}, nil, false},
		"kept anyway":                             {dual(), hosts.Link{Name: "eth0.100", AcceptRA: 2, AdvertisedRoute: true}, nil, false},
		"set by Slipway":                          {dual(), hosts.Link{Name: "eth0.100", AcceptRA: 2, AdvertisedRoute: true}, set, true},
		"set by Slipway, and the router is away":  {dual(), hosts.Link{Name: "eth0.100", AcceptRA: 2}, set, true},
		"set by Slipway, and put back by another": {dual(), hosts.Link{Name: "eth0.100", AcceptRA: 1}, set, true},
	} {
		t.Run(name, func(t *testing.T) {
			facts := hosts.Facts{Interfaces: []hosts.Link{{Name: "lo", AcceptRA: 1}, test.link}, Record: test.record}
			settings := sysctls(test.cluster, facts)
			value, there := settings["net/ipv6/conf/eth0.100/accept_ra"]
			if there != test.want || there && value != "2" {
				t.Errorf("the setting is %q, there %t", value, there)
			}
			if _, loopback := settings["net/ipv6/conf/lo/accept_ra"]; loopback {
				t.Error("lo has it too")
			}
			if first := OrderedSysctls(settings)[0]; test.want && first != "net/ipv6/conf/eth0.100/accept_ra" {
				t.Errorf("%s is set first", first)
			}
		})
	}
}

// TestWhatALinkHasIsSeenWithTheLink: its parameter is no setting that was asked for by name.
func TestWhatALinkHasIsSeenWithTheLink(t *testing.T) {
	facts := hosts.Facts{Interfaces: []hosts.Link{{Name: "eth0", AcceptRA: 1}}, Sysctls: map[string]string{IPv6Forwarding: "0"}}
	got := map[string]string{}
	for _, key := range []string{"net/ipv6/conf/eth0/accept_ra", IPv6Forwarding, "net/ipv6/conf/eth1/accept_ra"} {
		if value, known := SysctlOf(facts, key); known {
			got[key] = value
		}
	}
	if diff := cmp.Diff(map[string]string{"net/ipv6/conf/eth0/accept_ra": "1", IPv6Forwarding: "0"}, got); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}

// TestHAProxyListensWhereTheClusterIs, and where keepalived's check looks for it.
func TestHAProxyListensWhereTheClusterIs(t *testing.T) {
	of := func(mode cluster.EndpointMode, c *cluster.Cluster) *cluster.Cluster {
		c.Endpoint.Mode, c.Endpoint.Port = mode, 16443
		return c
	}
	for name, test := range map[string]struct {
		cluster *cluster.Cluster
		want    []string
	}{
		"IPv4":           {vip(), []string{"*:16443"}},
		"both":           {dual(), []string{"*:16443", ":::16443 v6only"}},
		"IPv6":           {of(cluster.EndpointVIP, six()), []string{"127.0.0.1:16443", ":::16443 v6only"}},
		"IPv6 and local": {of(cluster.EndpointLocal, six()), []string{"127.0.0.1:16443"}},
	} {
		if got := haproxyBinds(test.cluster); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
