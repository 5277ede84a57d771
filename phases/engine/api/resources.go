package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// groupKind is an API version and kind.
type groupKind struct{ apiVersion, kind string }

// resource is where a kind's objects are found.
type resource struct {
	plural     string
	namespaced bool
}

// resources are the kinds that Slipway itself applies or looks at, so that no round trip
// is needed to find them. Others are asked for.
var resources = map[groupKind]resource{
	{"v1", "ConfigMap"}:                                                     {"configmaps", true},
	{"v1", "Endpoints"}:                                                     {"endpoints", true},
	{"v1", "Event"}:                                                         {"events", true},
	{"v1", "LimitRange"}:                                                    {"limitranges", true},
	{"v1", "Namespace"}:                                                     {"namespaces", false},
	{"v1", "Node"}:                                                          {"nodes", false},
	{"v1", "PersistentVolume"}:                                              {"persistentvolumes", false},
	{"v1", "PersistentVolumeClaim"}:                                         {"persistentvolumeclaims", true},
	{"v1", "Pod"}:                                                           {"pods", true},
	{"v1", "ResourceQuota"}:                                                 {"resourcequotas", true},
	{"v1", "Secret"}:                                                        {"secrets", true},
	{"v1", "Service"}:                                                       {"services", true},
	{"v1", "ServiceAccount"}:                                                {"serviceaccounts", true},
	{"apps/v1", "DaemonSet"}:                                                {"daemonsets", true},
	{"apps/v1", "Deployment"}:                                               {"deployments", true},
	{"apps/v1", "ReplicaSet"}:                                               {"replicasets", true},
	{"apps/v1", "StatefulSet"}:                                              {"statefulsets", true},
	{"batch/v1", "CronJob"}:                                                 {"cronjobs", true},
	{"batch/v1", "Job"}:                                                     {"jobs", true},
	{"policy/v1", "PodDisruptionBudget"}:                                    {"poddisruptionbudgets", true},
	{"autoscaling/v2", "HorizontalPodAutoscaler"}:                           {"horizontalpodautoscalers", true},
	{"networking.k8s.io/v1", "Ingress"}:                                     {"ingresses", true},
	{"networking.k8s.io/v1", "IngressClass"}:                                {"ingressclasses", false},
	{"networking.k8s.io/v1", "NetworkPolicy"}:                               {"networkpolicies", true},
	{"rbac.authorization.k8s.io/v1", "ClusterRole"}:                         {"clusterroles", false},
	{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding"}:                  {"clusterrolebindings", false},
	{"rbac.authorization.k8s.io/v1", "Role"}:                                {"roles", true},
	{"rbac.authorization.k8s.io/v1", "RoleBinding"}:                         {"rolebindings", true},
	{"storage.k8s.io/v1", "CSIDriver"}:                                      {"csidrivers", false},
	{"storage.k8s.io/v1", "StorageClass"}:                                   {"storageclasses", false},
	{"scheduling.k8s.io/v1", "PriorityClass"}:                               {"priorityclasses", false},
	{"node.k8s.io/v1", "RuntimeClass"}:                                      {"runtimeclasses", false},
	{"coordination.k8s.io/v1", "Lease"}:                                     {"leases", true},
	{"discovery.k8s.io/v1", "EndpointSlice"}:                                {"endpointslices", true},
	{"certificates.k8s.io/v1", "CertificateSigningRequest"}:                 {"certificatesigningrequests", false},
	{"apiextensions.k8s.io/v1", "CustomResourceDefinition"}:                 {"customresourcedefinitions", false},
	{"apiregistration.k8s.io/v1", "APIService"}:                             {"apiservices", false},
	{"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"}:     {"mutatingwebhookconfigurations", false},
	{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"}:   {"validatingwebhookconfigurations", false},
	{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"}:        {"validatingadmissionpolicies", false},
	{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"}: {"validatingadmissionpolicybindings", false},
}

// path is where an object is.
func (c *Client) path(ctx context.Context, key hosts.ObjectKey) (string, error) {
	collection, err := c.collection(ctx, key)
	return collection + "/" + key.Name, err
}

// collection is where the objects of a kind are.
func (c *Client) collection(ctx context.Context, key hosts.ObjectKey) (string, error) {
	found, err := c.resource(ctx, groupKind{key.APIVersion, key.Kind})
	if err != nil {
		return "", err
	}
	path := versionPath(key.APIVersion)
	switch {
	case found.namespaced && key.Namespace == "":
		return "", fmt.Errorf("%s: the kind needs a namespace", key)
	case found.namespaced:
		path += "/namespaces/" + key.Namespace
	}
	return path + "/" + found.plural, nil
}

func versionPath(apiVersion string) string {
	if !strings.Contains(apiVersion, "/") {
		return "/api/" + apiVersion
	}
	return "/apis/" + apiVersion
}

// resource finds a kind in the table, else asks the API server and remembers.
func (c *Client) resource(ctx context.Context, kind groupKind) (resource, error) {
	if found, known := resources[kind]; known {
		return found, nil
	}
	c.mu.Lock()
	found, known := c.learned[kind]
	c.mu.Unlock()
	if known {
		return found, nil
	}
	body, err := c.get(ctx, versionPath(kind.apiVersion))
	if err != nil {
		return resource{}, fmt.Errorf("look for %s of %s: %w", kind.kind, kind.apiVersion, err)
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(body, &list); err != nil {
		return resource{}, fmt.Errorf("look for %s of %s: %w", kind.kind, kind.apiVersion, err)
	}
	for _, one := range list.APIResources {
		if one.Kind == kind.kind && !strings.Contains(one.Name, "/") {
			found := resource{one.Name, one.Namespaced}
			c.mu.Lock()
			c.learned[kind] = found
			c.mu.Unlock()
			return found, nil
		}
	}
	return resource{}, &unknownKindError{kind}
}

// unknownKindError says that the API server does not serve a kind.
type unknownKindError struct{ kind groupKind }

func (e *unknownKindError) Error() string {
	return fmt.Sprintf("the API server knows no %s of %s", e.kind.kind, e.kind.apiVersion)
}

// Status makes the error what the API server gives for an object of such a kind.
func (e *unknownKindError) Status() metav1.Status {
	return metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound,
		Reason: metav1.StatusReasonNotFound, Message: e.Error(),
	}
}
