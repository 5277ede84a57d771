package cluster

import (
	"time"
)

// What a Cluster file need not say.
const (
	DefaultKubernetesVersion = "v1.37.2"
	DefaultImageRepository   = "registry.k8s.io"
	DefaultPodSubnet         = "10.244.0.0/16"
	DefaultServiceSubnet     = "10.96.0.0/12"
	DefaultPodSubnet6        = "fd00:10:244::/56"
	DefaultServiceSubnet6    = "fd00:10:96::/112"
	DefaultDNSDomain         = "cluster.local"
	// DefaultEndpointPort is the API servers' own port, and that of an endpoint which
	// nobody shares a host with.
	DefaultEndpointPort = 6443
	// DefaultBalancerPort is haproxy's port, beside the API servers' own.
	DefaultBalancerPort = 16443
	// What counts of SSH where the configuration of ssh says nothing either.
	DefaultSSHPort        = 22
	DefaultSSHUser        = "root"
	DefaultConnectTimeout = Duration(10 * time.Second)
	DefaultValidity       = Duration(365 * 24 * time.Hour)
	DefaultCAValidity     = Duration(10 * 365 * 24 * time.Hour)
	DefaultKeyAlgorithm   = "ECDSA-P256"
	DefaultDrainTimeout   = Duration(5 * time.Minute)
	DefaultForceAfter     = Duration(time.Minute)
	DefaultOnBlocked      = OnBlockedStop
	DefaultKeepVersions   = 1
)

// Defaults completes a Cluster: what the file leaves out is set, what it says stays. DNS names
// and addresses get the form that all who read them take.
func Defaults(c *Cluster) {
	setDefault(&c.APIVersion, APIVersion)
	setDefault(&c.Kind, Kind)
	setDefault(&c.KubernetesVersion, DefaultKubernetesVersion)
	setDefault(&c.ImageRepository, DefaultImageRepository)
	normalAddresses(c)
	defaultNetworking(&c.Networking, hostFamilies(c.Hosts))
	c.Endpoint.Host = normalName(c.Endpoint.Host)
	c.Networking.DNSDomain = normalName(c.Networking.DNSDomain)
	normalize(&c.Certificates.ExtraSANs, normalName)
	defaultEndpoint(c)
	setDefault(&c.Certificates.Validity, DefaultValidity)
	setDefault(&c.Certificates.CAValidity, DefaultCAValidity)
	setDefault(&c.Certificates.KeyAlgorithm, DefaultKeyAlgorithm)
	setDefault(&c.Drain.Timeout, DefaultDrainTimeout)
	setDefault(&c.Drain.OnBlocked, DefaultOnBlocked)
	setDefault(&c.Drain.ForceAfter, DefaultForceAfter)
	setDefault(&c.Upgrade.KeepVersions, new(DefaultKeepVersions))
	defaultTimeouts(&c.Timeouts)
	setDefault(&c.Firewall.Manage, new(true))
	setDefault(&c.Firewall.NodePorts, new(true))
	for i := range c.Hosts {
		inheritSSH(&c.Hosts[i].SSH, c.SSH)
		setDefault(&c.Hosts[i].SSH.Host, c.Hosts[i].Address())
	}
}

// normalAddresses gives all addresses and subnets of a cluster their one form.
func normalAddresses(c *Cluster) {
	for i := range c.Hosts {
		normalize(&c.Hosts[i].Addresses, normalAddress)
	}
	normalize(&c.Networking.PodSubnets, normalPrefix)
	normalize(&c.Networking.ServiceSubnets, normalPrefix)
	normalize(&c.Certificates.ExtraSANs, normalAddress)
	c.Endpoint.Host, c.Endpoint.Address = normalAddress(c.Endpoint.Host), normalAddress(c.Endpoint.Address)
}

// defaultNetworking sets subnets of the families that the other list has or, where there is
// none, that the hosts have addresses of.
func defaultNetworking(n *Networking, ofHosts []Family) {
	families := n.Families()
	if len(families) == 0 {
		families = ofHosts
	}
	if len(n.PodSubnets) == 0 {
		n.PodSubnets = defaultSubnets(families, DefaultPodSubnet, DefaultPodSubnet6)
	}
	if len(n.ServiceSubnets) == 0 {
		n.ServiceSubnets = defaultSubnets(families, DefaultServiceSubnet, DefaultServiceSubnet6)
	}
	setDefault(&n.DNSDomain, DefaultDNSDomain)
	setDefault(&n.AddOn, AddOnFlannel)
}

func defaultSubnets(families []Family, four, six string) []string {
	if len(families) == 0 {
		return []string{four}
	}
	var subnets []string
	for _, family := range families {
		subnets = append(subnets, map[Family]string{IPv4: four, IPv6: six}[family])
	}
	return subnets
}

func defaultEndpoint(c *Cluster) {
	e := &c.Endpoint
	setDefault(&e.Mode, defaultMode(c))
	setDefault(&e.Port, e.Mode.defaultPort())
	switch e.Mode {
	case EndpointControlPlane:
		// Where there are several, none of them may be the endpoint: Load says so.
		if planes := c.ControlPlanes(); len(planes) == 1 {
			setDefault(&e.Host, planes[0].Address())
		}
	case EndpointVIP, EndpointLoadBalancers:
		setDefault(&e.Host, e.Address)
		if isAddress(e.Host) {
			setDefault(&e.Address, e.Host)
		}
	case EndpointLocal:
		setDefault(&e.Host, localEndpoint(c.Name))
	case EndpointExternal: // nobody but the user knows it
	}
}

// defaultMode goes by the hosts. A cluster of one control plane that is to grow says its
// mode from the beginning: a later one would move the endpoint of a running cluster.
func defaultMode(c *Cluster) EndpointMode {
	switch {
	case len(c.withRole(RoleLoadBalancer)) > 0:
		return EndpointLoadBalancers
	case len(c.ControlPlanes()) > 1:
		return EndpointVIP
	}
	return EndpointControlPlane
}

func (m EndpointMode) defaultPort() int {
	switch m {
	case EndpointVIP, EndpointLoadBalancers, EndpointLocal:
		return DefaultBalancerPort
	case EndpointControlPlane, EndpointExternal:
	}
	return DefaultEndpointPort
}

// localEndpoint is the endpoint's name in mode local. The domain internal is never
// anybody's on the public Internet: ICANN has set it aside for private use.
func localEndpoint(cluster string) string { return "api." + cluster + ".internal" }

func setDefault[T comparable](field *T, value T) {
	var unset T
	if *field == unset {
		*field = value
	}
}
