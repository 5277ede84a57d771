// Command flanneld is flannel with what a cluster of Slipway's uses of it: the subnets come
// from Kubernetes, and packets travel by vxlan, by host-gw or by WireGuard. The parts that
// ask an etcd of flannel's own or a cloud's service are left out: to compile them took
// longer than all the rest. Of flannel's flags it takes those that its DaemonSet uses, so that
// one DaemonSet fits its published image and this one; -healthz-ip, -healthz-port,
// -ip-blackhole-route, -subnet-lease-renew-margin and variables FLANNELD_… are not among them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/flannel-io/flannel/pkg/version"
	"k8s.io/klog/v2"
)

// options are the command line.
type options struct {
	kubeSubnets   bool
	apiURL        string
	kubeconfig    string
	annotations   string
	networkConfig string
	condition     bool // set the Node's condition NetworkUnavailable to False
	subnetFile    string

	interfaces list // names or addresses
	patterns   list
	reaches    string
	publicIP   string
	publicIPv6 string
	// nodeAddresses are the node's own, with commas between them: by those whose family no
	// flag names other nodes reach it.
	nodeAddresses string

	masquerade   bool
	plainPorts   bool // do not choose the ports of masqueraded connections at random
	forwardRules bool
	resync       int // seconds
}

// nodeAddresses is the variable that has a node's addresses as Kubernetes gives them to a Pod
// (status.hostIPs). flannel's own flanneld does not know it: it takes any address of the
// interface, which may be one that does not last.
const nodeAddresses = "HOST_IPS"

// list is a flag that may be given several times.
type list []string

func (l *list) String() string         { return strings.Join(*l, ",") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

func main() {
	o, err := parse(os.Args[1:])
	o.nodeAddresses = os.Getenv(nodeAddresses)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "flanneld:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil && ctx.Err() == nil {
		klog.Errorf("flanneld: %v", err)
		klog.Flush()
		os.Exit(1)
	}
}

func parse(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("flanneld", flag.ContinueOnError)
	flags.BoolVar(&o.kubeSubnets, "kube-subnet-mgr", false, "subnets come from Kubernetes; this flanneld knows no other way")
	flags.StringVar(&o.apiURL, "kube-api-url", "", "the API server (default: as a Pod finds it)")
	flags.StringVar(&o.kubeconfig, "kubeconfig-file", "", "a kubeconfig file (default: as a Pod finds it)")
	flags.StringVar(&o.annotations, "kube-annotation-prefix", "flannel.alpha.coreos.com", "begins the names of the Nodes' annotations")
	flags.StringVar(&o.networkConfig, "net-config-path", "/etc/kube-flannel/net-conf.json", "the network's configuration")
	flags.BoolVar(&o.condition, "set-node-network-unavailable", true, "say on the Node that its network is there")
	flags.StringVar(&o.subnetFile, "subnet-file", "/run/flannel/subnet.env", "where this node's subnet is written for the CNI plugin")
	flags.Var(&o.interfaces, "iface", "the interface to other nodes, by name or address; several are tried in order")
	flags.Var(&o.patterns, "iface-regex", "a pattern for it, tried when no -iface fits")
	flags.StringVar(&o.reaches, "iface-can-reach", "", "take the interface that leads to this address")
	flags.StringVar(&o.publicIP, "public-ip", "", "the IPv4 address that other nodes reach this one by")
	flags.StringVar(&o.publicIPv6, "public-ipv6", "", "the IPv6 address that other nodes reach this one by")
	flags.BoolVar(&o.masquerade, "ip-masq", false, "masquerade what leaves the Pods' network")
	flags.BoolVar(&o.plainPorts, "ip-masq-fully-random-disable", false, "let the kernel choose the ports of masqueraded connections as it likes")
	flags.BoolVar(&o.forwardRules, "iptables-forward-rules", true, "accept what is forwarded from and to Pods")
	flags.IntVar(&o.resync, "iptables-resync", 5, "seconds between two looks at the rules")
	tell := flags.Bool("version", false, "print the version and end")
	logging := flag.NewFlagSet("logging", flag.ContinueOnError)
	klog.InitFlags(logging)
	flags.Var(logging.Lookup("v").Value, "v", "how much is logged")
	flags.Usage = func() { flags.SetOutput(os.Stderr); flags.PrintDefaults() }
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	switch {
	case *tell:
		fmt.Println(version.Version)
		return o, flag.ErrHelp
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	case !o.kubeSubnets:
		return o, errors.New("-kube-subnet-mgr is missing: this flanneld takes subnets from Kubernetes only")
	case o.resync < 1:
		return o, fmt.Errorf("-iptables-resync %d: must be at least 1 (seconds)", o.resync)
	}
	return o, nil
}
