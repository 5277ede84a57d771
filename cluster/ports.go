package cluster

import (
	"net/netip"
	"slices"
)

// The ports that Kubernetes' components listen on, beside the API servers' own and the endpoint's.
const (
	PortEtcdClient = 2379
	PortEtcdPeer   = 2380
	PortKubelet    = 10250
	PortController = 10257
	PortScheduler  = 10259
	PortProxy      = 10256
	PortFlannel    = 8472 // UDP: the Linux kernel's port of VXLAN, which flannel takes
)

// Protocol is what a Flow is carried by.
type Protocol string

// The protocols.
const (
	ProtocolTCP  Protocol = "tcp"
	ProtocolUDP  Protocol = "udp"
	ProtocolVRRP Protocol = "vrrp" // IP protocol 112; it has no ports
)

// VRRPNumber is VRRP's number among the protocols of IP (RFC 9568).
const VRRPNumber = 112

// Flow is traffic of one kind between hosts of the cluster: each host of From begins it with each
// host of To, itself excepted.
type Flow struct {
	Protocol Protocol
	Port     int // 0 where the protocol has none
	Last     int // the last port of a range; Port where it is one
	From, To []Host
	// Anyone tells that it comes from outside as well: from clients, or the user's load balancer.
	Anyone bool
	// Optional tells that the cluster itself goes without it: what users add may need it.
	Optional bool
	Why      string // what it is for, fit for "TCP 10250 (the kubelet's API)"
}

// Flows are all the traffic between hosts that the cluster's firewalls have to let pass. It is the one
// table of it: what opens ports and what tests them both go by it.
//
// Not in it is what stays on a host (controller manager 10257, scheduler 10259, kube-proxy 10256 and
// 10249, etcd's metrics 2381, kubelet's health 10248, haproxy in mode local), and Pods' own traffic,
// which has Pods' and Services' addresses unless flannel wraps it.
func (c *Cluster) Flows() []Flow {
	planes, nodes, balancers := c.ControlPlanes(), c.Nodes(), c.Balancers()
	flows := []Flow{c.apiFlow()}
	if c.hasSharedEndpoint() {
		flows = append(flows, flow(ProtocolTCP, c.Endpoint.Port, nodes, balancers, "the API's endpoint").anyone())
	}
	if c.StackedEtcd() {
		// kubeadm and etcdctl on one control plane ask all members, and so may Slipway.
		flows = append(flows, flow(ProtocolTCP, PortEtcdClient, planes, planes, "etcd's clients"), flow(ProtocolTCP, PortEtcdPeer, planes, planes, "etcd's members among themselves"))
	}
	flows = append(flows,
		flow(ProtocolTCP, PortKubelet, planes, nodes, "the kubelet's API: logs, exec, port-forward"),
		// metrics-server and the like run on any node, and leave it with its address.
		flow(ProtocolTCP, PortKubelet, nodes, nodes, "the kubelet's API, for metrics").optional())
	if c.Networking.AddOn == AddOnFlannel {
		flows = append(flows, flow(ProtocolUDP, PortFlannel, nodes, nodes, "flannel's VXLAN: all traffic between Pods of two nodes"))
	}
	if c.VirtualAddress() != "" {
		flows = append(flows, flow(ProtocolVRRP, 0, balancers, balancers, "keepalived's adverts: who has the virtual address"))
	}
	if first, last, ok := nodePortRange(c.ExtraArgs.APIServer); ok {
		for _, protocol := range []Protocol{ProtocolTCP, ProtocolUDP} {
			services := flow(protocol, first, nodes, nodes, "Services of type NodePort").anyone().optional()
			services.Last = last
			flows = append(flows, services)
		}
	}
	return slices.DeleteFunc(flows, func(f Flow) bool { return !f.Anyone && len(f.Pairs()) == 0 })
}

// FlowsTo are the flows that a host takes: To is the host alone, and From has only others.
func (c *Cluster) FlowsTo(host Host) []Flow {
	var found []Flow
	for _, one := range c.Flows() {
		if !slices.ContainsFunc(one.To, host.is) {
			continue
		}
		one.To, one.From = []Host{host}, slices.DeleteFunc(slices.Clone(one.From), host.is)
		if one.Anyone || len(one.From) > 0 {
			found = append(found, one)
		}
	}
	return found
}

// apiFlow is what goes to the API servers' own port. Every node needs it, wherever the endpoint is: the
// Service "kubernetes" leads to the API servers themselves. From outside they are asked where no balancer
// of the cluster's own stands before them that clients could reach.
func (c *Cluster) apiFlow() Flow {
	from := slices.Clone(c.Nodes())
	for _, balancer := range c.Balancers() {
		if !slices.ContainsFunc(from, balancer.is) {
			from = append(from, balancer)
		}
	}
	api := flow(ProtocolTCP, c.APIPort(), from, c.ControlPlanes(), "the API server")
	api.Anyone = !c.hasSharedEndpoint()
	return api
}

// hasSharedEndpoint tells whether haproxy listens for others than its own host.
func (c *Cluster) hasSharedEndpoint() bool {
	return c.Endpoint.Mode == EndpointVIP || c.Endpoint.Mode == EndpointLoadBalancers
}

func flow(protocol Protocol, port int, from, to []Host, why string) Flow {
	return Flow{Protocol: protocol, Port: port, Last: port, From: from, To: to, Why: why}
}

func (f Flow) anyone() Flow {
	f.Anyone = true
	return f
}

func (f Flow) optional() Flow {
	f.Optional = true
	return f
}

// Pair is two hosts, and the addresses by which the one reaches the other: both of one family.
type Pair struct {
	From, To               Host
	FromAddress, ToAddress netip.Addr
}

// Pairs are the flow's single ways, in the order of From, then of To: one for each family of
// addresses that both hosts have.
func (f Flow) Pairs() []Pair {
	var found []Pair
	for _, from := range f.From {
		for _, to := range f.To {
			found = append(found, pairs(from, to)...)
		}
	}
	return found
}

// Ways are those of the pairs that the cluster's own traffic takes: services are found by a host's first
// address, and only VXLAN, and VRRP, have ways of each family.
func (f Flow) Ways() []Pair {
	return slices.DeleteFunc(f.Pairs(), func(p Pair) bool {
		first, err := netip.ParseAddr(p.To.Address())
		return f.Protocol == ProtocolTCP && err == nil && p.ToAddress != first.Unmap()
	})
}

func pairs(from, to Host) []Pair {
	if from.is(to) {
		return nil
	}
	var found []Pair
	for _, four := range []bool{true, false} {
		source, has := from.addressOf(four)
		target, reached := to.addressOf(four)
		if has && reached {
			found = append(found, Pair{from, to, source, target})
		}
	}
	return found
}

// addressOf is the host's first address of a family: IPv4, or IPv6.
func (h Host) addressOf(four bool) (netip.Addr, bool) {
	for _, text := range h.Addresses {
		if address, err := netip.ParseAddr(text); err == nil && address.Unmap().Is4() == four {
			return address.Unmap(), true
		}
	}
	return netip.Addr{}, false
}

// is tells whether two values are of the same host.
func (h Host) is(other Host) bool { return h.Name == other.Name }
