package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	_ "github.com/flannel-io/flannel/pkg/backend/wireguard"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"github.com/flannel-io/flannel/pkg/trafficmngr/nftables"
	"k8s.io/klog/v2"
)

// run carries this node's part of the network until the context ends. Whatever fails before
// the network is up is an error; the kubelet then starts flanneld again.
func run(ctx context.Context, o options) error {
	subnets, err := kube.NewSubnetManager(ctx, o.apiURL, o.kubeconfig, o.annotations, o.networkConfig, o.condition)
	if err != nil {
		return fmt.Errorf("learn the nodes' subnets from Kubernetes: %w", err)
	}
	config, err := subnets.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", o.networkConfig, err)
	}
	link, err := findInterface(ctx, subnets, config, o)
	if err != nil {
		return fmt.Errorf("find the interface to other nodes: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	way, err := backend.NewManager(ctx, subnets, link).GetBackend(config.BackendType)
	if err != nil {
		return fmt.Errorf("make the network of type %q (there are vxlan, host-gw and wireguard): %w", config.BackendType, err)
	}
	network, err := way.RegisterNetwork(ctx, &running, config)
	if err != nil {
		return fmt.Errorf("make the network of type %q: %w", config.BackendType, err)
	}
	if err := setRules(ctx, config, network.Lease(), o); err != nil {
		return err
	}
	mine := network.Lease()
	if err := subnets.HandleSubnetFile(o.subnetFile, config, o.masquerade, mine.Subnet, mine.IPv6Subnet, podMTU(config, network.MTU())); err != nil {
		return fmt.Errorf("write %s: %w", o.subnetFile, err)
	}
	klog.Infof("the network of type %s is up, and %s is written", config.BackendType, o.subnetFile)
	running.Go(func() { network.Run(ctx) })
	if err := subnets.CompleteLease(ctx, mine, &running); err != nil {
		klog.Errorf("say on the Node that its network is there: %v", err) // Pods have it all the same
	}
	<-ctx.Done()
	return nil
}

// podMTU is how long Pods' packets may be. flannel reckons with 50 bytes around each packet,
// which is so where vxlan goes over IPv4. Over IPv6 there are 20 more, and the kernel keeps the
// vxlan's own link that much shorter: a Pod that does not know sends each large packet twice.
func podMTU(config *subnet.Config, mtu int) int {
	if config.EnableIPv6 && config.BackendType == "vxlan" {
		return mtu - (ipv6Header - ipv4Header)
	}
	return mtu
}

const ipv4Header, ipv6Header = 20, 40

// findInterface gives what carries the packets to other nodes: what the command line says,
// or else what has the address that the Node or the command line calls public, or else what
// has the default route.
func findInterface(ctx context.Context, subnets subnet.Manager, config *subnet.Config, o options) (*backend.ExternalInterface, error) {
	family, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return nil, err
	}
	public := ipmatch.PublicIPOpts{PublicIP: o.publicIP, PublicIPv6: o.publicIPv6}
	four, six := subnets.GetStoredPublicIP(ctx)
	if four != "" {
		public.PublicIP = four
	}
	if six != "" {
		public.PublicIPv6 = six
	}
	complete(&public, o.nodeAddresses, config)
	if len(o.interfaces)+len(o.patterns) == 0 && o.reaches == "" {
		address := public.PublicIP
		if address == "" {
			address = public.PublicIPv6
		}
		return ipmatch.LookupExtIface(address, "", "", family, public)
	}
	var misses []error
	try := func(name, pattern, reaches string) *backend.ExternalInterface {
		link, err := ipmatch.LookupExtIface(name, pattern, reaches, family, public)
		if err != nil {
			misses = append(misses, err)
			return nil
		}
		return link
	}
	for _, name := range o.interfaces {
		if link := try(name, "", ""); link != nil {
			return link, nil
		}
	}
	for _, pattern := range o.patterns {
		if link := try("", pattern, ""); link != nil {
			return link, nil
		}
	}
	if o.reaches != "" {
		if link := try("", "", o.reaches); link != nil {
			return link, nil
		}
	}
	return nil, errors.Join(misses...)
}

// setRules has the host forward and masquerade what comes from Pods, by rules of the kind
// that the configuration names, and takes away those of the other kind, which an earlier
// configuration may have left.
func setRules(ctx context.Context, config *subnet.Config, mine *lease.Lease, o options) error {
	var rules, others trafficmngr.TrafficManager = &iptables.IPTablesManager{}, &nftables.NFTablesManager{}
	if config.EnableNFTables {
		rules, others = others, rules
	} else if err := bridgesAreFiltered(config); err != nil {
		return err
	}
	if err := others.CleanUp(ctx); err != nil {
		return fmt.Errorf("take away the rules of the kind that is not used: %w", err)
	}
	if err := rules.Init(ctx); err != nil {
		return fmt.Errorf("begin with rules: %w", err)
	}
	if o.masquerade {
		was := readPrevious(o.subnetFile)
		if err := rules.SetupAndEnsureMasqRules(ctx, config.Network, was.subnet, was.network,
			config.IPv6Network, was.subnet6, was.network6, mine, o.resync, o.plainPorts); err != nil {
			return fmt.Errorf("masquerade what leaves the network: %w", err)
		}
	}
	if o.forwardRules {
		rules.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, o.resync)
	}
	return nil
}

// bridgesAreFiltered wants that iptables sees what bridges carry: else Services do not work
// between Pods of one node, though all looks well.
func bridgesAreFiltered(config *subnet.Config) error {
	for path, wanted := range map[string]bool{
		"/proc/sys/net/bridge/bridge-nf-call-iptables":  config.EnableIPv4,
		"/proc/sys/net/bridge/bridge-nf-call-ip6tables": config.EnableIPv6,
	} {
		if !wanted {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("the kernel module br_netfilter is not loaded: %w", err)
		}
	}
	return nil
}
