package view

import (
	"fmt"
	"maps"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// Keys of the objects that keep the cluster-wide settings.
var (
	KubeletConfigKey   = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "kubelet-config"}
	KubeProxyConfigKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "kube-proxy"}
)

// ChosenSettings are the given ones, else those that the cluster keeps, else those that the
// hosts of this file can all have.
func (v View) ChosenSettings() (manifests.Settings, error) {
	if v.Settings != nil {
		return *v.Settings, nil
	}
	kubelet, proxy := v.ClusterFacts.Objects[KubeletConfigKey], v.ClusterFacts.Objects[KubeProxyConfigKey]
	if len(kubelet) > 0 && len(proxy) > 0 {
		settings, err := manifests.SettingsFromObjects(kubelet, proxy)
		if err != nil {
			return manifests.Settings{}, fmt.Errorf("read the cluster's settings: %w", err)
		}
		return settings, nil
	}
	return manifests.SettingsFromFacts(v.nodeFacts()), nil
}

// nodeFacts are what was seen of the hosts that are to be nodes.
func (v View) nodeFacts() map[string]hosts.Facts {
	facts := maps.Clone(v.Facts)
	maps.DeleteFunc(facts, func(name string, _ hosts.Facts) bool {
		host, known := v.Cluster.Host(name)
		return known && !host.IsNode()
	})
	return facts
}
