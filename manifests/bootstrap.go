package manifests

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// bootstrapObjects are what joining by a token needs: where the cluster is, for anyone;
// for who has a token, to be known, to ask for a certificate and to get it; and for nodes,
// to renew theirs.
func bootstrapObjects(in Input) ([]Object, error) {
	server, err := in.discoveryURL()
	if err != nil {
		return nil, err
	}
	const approve = "system:certificates.k8s.io:certificatesigningrequests:"
	tokens := group(groupBootstrappers)
	objects := []runtime.Object{
		// The controller that signs for tokens adds its signatures to the same ConfigMap.
		configMap(metav1.NamespacePublic, bootstrapapi.ConfigMapClusterInfo, map[string]string{
			bootstrapapi.KubeConfigKey: string(discoveryKubeconfig(server, in.PKI.CA.Cert)),
		}),
		clusterRole("kubeadm:get-nodes", rbacv1.PolicyRule{
			Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"nodes"},
		}),
		clusterRoleBinding("kubeadm:get-nodes", "kubeadm:get-nodes", tokens),
		clusterRoleBinding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", tokens),
		clusterRoleBinding("kubeadm:node-autoapprove-bootstrap", approve+"nodeclient", tokens),
		clusterRoleBinding("kubeadm:node-autoapprove-certificate-rotation", approve+"selfnodeclient", group(groupNodes)),
	}
	objects = append(objects, configMapReaders(metav1.NamespacePublic, "kubeadm:bootstrap-signer-clusterinfo",
		bootstrapapi.ConfigMapClusterInfo, user("system:anonymous"))...)
	return objectsOf(plan.PhaseBootstrapToken, objects...)
}

// Token is a bootstrap token as the cluster keeps it.
type Token struct {
	ID     string
	Secret string
	// Expiration is RFC 3339; empty, the token does not expire.
	Expiration  string
	Usages      []string // signing, authentication
	Description string
	Groups      []string
}

// BootstrapToken is the Secret that makes a token known to the cluster.
func BootstrapToken(token Token) (Object, error) {
	data := map[string][]byte{
		bootstrapapi.BootstrapTokenIDKey:     []byte(token.ID),
		bootstrapapi.BootstrapTokenSecretKey: []byte(token.Secret),
	}
	optional := map[string]string{
		bootstrapapi.BootstrapTokenExpirationKey:  token.Expiration,
		bootstrapapi.BootstrapTokenDescriptionKey: token.Description,
		bootstrapapi.BootstrapTokenExtraGroupsKey: strings.Join(token.Groups, ","),
	}
	for key, value := range optional {
		if value != "" {
			data[key] = []byte(value)
		}
	}
	for _, usage := range token.Usages {
		data[bootstrapapi.BootstrapTokenUsagePrefix+usage] = []byte("true")
	}
	objects, err := objectsOf(plan.PhaseBootstrapToken, &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespaceKubeSystem, Name: bootstrapapi.BootstrapTokenSecretPrefix + token.ID,
		},
		Type: bootstrapapi.SecretTypeBootstrapToken,
		Data: data,
	})
	if err != nil {
		return Object{}, err
	}
	objects[0].Secret = true
	return objects[0], nil
}
