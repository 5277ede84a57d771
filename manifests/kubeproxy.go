package manifests

import (
	"github.com/slipway-k8s/slipway/templates"

	"github.com/slipway-k8s/slipway/phases/plan"
)

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
	reference, err := in.reference(imageProxy)
	if err != nil {
		return nil, err
	}
	// Through the endpoint: the Service "kubernetes" works only by what kube-proxy does.
	kubeconfig, err := templates.Render("kube-proxy-kubeconfig.yaml", map[string]any{"Server": server})
	if err != nil {
		return nil, err
	}
	objects, err := renderObjects(plan.PhaseAddonKubeProxy, "kube-proxy.yaml", map[string]any{
		"Image": reference, "Config": string(config), "Kubeconfig": string(kubeconfig), "Inputs": digest(config, kubeconfig),
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
