package cluster

import "slices"

// EndpointMode says who keeps the API's endpoint reachable.
type EndpointMode string

// The endpoint's modes. The first is for one control plane; the others survive the loss of
// any of several.
const (
	// EndpointControlPlane makes the address of the only control plane the endpoint.
	EndpointControlPlane EndpointMode = "controlPlane"
	// EndpointVIP has keepalived and haproxy on the control planes.
	EndpointVIP EndpointMode = "vip"
	// EndpointLoadBalancers has the same on hosts of the role load-balancer.
	EndpointLoadBalancers EndpointMode = "loadBalancers"
	// EndpointLocal has haproxy on every host's loopback, for networks without VRRP.
	EndpointLocal EndpointMode = "local"
	// EndpointExternal is a load balancer of the user's own.
	EndpointExternal EndpointMode = "external"
)

// Endpoint is the stable host:port by which everything reaches the API.
type Endpoint struct {
	Mode EndpointMode `json:"mode,omitempty"`
	// Host is a name or an address. In mode local it is a name, which every host has in
	// /etc/hosts for its own loopback.
	Host string `json:"host,omitempty"`
	Port int    `json:"port,omitempty"`
	// Address is the virtual address of the modes vip and loadBalancers: Host itself,
	// unless that is a name.
	Address string `json:"address,omitempty"`
	VRRP    VRRP   `json:"vrrp,omitzero"`
}

// VRRP is how the virtual address is held, where the endpoint has one.
type VRRP struct {
	// Interface carries the virtual address: unless said, the one that has the host's own.
	Interface string `json:"interface,omitempty"`
	// RouterID tells virtual routers of one network apart, 1 to 255: unless said, it
	// comes of the cluster's identity.
	RouterID int `json:"routerID,omitempty"`
	// Preempt gives the address back to the first host of the file that can serve; unless
	// said, the host that has the address keeps it as long as it can serve.
	Preempt bool `json:"preempt,omitempty"`
}

// Balancers lists the hosts that run haproxy for the API, in the file's order: none where
// the endpoint is a control plane's own address or the user's own balancer.
func (c *Cluster) Balancers() []Host {
	switch c.Endpoint.Mode {
	case EndpointVIP:
		return c.ControlPlanes()
	case EndpointLoadBalancers:
		return c.withRole(RoleLoadBalancer)
	case EndpointLocal:
		return c.Nodes()
	case EndpointControlPlane, EndpointExternal:
	}
	return nil
}

// Balances tells whether the host is one of Balancers.
func (c *Cluster) Balances(host Host) bool {
	return slices.ContainsFunc(c.Balancers(), func(other Host) bool { return other.Name == host.Name })
}

// MayHold tells whether the host may hold the virtual address.
func (c *Cluster) MayHold(host Host) bool { return c.VirtualAddress() != "" && c.Balances(host) }

// APIPort is the port that the API servers themselves listen on.
func (c *Cluster) APIPort() int {
	if c.Endpoint.Mode == EndpointControlPlane && c.Endpoint.Port != 0 {
		return c.Endpoint.Port
	}
	return DefaultEndpointPort
}

// VirtualAddress is the address that keepalived moves between the balancers; empty where
// the endpoint has none.
func (c *Cluster) VirtualAddress() string {
	if c.Endpoint.Mode == EndpointVIP || c.Endpoint.Mode == EndpointLoadBalancers {
		return c.Endpoint.Address
	}
	return ""
}
