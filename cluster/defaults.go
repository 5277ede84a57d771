package cluster

import "time"

// What a Cluster file need not say.
const (
	DefaultKubernetesVersion = "v1.36.3"
	DefaultImageRepository   = "registry.k8s.io"
	DefaultPodSubnet         = "10.244.0.0/16"
	DefaultServiceSubnet     = "10.96.0.0/12"
	DefaultDNSDomain         = "cluster.local"
	DefaultEndpointPort      = 6443
	DefaultSSHPort           = 22
	DefaultSSHUser           = "root"
	DefaultConnectTimeout    = Duration(10 * time.Second)
	DefaultValidity          = Duration(365 * 24 * time.Hour)
	DefaultCAValidity        = Duration(10 * 365 * 24 * time.Hour)
	DefaultKeyAlgorithm      = "ECDSA-P256"
)

// Defaults completes a Cluster: what the file leaves out is set, what it says stays.
func Defaults(c *Cluster) {
	setDefault(&c.APIVersion, APIVersion)
	setDefault(&c.Kind, Kind)
	setDefault(&c.KubernetesVersion, DefaultKubernetesVersion)
	setDefault(&c.ImageRepository, DefaultImageRepository)
	defaultNetworking(&c.Networking)
	defaultEndpoint(c)
	setDefault(&c.Certificates.Validity, DefaultValidity)
	setDefault(&c.Certificates.CAValidity, DefaultCAValidity)
	setDefault(&c.Certificates.KeyAlgorithm, DefaultKeyAlgorithm)
	defaultSSH(&c.SSH)
	for i := range c.Hosts {
		inheritSSH(&c.Hosts[i].SSH, c.SSH)
		setDefault(&c.Hosts[i].SSH.Host, c.Hosts[i].Address())
	}
}

func defaultNetworking(n *Networking) {
	if len(n.PodSubnets) == 0 {
		n.PodSubnets = []string{DefaultPodSubnet}
	}
	if len(n.ServiceSubnets) == 0 {
		n.ServiceSubnets = []string{DefaultServiceSubnet}
	}
	setDefault(&n.DNSDomain, DefaultDNSDomain)
	setDefault(&n.AddOn, AddOnFlannel)
}

// defaultEndpoint takes the address of the only control plane. Where there are several,
// none of them may be the endpoint unasked: it stays empty, and Validate says so.
func defaultEndpoint(c *Cluster) {
	setDefault(&c.Endpoint.Mode, EndpointControlPlane)
	setDefault(&c.Endpoint.Port, DefaultEndpointPort)
	if planes := c.ControlPlanes(); len(planes) == 1 {
		setDefault(&c.Endpoint.Host, planes[0].Address())
	}
}

func defaultSSH(ssh *SSH) {
	setDefault(&ssh.Port, DefaultSSHPort)
	setDefault(&ssh.User, DefaultSSHUser)
	setDefault(&ssh.ConnectTimeout, DefaultConnectTimeout)
}

// inheritSSH completes a host's ssh with the cluster's; where to connect is the host's own.
func inheritSSH(ssh *SSH, from SSH) {
	setDefault(&ssh.Port, from.Port)
	setDefault(&ssh.User, from.User)
	setDefault(&ssh.IdentityFile, from.IdentityFile)
	setDefault(&ssh.KnownHostsFile, from.KnownHostsFile)
	setDefault(&ssh.ProxyCommand, from.ProxyCommand)
	setDefault(&ssh.ConnectTimeout, from.ConnectTimeout)
}

func setDefault[T comparable](field *T, value T) {
	var unset T
	if *field == unset {
		*field = value
	}
}
