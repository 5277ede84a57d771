package manifests

import (
	"encoding/json"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-k8s/slipway/hosts"
)

// FlannelKey names what makes flannel the cluster's network.
var FlannelKey = hosts.ObjectKey{APIVersion: "apps/v1", Kind: "DaemonSet", Namespace: "kube-flannel", Name: "kube-flannel-ds"}

// Inventory lists the kinds of what Slipway applies, in the order in which they can be applied.
// What a release has applied, a later one has to find: a row may get another version of its API,
// but none is taken away.
//
// No Namespace is here: to delete one is to delete all that others have in it.
func Inventory() []hosts.ObjectKey {
	const core, rbac, apps = "v1", "rbac.authorization.k8s.io/v1", "apps/v1"
	var kinds []hosts.ObjectKey
	add := func(version, kind string, namespaces ...string) {
		for _, namespace := range namespaces {
			kinds = append(kinds, hosts.ObjectKey{APIVersion: version, Kind: kind, Namespace: namespace})
		}
	}
	const system, public, flannel = "kube-system", "kube-public", "kube-flannel"
	add(core, "ServiceAccount", system, flannel)
	add(rbac, "ClusterRole", "")
	add(rbac, "ClusterRoleBinding", "")
	add(rbac, "Role", system, public)
	add(rbac, "RoleBinding", system, public)
	add(core, "ConfigMap", system, public, flannel)
	add(core, "Service", system)
	add(apps, "DaemonSet", system, flannel)
	add(apps, "Deployment", system)
	return kinds
}

// inInventory gives an object the label by which it is found when it is no longer wanted.
func inInventory(object Object) (Object, error) {
	var content unstructured.Unstructured
	if err := content.UnmarshalJSON(object.Content); err != nil {
		return Object{}, fmt.Errorf("label %s: %w", object.Key, err)
	}
	labels := map[string]string{hosts.LabelInventory: object.Phase.Label()}
	maps.Copy(labels, content.GetLabels())
	content.SetLabels(labels)
	var err error
	object.Content, err = json.Marshal(content.Object)
	return object, err
}
