package manifests

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Groups and users that kubeadm's rules speak of.
const (
	groupNodes          = "system:nodes"
	groupBootstrappers  = "system:bootstrappers:kubeadm:default-node-token"
	groupClusterAdmins  = "kubeadm:cluster-admins"
	userKubeletClient   = "kube-apiserver-kubelet-client"
	roleNodeProxier     = "system:node-proxier"
	namespaceKubeSystem = metav1.NamespaceSystem
)

// ClusterObjects renders every API object that the cluster should hold, in the order of
// ObjectPhases.
func ClusterObjects(in Input) (ClusterState, error) {
	renders := map[plan.Phase]func(Input) ([]runtime.Object, error){
		plan.PhaseKubeletFinalize: adminObjects,
		plan.PhaseAddonFlannel:    flannelObjects,
		plan.PhaseAddonKubeProxy:  kubeProxyObjects,
		plan.PhaseAddonCoreDNS:    coreDNSObjects,
		plan.PhaseUploadConfig:    configObjects,
		plan.PhaseBootstrapToken:  bootstrapObjects,
	}
	var state ClusterState
	seeds := map[hosts.ObjectKey]bool{corefileKey: true}
	for _, phase := range ObjectPhases {
		if phase == plan.PhaseAddonFlannel && in.Cluster.Networking.AddOn != cluster.AddOnFlannel {
			continue
		}
		objects, err := renders[phase](in)
		if err != nil {
			return ClusterState{}, fmt.Errorf("render the objects of %s: %w", phase, err)
		}
		for _, object := range objects {
			one, err := objectOf(phase, object)
			if err != nil {
				return ClusterState{}, err
			}
			if seeds[one.Key] {
				one.Compare = Seed
			}
			state.Objects = append(state.Objects, one)
		}
	}
	return state, nil
}

// objectOf writes a typed object as the JSON of the fields that we set. Its status, which
// the types cannot leave out, is the cluster's to say.
func objectOf(phase plan.Phase, object runtime.Object) (Object, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return Object{}, fmt.Errorf("render an object of %s: %w", phase, err)
	}
	delete(fields, "status")
	prune(fields)
	content, err := json.Marshal(fields)
	if err != nil {
		return Object{}, fmt.Errorf("render an object of %s: %w", phase, err)
	}
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(content, &meta); err != nil {
		return Object{}, fmt.Errorf("render an object of %s: %w", phase, err)
	}
	return Object{
		Phase: phase,
		Key: hosts.ObjectKey{
			APIVersion: meta.APIVersion, Kind: meta.Kind, Namespace: meta.Namespace, Name: meta.Name,
		},
		Content: content,
		Compare: Exact,
	}, nil
}

// prune takes away what the types write although nobody set it: nulls, and the empty
// structs that stand for them.
func prune(fields map[string]any) {
	for key, value := range fields {
		switch typed := value.(type) {
		case nil:
			delete(fields, key)
		case map[string]any:
			prune(typed)
			if len(typed) == 0 && (key == "resources" || key == "strategy" || key == "updateStrategy") {
				delete(fields, key)
			}
		case []any:
			for _, item := range typed {
				if inner, ok := item.(map[string]any); ok {
					prune(inner)
				}
			}
		}
	}
}

func configMap(namespace, name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       data,
	}
}

func serviceAccount(namespace, name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
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

// The API server fills in a subject's group where it is missing; said here, what is
// wanted and what is there are the same.
func group(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: name}
}

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}
}

func account(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

// adminObjects let the administrators in: admin.conf is one of a group that RBAC knows,
// so that its rights can be taken away.
func adminObjects(Input) ([]runtime.Object, error) {
	return []runtime.Object{
		clusterRoleBinding(groupClusterAdmins, "cluster-admin", group(groupClusterAdmins)),
		clusterRoleBinding("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", user(userKubeletClient)),
	}, nil
}
