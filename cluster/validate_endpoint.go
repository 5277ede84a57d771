package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var endpointModes = []string{
	string(EndpointVIP), string(EndpointLoadBalancers), string(EndpointLocal), string(EndpointExternal), string(EndpointControlPlane),
}

// aboutModes says which mode is for whom.
const aboutModes = "write vip (keepalived and haproxy on the control planes), loadBalancers (the same on hosts of the role load-balancer), " +
	"local (haproxy on every host's loopback, where the network has no VRRP) or external (a load balancer of your own)"

// endpoint checks the stable address of the API.
func (k *checker) endpoint(c *Cluster) {
	if !slices.Contains(endpointModes, string(c.Endpoint.Mode)) {
		k.wrong("endpoint.mode", oneOf(string(c.Endpoint.Mode), endpointModes), "%q is not known", c.Endpoint.Mode)
		return
	}
	k.port(c.Endpoint.Port, "endpoint.port")
	k.balancerRole(c)
	switch c.Endpoint.Mode {
	case EndpointControlPlane:
		k.ownEndpoint(c)
	case EndpointVIP, EndpointLoadBalancers:
		k.virtualEndpoint(c)
	case EndpointLocal:
		k.localEndpoint(c)
	case EndpointExternal:
		k.externalEndpoint(c)
	}
	if c.Endpoint.Mode != EndpointVIP && c.Endpoint.Mode != EndpointLoadBalancers {
		k.noVirtualAddress(c.Endpoint)
	}
	k.sharedPort(c)
}

// balancerRole looks whether the hosts' roles fit the mode.
func (k *checker) balancerRole(c *Cluster) {
	if c.Endpoint.Mode == EndpointLoadBalancers {
		if len(c.withRole(RoleLoadBalancer)) == 0 && !slices.ContainsFunc(c.Hosts, hasUnknownRole) {
			k.wrong("endpoint.mode", "give one, better two of the hosts the role load-balancer, and no other; or write vip, and the control planes balance the load themselves",
				"%s needs hosts of the role %s, and there is none", c.Endpoint.Mode, RoleLoadBalancer).concludedFrom("roles", "hosts")
		}
		return
	}
	for i, host := range c.Hosts {
		if host.HasRole(RoleLoadBalancer) {
			k.wrong(child(index("hosts", i), "roles"), "write endpoint.mode: loadBalancers, or take the host out of the file",
				"%s is a role of endpoint.mode %s; the mode is %s", RoleLoadBalancer, EndpointLoadBalancers, c.Endpoint.Mode).concludedFrom("mode")
		}
	}
}

// ownEndpoint checks mode controlPlane.
func (k *checker) ownEndpoint(c *Cluster) {
	planes := c.ControlPlanes()
	switch {
	case len(planes) > 1:
		k.wrong("endpoint.mode", aboutModes,
			"%s is for one control plane, and the file has %d: an endpoint which is one of theirs would be lost with it", EndpointControlPlane, len(planes)).concludedFrom("roles", "hosts")
	case c.Endpoint.Host == "" && len(planes) == 0: // said at hosts
	case len(planes) == 1 && c.Endpoint.Host != "" && c.Endpoint.Host == planes[0].Address(): // said there
	case c.Endpoint.Host == "":
		k.wrong("endpoint.host", "write the control plane's address, or a name for it", "is missing").concludedFrom("address", "addresses", "roles", "hosts")
	default:
		k.endpointHost(c.Endpoint.Host)
	}
}

func (k *checker) endpointHost(host string) bool {
	if k.mistypedAddress(host, "endpoint.host") {
		return false
	}
	if bare, ok := bracketed(host); ok {
		k.wrong("endpoint.host", "write "+bare+", without the brackets", "%q is not an address", host)
		return false
	}
	if isZoned(host) || !isAddress(host) && !isName(host) {
		k.wrong("endpoint.host", "write an address like 192.0.2.10 or a name like api.example.com; the port goes to endpoint.port",
			"%q is neither an address nor a DNS name", host)
		return false
	}
	return true
}

// virtualEndpoint checks the modes whose address moves between hosts.
func (k *checker) virtualEndpoint(c *Cluster) {
	e := c.Endpoint
	k.vrrp(e.VRRP)
	switch {
	case e.Host == "":
		fix := "write an address of the hosts' own subnet that nobody has: keepalived gives it to one of them"
		if e.Mode == EndpointVIP { // which may be the default
			fix += ". Where VRRP is not allowed, write endpoint.mode: local or external"
		}
		k.wrong("endpoint.host", fix, "is missing; mode %s needs one", e.Mode).concludedFrom("address", "roles", "hosts")
		return
	case !k.endpointHost(e.Host):
	case !isAddress(e.Host):
		k.ownName(c)
	}
	_, inBrackets := bracketed(e.Host)
	switch {
	case e.Address == "" && (inBrackets || isMistypedAddress(e.Host)): // put right, it is the address as well
	case e.Address == "":
		k.wrong("endpoint.address", "write the virtual address that "+e.Host+" leads to: one of the hosts' own subnet that nobody has",
			"is missing; mode %s needs one", e.Mode).concludedFrom("host")
	case isAddress(e.Host) && isAddress(e.Address) && e.Address != e.Host:
		k.wrong("endpoint.address", leaveOut+", or write the endpoint's name to endpoint.host",
			"is %s, and endpoint.host is another address", e.Address).concludedFrom("host")
	default:
		k.virtualAddress(c)
	}
}

// virtualAddress checks the address that keepalived moves. Whether it is free, and in the
// hosts' subnet, only they can tell.
func (k *checker) virtualAddress(c *Cluster) {
	path := "endpoint.address"
	if c.Endpoint.Address == c.Endpoint.Host {
		path = "endpoint.host"
	}
	address, err := netip.ParseAddr(c.Endpoint.Address)
	switch {
	case err != nil:
		k.wrong(path, addressExample(c.Endpoint.Address), "%q is not an address", c.Endpoint.Address)
		return
	case address.Is4In6():
		k.wrong(path, "write "+address.Unmap().String(), "%s is an IPv4 address in the form of IPv6", address)
		return
	case !reachable(address):
		k.wrong(path, "write an address of the hosts' own subnet that nobody has", "%s is not an address that other hosts can reach", address)
		return
	}
	for _, host := range c.Hosts {
		if slices.Contains(host.Addresses, c.Endpoint.Address) {
			k.wrong(path, "write an address of the same subnet that nobody has: keepalived gives it to one of the hosts",
				"%s is %s's own address", address, host.Name).concludedFrom("hosts")
		}
	}
	k.outside(address, c.Networking.PodPrefixes(), path, "Pod")
	k.outside(address, c.Networking.ServicePrefixes(), path, "Service")
}

func addressExample(text string) string {
	if isMistypedAddress(text) {
		return mistypedFix
	}
	return "write it like 192.0.2.100"
}

// ownName keeps the endpoint's name, which goes to /etc/hosts, apart from the hosts' own.
func (k *checker) ownName(c *Cluster) {
	name := c.Endpoint.Host
	if name == "localhost" {
		k.wrong("endpoint.host", "write a name of its own, like api.example.com", "localhost is every host's name")
	}
	for _, host := range c.Hosts {
		if host.Name == name {
			k.wrong("endpoint.host", "write a name of its own, like api.example.com", "%s is a host's own name", name).concludedFrom("hosts")
		}
	}
}

// interfaceForm is narrower than the kernel's own rule: the name goes to a configuration
// file with a syntax of its own.
var interfaceForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$`)

// CanName tells whether an interface's name can be written into the configuration of what
// uses the interface.
func CanName(link string) bool { return interfaceForm.MatchString(link) }

func (k *checker) vrrp(vrrp VRRP) {
	switch name := vrrp.Interface; {
	case name == "":
	case name == "lo":
		k.wrong("endpoint.vrrp.interface", "write the interface that has the host's address, or leave it out", "no other host receives what is sent on lo")
	case !interfaceForm.MatchString(name):
		fix := "write it as ip link shows it, such as eth0; at most 15 letters, digits, dots, dashes and underscores"
		if before, _, found := strings.Cut(name, "@"); found && interfaceForm.MatchString(before) {
			fix = "write " + before + ": what follows the @ is not part of the name"
		}
		k.wrong("endpoint.vrrp.interface", fix, "%q is not the name of an interface", name)
	}
	if vrrp.RouterID < 0 || vrrp.RouterID > 255 {
		k.wrong("endpoint.vrrp.routerID", "write a number from 1 to 255 that no other virtual router of the network has, or leave it out",
			"%d is not a virtual router's ID", vrrp.RouterID)
	}
}

// localEndpoint checks mode local.
func (k *checker) localEndpoint(c *Cluster) {
	host := c.Endpoint.Host
	switch {
	case host == localEndpoint(c.Name): // it comes of the name, and is as good as that
	case isAddress(host):
		k.wrong("endpoint.host", "write a name like api.example.internal, or leave it out",
			"%s is an address: in mode %s the endpoint is a name, which on every host leads to its own loopback", host, EndpointLocal)
	case k.endpointHost(host):
		k.ownName(c)
	}
}

// externalEndpoint checks mode external.
func (k *checker) externalEndpoint(c *Cluster) {
	e := c.Endpoint
	if e.Host == "" {
		k.wrong("endpoint.host", "write the address or the name of your load balancer", "is missing; mode %s needs one", e.Mode)
		return
	}
	if !k.endpointHost(e.Host) || e.Port != DefaultEndpointPort {
		return
	}
	for _, plane := range c.ControlPlanes() {
		if slices.Contains(plane.Addresses, e.Host) {
			k.wrong("endpoint.host", "write your load balancer's address; where there is none, leave out the mode or write another",
				"%s is %s's own address, and at port %d its API server's", e.Host, plane.Name, e.Port).concludedFrom("hosts", "mode", "port")
		}
	}
}

// noVirtualAddress refuses what only a virtual address has.
func (k *checker) noVirtualAddress(e Endpoint) {
	fix := leaveOut + ", or choose mode vip or loadBalancers"
	if e.Address != "" {
		k.wrong("endpoint.address", fix, "there is no virtual address in mode %s", e.Mode).concludedFrom("mode")
	}
	if e.VRRP != (VRRP{}) {
		k.wrong("endpoint.vrrp", fix, "there is no virtual address in mode %s", e.Mode).concludedFrom("mode")
	}
}

// nodePorts are who listens on every node, wherever their flags do not say otherwise.
var nodePorts = map[int]string{
	10248: "the kubelet", 10250: "the kubelet",
	10249: "kube-proxy", 10256: "kube-proxy",
}

// planePorts are who listens on control planes besides.
var planePorts = map[int]string{
	10257: "kube-controller-manager", 10259: "kube-scheduler",
}

// etcdPorts are who listens on control planes where etcd is theirs.
var etcdPorts = map[int]string{2379: "etcd", 2380: "etcd", 2381: "etcd"}

// The API server's own default of service-node-port-range.
const firstNodePort, lastNodePort = 30000, 32767

// sharedPort looks who else wants the endpoint's port, where the endpoint is on hosts of
// the cluster: haproxy's, or in mode controlPlane the API server's.
func (k *checker) sharedPort(c *Cluster) {
	if c.Endpoint.Mode == EndpointExternal || c.Endpoint.Mode == EndpointLoadBalancers {
		return // then they share no host
	}
	port := c.Endpoint.Port
	taken := maps.Clone(nodePorts)
	maps.Copy(taken, planePorts)
	if c.StackedEtcd() {
		maps.Copy(taken, etcdPorts)
	}
	who := "haproxy"
	if c.Endpoint.Mode == EndpointControlPlane {
		who = "the API server"
	} else {
		taken[DefaultEndpointPort] = "the API server"
	}
	if other, found := taken[port]; found {
		k.wrong("endpoint.port", portFix(c.Endpoint.Mode), "%d is used by %s, which runs on the same host as %s", port, other, who).concludedFrom("mode")
	}
	if first, last, ok := nodePortRange(c.ExtraArgs.APIServer); ok && first <= port && port <= last {
		k.wrong("endpoint.port", portFix(c.Endpoint.Mode), "%d is one of those that Services of type NodePort get, %d to %d", port, first, last).concludedFrom("mode", "apiServer")
	}
}

func portFix(mode EndpointMode) string {
	return fmt.Sprintf("write %d, or another", mode.defaultPort())
}

// nodePortRange is what Services of type NodePort choose from.
func nodePortRange(apiServer []Arg) (first, last int, ok bool) {
	at := slices.IndexFunc(apiServer, func(arg Arg) bool { return arg.Name == "service-node-port-range" })
	if at < 0 {
		return firstNodePort, lastNodePort, true
	}
	from, to, found := strings.Cut(apiServer[at].Value, "-")
	first, err := strconv.Atoi(from)
	if !found || err != nil {
		return 0, 0, false // in another of its forms: the API server's to judge
	}
	last, err = strconv.Atoi(to)
	return first, last, err == nil
}
