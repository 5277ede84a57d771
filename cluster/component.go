package cluster

import (
	"fmt"
	"reflect"

	proxy "k8s.io/kube-proxy/config/v1alpha1"
	kubelet "k8s.io/kubelet/config/v1beta1"
)

// The further documents of a Cluster file.
const (
	KubeletAPIVersion   = "kubelet.config.k8s.io/v1beta1"
	KubeletKind         = "KubeletConfiguration"
	KubeProxyAPIVersion = "kubeproxy.config.k8s.io/v1alpha1"
	KubeProxyKind       = "KubeProxyConfiguration"
)

// component reads a further document: strictly, against its own API's types, and keeps
// it as it was written, so that what it leaves out stays Slipway's to say.
func (d *decoder) component(tree *node, c *Cluster) {
	version, kind := tree.textOf("apiVersion"), tree.textOf("kind")
	var checked any
	var keep *map[string]any
	want := ""
	switch kind {
	case KubeletKind:
		checked, keep, want = new(kubelet.KubeletConfiguration), &c.Kubelet, KubeletAPIVersion
	case KubeProxyKind:
		checked, keep, want = new(proxy.KubeProxyConfiguration), &c.KubeProxy, KubeProxyAPIVersion
	default:
		d.report(Problem{Line: tree.line, Message: "a further document is " + identity(version, kind),
			Fix: fmt.Sprintf("only %s and %s may follow the %s", KubeletKind, KubeProxyKind, Kind)})
		return
	}
	if version != want {
		d.report(Problem{Path: kind + ".apiVersion", Line: tree.line, Message: fmt.Sprintf("is %q", version), Fix: "write " + want})
		return
	}
	if *keep != nil {
		d.report(Problem{Path: kind, Line: tree.line, Message: "there are two documents of this kind", Fix: "keep one"})
		return
	}
	d.decode(tree, reflect.ValueOf(checked).Elem(), kind)
	*keep, _ = tree.plain().(map[string]any)
}
