package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/templates"
)

// Groups and users that kubeadm's rules speak of.
const (
	groupNodes          = "system:nodes"
	groupBootstrappers  = "system:bootstrappers:kubeadm:default-node-token"
	groupClusterAdmins  = "kubeadm:cluster-admins"
	userKubeletClient   = "kube-apiserver-kubelet-client"
	namespaceKubeSystem = metav1.NamespaceSystem
)

// ClusterObjects renders every API object that the cluster should hold, in the order of
// ObjectPhases.
func ClusterObjects(in Input) (ClusterState, error) {
	renders := map[plan.Phase]func(Input) ([]Object, error){
		plan.PhaseKubeletFinalize: adminObjects,
		plan.PhaseAddonFlannel:    flannelObjects,
		plan.PhaseAddonKubeProxy:  kubeProxyObjects,
		plan.PhaseAddonCoreDNS:    coreDNSObjects,
		plan.PhaseUploadConfig:    configObjects,
		plan.PhaseBootstrapToken:  bootstrapObjects,
	}
	var state ClusterState
	for _, phase := range ObjectPhases {
		if phase == plan.PhaseAddonFlannel && in.Cluster.Networking.AddOn != cluster.AddOnFlannel {
			continue
		}
		objects, err := renders[phase](in)
		if err != nil {
			return ClusterState{}, fmt.Errorf("render the objects of %s: %w", phase, err)
		}
		for _, object := range objects {
			if object.Key == corefileKey {
				object.Compare = Seed
			} else if object, err = inInventory(object); err != nil {
				return ClusterState{}, err
			}
			state.Objects = append(state.Objects, object)
		}
	}
	return state, nil
}

// renderObjects reads the objects of a template of YAML documents.
func renderObjects(phase plan.Phase, template string, data map[string]any) ([]Object, error) {
	manifest, err := templates.Render(template, data)
	if err != nil {
		return nil, err
	}
	var objects []Object
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), len(manifest)); ; {
		var content json.RawMessage
		if err := decoder.Decode(&content); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, fmt.Errorf("read %s: %w", template, err)
		}
		object, err := newObject(phase, content)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", template, err)
		}
		objects = append(objects, object)
	}
}

// objectsOf writes typed objects as JSON.
func objectsOf(phase plan.Phase, typed ...runtime.Object) ([]Object, error) {
	var objects []Object
	for _, one := range typed {
		content, err := json.Marshal(one)
		if err != nil {
			return nil, fmt.Errorf("write an object of %s: %w", phase, err)
		}
		object, err := newObject(phase, content)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

func newObject(phase plan.Phase, content []byte) (Object, error) {
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(content, &meta); err != nil {
		return Object{}, fmt.Errorf("read an object of %s: %w", phase, err)
	}
	key := hosts.ObjectKey{APIVersion: meta.APIVersion, Kind: meta.Kind, Namespace: meta.Namespace, Name: meta.Name}
	return Object{Phase: phase, Key: key, Content: content, Compare: Exact}, nil
}

func configMap(namespace, name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       data,
	}
}

func rbacMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

func clusterRole(name string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{TypeMeta: rbacMeta("ClusterRole"), ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
}

func clusterRoleBinding(name, role string, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		TypeMeta:   rbacMeta("ClusterRoleBinding"),
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   subjects,
	}
}

// configMapReaders are the role and its binding that let some read one ConfigMap.
func configMapReaders(namespace, name, configMap string, subjects ...rbacv1.Subject) []runtime.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	return []runtime.Object{
		&rbacv1.Role{TypeMeta: rbacMeta("Role"), ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
			Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"},
			ResourceNames: []string{configMap},
		}}},
		&rbacv1.RoleBinding{
			TypeMeta: rbacMeta("RoleBinding"), ObjectMeta: meta,
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects: subjects,
		},
	}
}

// The API server fills in a subject's missing group: with the group, what is wanted and what
// is there are equal.
func group(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: name}
}

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}
}

// adminObjects let the administrators in: admin.conf is one of a group that RBAC knows,
// so that its rights can be taken away.
func adminObjects(Input) ([]Object, error) {
	return objectsOf(plan.PhaseKubeletFinalize,
		clusterRoleBinding(groupClusterAdmins, "cluster-admin", group(groupClusterAdmins)),
		clusterRoleBinding("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", user(userKubeletClient)))
}
