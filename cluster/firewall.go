package cluster

import "net/netip"

// Firewall is what becomes of a firewall that runs on a host: firewalld or ufw.
type Firewall struct {
	// Manage has Slipway open in it the ports that the host's roles need; true unless said. Else
	// the firewall is left alone, and a check prints the commands.
	Manage *bool `json:"manage,omitempty"`
	// NodePorts has the ports of Services of type NodePort opened too, to anybody; true unless said.
	NodePorts *bool `json:"nodePorts,omitempty"`
	// HostNetworks are the subnets from which hosts reach what only hosts need. Without any, they are the
	// subnet that a host has its own address in, and the addresses of the hosts outside of it.
	HostNetworks []string `json:"hostNetworks,omitempty"`
}

// ManagesFirewall tells whether Slipway opens ports in the hosts' firewalls.
func (c *Cluster) ManagesFirewall() bool { return c.Firewall.Manage == nil || *c.Firewall.Manage }

// OpensNodePorts tells whether the ports of Services of type NodePort are among them.
func (c *Cluster) OpensNodePorts() bool { return c.Firewall.NodePorts == nil || *c.Firewall.NodePorts }

func (k *checker) firewall(f Firewall) {
	const example = "10.0.0.0/24"
	for i, text := range f.HostNetworks {
		path := index("firewall.hostNetworks", i)
		prefix, err := netip.ParsePrefix(text)
		switch {
		case err != nil && isAddress(text):
			k.wrong(path, "write the length too, like "+example, "%q is an address, not a subnet", text)
		case err != nil:
			k.wrong(path, "write it like "+example, "%q is not a subnet", text)
		case prefix != prefix.Masked():
			k.wrong(path, "write "+prefix.Masked().String(), "%s has bits set beyond its length", text)
		case prefix.Bits() == 0:
			k.wrong(path, "write the subnets that the hosts are in, like "+example, "%s is everybody: etcd and the kubelet would be open to all", text)
		}
	}
}
