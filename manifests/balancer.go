package manifests

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// planes are the control planes that are in the cluster or will be, in the file's order.
func (in Input) planes() []cluster.Host {
	all := in.Cluster.ControlPlanes()
	if in.ControlPlanes == nil {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(host cluster.Host) bool {
		return !slices.Contains(in.ControlPlanes, host.Name)
	})
}

// backend is one line of haproxy's: an API server.
type backend struct{ Name, Address string }

// balancerFiles are haproxy's and keepalived's files, on hosts that carry them.
func balancerFiles(c *cluster.Cluster, host cluster.Host) []File {
	if !c.Balances(host) {
		return nil
	}
	files := []File{
		templateFile(plan.PhaseLoadBalancer, HAProxyConfig, "haproxy.cfg", Input.haproxyConfig),
		templateFile(plan.PhaseLoadBalancer, UnitsFolder+"/"+HAProxyUnit, "haproxy.service", func(in Input) (any, error) {
			root, err := in.balancerRoot()
			return map[string]any{
				"Root": root, "Folder": path.Dir(HAProxyConfig), "CA": BalancerCA,
				"Config": HAProxyConfig, "Binary": "/usr/sbin/haproxy", "Endpoint": endpointProgram, "After": KeepalivedUnit,
			}, err
		}),
		plainFile(plan.PhaseLoadBalancer, BalancerCA, func(in Input) ([]byte, error) { return in.PKI.CA.Cert, nil }),
	}
	if c.MayHold(host) {
		files = append(files, keepalivedFiles(host)...)
	}
	return files
}

func (in Input) haproxyConfig() (any, error) {
	c := in.Cluster
	var servers []backend
	for _, plane := range in.planes() {
		servers = append(servers, backend{plane.Name, APIAddress(c, plane)})
	}
	return map[string]any{
		"Run": haproxyRun, "CA": BalancerCA, "Binds": haproxyBinds(c), "Servers": servers, "Path": c.VirtualAddress() != "",
	}, nil
}

// haproxyBinds are where haproxy listens: in mode local on the host's loopback, which has
// 127.0.0.1 wherever Linux runs; else on all addresses of the cluster's families. Each family
// has a socket of its own, so that a client's address is seen as what it is. keepalived's check
// connects to 127.0.0.1, also where all else is IPv6.
func haproxyBinds(c *cluster.Cluster) []string {
	port := strconv.Itoa(endpointPort(c))
	if c.Endpoint.Mode == cluster.EndpointLocal {
		return []string{"127.0.0.1:" + port}
	}
	four := "*:" + port
	if !c.Networking.Has(cluster.IPv6) {
		return []string{four}
	}
	if !c.Networking.Has(cluster.IPv4) {
		four = "127.0.0.1:" + port
	}
	return []string{four, ":::" + port + " v6only"}
}

// The places of the balancers' programs are in their root directory.
const (
	haproxyRun      = "/run/haproxy"
	keepalivedRun   = "/run/keepalived"
	endpointProgram = "/usr/bin/endpoint"
)

// guardTable is keepalived.service's table of nftables.
const guardTable = "slipway-endpoint"

// nftFamily is nftables' name of an address's protocol.
func nftFamily(address netip.Addr) string {
	if address.Is6() {
		return "ip6"
	}
	return "ip"
}

// VRRP priorities. Without preemption all hosts have the same. The weight of a broken path is
// larger than the difference between any two hosts.
const (
	highestPriority = 250
	pathWeight      = 120
)

func keepalivedFiles(host cluster.Host) []File {
	data := func(in Input) (any, error) { return in.keepalived(host) }
	return []File{
		templateFile(plan.PhaseLoadBalancer, KeepalivedConfig, "keepalived.conf", data),
		templateFile(plan.PhaseLoadBalancer, UnitsFolder+"/"+KeepalivedUnit, "keepalived.service", func(in Input) (any, error) {
			values, err := in.keepalived(host)
			if err == nil {
				values["Root"], err = in.balancerRoot()
			}
			return values, err
		}),
	}
}

// balancerRoot is the root directory that haproxy and keepalived run in, out of the bundle.
func (in Input) balancerRoot() (string, error) {
	set, there := in.Bill.Set(bundle.SetLoadBalancer)
	if !there {
		return "", fmt.Errorf("find set %s: it is not in the bundle", bundle.SetLoadBalancer)
	}
	if set.Root == "" {
		return "", fmt.Errorf("find the root directory of set %s: an older Slipway made the bundle; build it anew: slipway bundle build", bundle.SetLoadBalancer)
	}
	return set.Root, nil
}

// keepalived is what its configuration and its unit are made of.
func (in Input) keepalived(host cluster.Host) (map[string]any, error) {
	address := in.Cluster.VirtualAddress()
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return nil, fmt.Errorf("read the virtual address: %w", err)
	}
	// VRRP for an address of IPv6 goes over IPv6, and no router mixes both.
	source := host.AddressOf(cluster.FamilyOf(parsed))
	if source == "" {
		return nil, fmt.Errorf("find the address by which %s says that it has %s: it has none of %s", host.Name, address, cluster.FamilyOf(parsed))
	}
	link, err := in.vipInterface(host, source)
	if err != nil {
		return nil, err
	}
	router, err := RouterID(in.Cluster, in.PKI)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"Name": host.Name, "Address": address, "Bits": parsed.BitLen(), "Family": nftFamily(parsed), "Interface": link, "RouterID": router,
		"Endpoint": endpointProgram, "Port": strconv.Itoa(endpointPort(in.Cluster)), "Weight": pathWeight,
		"Preempt": in.Cluster.Endpoint.VRRP.Preempt, "Priority": in.priority(host), "Source": source, "Peers": in.vrrpPeers(host),
		"Folder": path.Dir(KeepalivedConfig), "Config": KeepalivedConfig, "CA": BalancerCA,
		"Binary": "/usr/sbin/keepalived", "Run": keepalivedRun, "NFT": "/usr/sbin/nft", "Table": guardTable,
	}, nil
}

// priority is a host's in VRRP: with preemption the first in the file has the highest.
func (in Input) priority(host cluster.Host) int {
	if !in.Cluster.Endpoint.VRRP.Preempt {
		return highestPriority
	}
	index := slices.IndexFunc(in.Cluster.Balancers(), func(other cluster.Host) bool { return other.Name == host.Name })
	return highestPriority - min(index, pathWeight-1)
}

// vrrpPeers are the other hosts that may hold a virtual address of IPv4, by theirs: all that run
// keepalived, also those that haproxy sends no client to yet. A host that gets no adverts from the
// holder would take the address too. Of an address of IPv6 the group is told, and no list is kept.
func (in Input) vrrpPeers(host cluster.Host) []string {
	var peers []string
	for _, other := range in.Cluster.Balancers() {
		if other.Name != host.Name && (in.Balancers == nil || slices.Contains(in.Balancers, other.Name)) {
			peers = append(peers, other.AddressOf(cluster.IPv4))
		}
	}
	if len(peers) == 0 {
		return []string{noPeer}
	}
	return peers
}

// noPeer stands in the configuration of a host that has no peer yet. Without any, keepalived
// would use multicast, and drop the address to start again when the first peer comes.
const noPeer = "127.0.0.1"

// vipInterface is the interface that carries the virtual address on a host: unless the file
// says another, the one that has the host's own address of the same family.
func (in Input) vipInterface(host cluster.Host, own string) (string, error) {
	if said := in.Cluster.Endpoint.VRRP.Interface; said != "" {
		return said, nil
	}
	for _, link := range in.Facts[host.Name].Interfaces {
		for _, address := range link.Addresses {
			prefix, err := netip.ParsePrefix(address)
			if err != nil || prefix.Addr().String() != own {
				continue
			}
			if !cluster.CanName(link.Name) {
				return "", fmt.Errorf("write the interface %q of %s into keepalived's configuration: its name is not one of letters, digits, dots, dashes and underscores", link.Name, host.Name)
			}
			return link.Name, nil
		}
	}
	return "", fmt.Errorf("find the interface of %s: none has the address %s (endpoint.vrrp.interface names another)",
		host.Name, own)
}

// RouterID tells the cluster's virtual router from others of the network: what the file
// says or, derived from the cluster's identity, the same for ever and kept nowhere.
func RouterID(c *cluster.Cluster, pki certs.PKI) (int, error) {
	if said := c.Endpoint.VRRP.RouterID; said != 0 {
		return said, nil
	}
	id, err := certs.ID(pki)
	if err != nil {
		return 0, fmt.Errorf("derive the VRRP router id: %w", err)
	}
	return routerOf(id)
}

// routerOf brings an identity into the range of router ids, 1 to 255.
func routerOf(identity string) (int, error) {
	number, err := strconv.ParseUint(identity[:8], 16, 32)
	if err != nil {
		return 0, fmt.Errorf("derive the VRRP router id of identity %s: %w", identity, err)
	}
	return int(number%255) + 1, nil
}
