package manifests

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/templates"
)

// flannelObjects are the network add-on.
func flannelObjects(in Input) ([]Object, error) {
	image, err := in.image(imageFlannel)
	if err != nil {
		return nil, err
	}
	endpoint, err := EndpointAddress(in.Cluster)
	if err != nil {
		return nil, err
	}
	network, err := flannelNetwork(in)
	if err != nil {
		return nil, err
	}
	conf, err := in.cniConf()
	if err != nil {
		return nil, err
	}
	first, _ := netip.ParseAddr(in.firstAddress())
	host, port := splitAddress(endpoint)
	return renderObjects(plan.PhaseAddonFlannel, "flannel.yaml", map[string]any{
		"Image": image.Reference, "Host": host, "Port": port, "IPv6": first.Is6(), "Dual": len(in.Cluster.Networking.Families()) > 1,
		"CNIConf": string(conf), "Network": network, "Inputs": digest([]byte(image.Manifest.Digest+network), conf),
		"Installer": in.has(cniInstaller), "IdleSeconds": idleSeconds, "XtablesLock": in.locksXtables(),
	})
}

// The components of ours that a bundle which was built from source has: flannel's own
// published image has neither.
const (
	cniInstaller = "cni-install" // in flannel's image: puts plugins and configuration on a node
	cniAwait     = "cni-await"   // a plugin: waits for flanneld
)

func (in Input) has(component string) bool {
	_, found := in.Bill.Component(component)
	return found
}

// cniFiles are the network configuration, where the network is ours.
func cniFiles(c *cluster.Cluster) []File {
	if c.Networking.AddOn != cluster.AddOnFlannel {
		return nil
	}
	return []File{plainFile(plan.PhaseKubelet, CNIConf, Input.cniConf)}
}

// cniConf is the configuration of Pods' networks: what waits for flanneld, flannel's plugin,
// which hands on to bridge, and portmap for hostPort. The version is what the plugin's is.
// Without await-subnet in the bundle the first Pods may meet the back-off.
func (in Input) cniConf() ([]byte, error) {
	return templates.Render("cni-conf.json", map[string]any{"Await": in.has(cniAwait)})
}

// flannelNetwork is flanneld's configuration. It filters as kube-proxy does: one kind of
// rules on a host, and one kind to look at.
func flannelNetwork(in Input) (string, error) {
	config := map[string]any{
		"EnableNFTables": in.Settings.ProxyMode == ProxyNFTables,
		"Backend":        map[string]any{"Type": "vxlan"},
	}
	four := false
	for _, subnet := range in.Cluster.Networking.PodPrefixes() {
		if subnet.Addr().Is6() {
			config["EnableIPv6"], config["IPv6Network"] = true, subnet.String()
			continue
		}
		four, config["Network"] = true, subnet.String()
	}
	if !four {
		config["EnableIPv4"] = false
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return "", fmt.Errorf("render net-conf.json: %w", err)
	}
	return string(text) + "\n", nil
}

// splitAddress takes host:port apart; an IPv6 address loses its brackets.
func splitAddress(address string) (host, port string) {
	at := strings.LastIndex(address, ":")
	return strings.Trim(address[:at], "[]"), address[at+1:]
}

// corefileKey names the Corefile, which its users edit: as with kubeadm it is theirs once
// it is there.
var corefileKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespaceKubeSystem, Name: "coredns"}

// coreDNSObjects are the add-on CoreDNS.
func coreDNSObjects(in Input) ([]Object, error) {
	image, err := in.image(imageCoreDNS)
	if err != nil {
		return nil, err
	}
	corefile, err := templates.Render("Corefile", map[string]any{"Domain": in.Cluster.Networking.DNSDomain, "Forwards": in.forwards()})
	if err != nil {
		return nil, err
	}
	addresses := in.Cluster.Networking.DNSAddresses()
	if len(addresses) == 0 {
		return nil, errors.New("find the DNS address: no Service subnet has a tenth one")
	}
	return renderObjects(plan.PhaseAddonCoreDNS, "coredns.yaml", map[string]any{
		"Image": image.Reference, "Corefile": string(corefile), "Addresses": addresses,
		"Inputs": digest([]byte(image.Manifest.Digest)),
	})
}

const (
	proxyName   = "kube-proxy"
	proxyKey    = "config.conf"
	proxyFolder = "/var/lib/kube-proxy"
)

// kubeProxyObjects are the add-on kube-proxy.
func kubeProxyObjects(in Input) ([]Object, error) {
	config, err := in.kubeProxyConfiguration().yaml()
	if err != nil {
		return nil, err
	}
	server, err := EndpointURL(in.Cluster)
	if err != nil {
		return nil, err
	}
	image, err := in.image(imageProxy)
	if err != nil {
		return nil, err
	}
	// Through the endpoint: the Service "kubernetes" works only by what kube-proxy does.
	kubeconfig, err := templates.Render("kube-proxy-kubeconfig.yaml", map[string]any{"Server": server})
	if err != nil {
		return nil, err
	}
	objects, err := renderObjects(plan.PhaseAddonKubeProxy, "kube-proxy.yaml", map[string]any{
		"Image": image.Reference, "Config": string(config), "Kubeconfig": string(kubeconfig), "Inputs": digest([]byte(image.Manifest.Digest), config, kubeconfig),
		"IdleSeconds": idleSeconds, "XtablesLock": in.locksXtables(),
	})
	if err != nil {
		return nil, err
	}
	readers, err := objectsOf(plan.PhaseAddonKubeProxy, configMapReaders(namespaceKubeSystem, proxyName, proxyName, group(groupBootstrappers))...)
	return append(objects, readers...), err
}

// locksXtables tells whether Pods' programs share iptables' lock with the host. With nftables
// nothing takes it, and the host is spared the file.
func (in Input) locksXtables() bool { return in.Settings.ProxyMode != ProxyNFTables }

// A client of the endpoint asks in time whether its connection leads anywhere: client-go
// (k8s.io/apimachinery/pkg/util/net) sends an HTTP/2 ping after so many silent seconds, 30
// unless said. When the address has moved off a host that was not stopped, nothing tells a
// client that only waits: a kube-proxy was seen to learn of no Service for those 30 s.
const (
	idleVariable = "HTTP2_READ_IDLE_TIMEOUT_SECONDS"
	idleSeconds  = "5"
)
