package main_test

import (
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// fakeCluster is what the hosts of a stage are together. What runs follows, at each look, from
// what lies on the machines: a kubelet runs where its unit does, a static Pod where a kubelet and
// its manifest are, an API server serves where its etcd has a quorum.
type fakeCluster struct {
	mu      sync.Mutex
	hosts   []*stageHost
	holder  *stageHost // of the virtual address
	objects map[string]object
	version int
	lists   []listedAt // those that can be watched from, the oldest first
	members []*pb.Member
	led     uint64 // the member that leads
}

// vip is the virtual address of those scripts whose cluster has one, and balancerPort haproxy's.
const (
	vip          = "10.0.0.200"
	balancerPort = "16443"
)

func newFakeCluster() *fakeCluster { return &fakeCluster{objects: map[string]object{}} }

func (c *fakeCluster) add(h *stageHost) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.cluster = c
	h.machine.Network = h.reach
	h.startAPI()
	h.startEtcd()
	c.hosts = append(c.hosts, h)
}

func (h *stageHost) active(unit string) bool {
	return !h.down && h.machine.Unit(unit).Active == "active"
}

// kubelet tells whether a kubelet runs that can run Pods.
func (h *stageHost) kubelet() bool {
	return h.active(manifests.KubeletUnit) && h.active(manifests.ContainerdUnit)
}

func (h *stageHost) runs(manifest string) bool { return h.kubelet() && h.machine.Has(manifest) }

func (h *stageHost) serves() bool {
	return h.runs(manifests.APIServerManifest) && h.votes() && h.cluster.quorum()
}

// serving is a host whose API server serves; nil where there is none.
func (c *fakeCluster) serving() *stageHost {
	if at := slices.IndexFunc(c.hosts, (*stageHost).serves); at >= 0 {
		return c.hosts[at]
	}
	return nil
}

// settle has happen what follows from how the machines are now; the caller holds the lock.
func (c *fakeCluster) settle() {
	c.beginEtcds()
	c.giveAddress()
	if c.serving() == nil {
		return
	}
	for _, h := range c.hosts {
		if at := "/api/v1/nodes/" + h.name; h.kubelet() && c.objects[at] == nil {
			c.store(at, h.node())
		}
	}
}

// giveAddress gives the virtual address to the first host whose keepalived runs, and to each that hears no other.
func (c *fakeCluster) giveAddress() {
	c.holder = nil
	for _, h := range c.hosts {
		runs := h.active(manifests.KeepalivedUnit)
		first := runs && c.holder == nil
		if first {
			c.holder = h
		}
		h.holdAddress(first || runs && h.deaf.Load())
	}
}

// holdAddress has the host's interface have the virtual address, or not.
func (h *stageHost) holdAddress(holds bool) {
	if h.holds == holds {
		return
	}
	h.holds = holds
	h.machine.Edit(func(f *hosts.Facts) {
		f.Interfaces = slices.Clone(f.Interfaces)
		link := &f.Interfaces[len(f.Interfaces)-1]
		link.Addresses = slices.DeleteFunc(slices.Clone(link.Addresses), func(a string) bool { return a == vip+"/32" })
		if holds {
			link.Addresses = append(link.Addresses, vip+"/32")
		}
	})
}

// at is the host with an address, as seen from another one.
func (c *fakeCluster) at(address string, from *stageHost) *stageHost {
	if net.ParseIP(address).IsLoopback() {
		return from
	}
	if address == vip {
		return c.holder
	}
	if at := slices.IndexFunc(c.hosts, func(h *stageHost) bool { return h.address == address }); at >= 0 {
		return c.hosts[at]
	}
	return nil
}

// reach is where on this machine's loopback that is which a host reaches at an address.
func (h *stageHost) reach(address string) (string, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	c := h.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	to := c.at(name, h)
	if to == nil || to.down {
		return "", fmt.Errorf("no route to %s", name)
	}
	if listens, served := ports[port]; served && listens.when(to) {
		return listens.where(to), nil
	}
	if api := c.serving(); port == balancerPort && to.active(manifests.HAProxyUnit) && api != nil {
		return api.api.Listener.Addr().String(), nil
	}
	return "", fmt.Errorf("connection refused")
}

func apiOf(h *stageHost) string      { return h.api.Listener.Addr().String() }
func etcdOf(h *stageHost) string     { return h.etcd.Addr().String() }
func wellOf(h *stageHost) string     { return h.well.Listener.Addr().String() }
func wellTLSOf(h *stageHost) string  { return h.wellTLS.Listener.Addr().String() }
func runsAPI(h *stageHost) bool      { return h.runs(manifests.APIServerManifest) }
func runsEtcd(h *stageHost) bool     { return h.runs(manifests.EtcdManifest) && h.member() != nil }
func runsControl(h *stageHost) bool  { return h.runs(manifests.ControllerManifest) }
func runsSchedule(h *stageHost) bool { return h.runs(manifests.SchedulerManifest) }

// ports are what can listen on a host: when it does, and where that really is.
var ports = map[string]struct {
	when  func(*stageHost) bool
	where func(*stageHost) string
}{
	"6443":  {runsAPI, apiOf},
	"2379":  {runsEtcd, etcdOf},
	"2381":  {runsEtcd, wellOf},
	"10248": {(*stageHost).kubelet, wellOf},
	"10257": {runsControl, wellTLSOf},
	"10259": {runsSchedule, wellTLSOf},
}

// podOf names the Pod that a kubelet makes of a static manifest.
func (h *stageHost) podOf(manifest string) string {
	return strings.TrimSuffix(path.Base(manifest), ".yaml") + "-" + h.name
}
