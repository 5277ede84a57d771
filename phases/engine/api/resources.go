package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// clusterScoped are the kinds of Kubernetes' own that have no namespace.
var clusterScoped = []string{
	"CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding", "ClusterTrustBundle", "CSIDriver", "CSINode",
	"DeviceClass", "IngressClass", "IPAddress", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
	"MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass", "ResourceSlice",
	"RuntimeClass", "ServiceCIDR", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	"ValidatingWebhookConfiguration", "VolumeAttachment", "VolumeAttributesClass",
}

// path is where an object is.
func (c *Client) path(ctx context.Context, key hosts.ObjectKey) (string, error) {
	collection, err := c.collection(ctx, key)
	return collection + "/" + key.Name, err
}

// collection is where the objects of a kind are.
func (c *Client) collection(ctx context.Context, key hosts.ObjectKey) (string, error) {
	found, err := c.resource(ctx, schema.FromAPIVersionAndKind(key.APIVersion, key.Kind))
	if err != nil {
		return "", err
	}
	path := versionPath(key.APIVersion)
	switch {
	case found.Namespaced && key.Namespace == "":
		return "", fmt.Errorf("%s: the kind needs a namespace", key)
	case found.Namespaced:
		path += "/namespaces/" + key.Namespace
	}
	return path + "/" + found.Name, nil
}

func versionPath(apiVersion string) string {
	if !strings.Contains(apiVersion, "/") {
		return "/api/" + apiVersion
	}
	return "/apis/" + apiVersion
}

// resource finds a kind: Kubernetes' own without a request, others by asking an API server
// once. client-go's RESTMapper would ask for every kind that there is.
func (c *Client) resource(ctx context.Context, kind schema.GroupVersionKind) (metav1.APIResource, error) {
	if scheme.Scheme.Recognizes(kind) {
		plural, _ := meta.UnsafeGuessKindToResource(kind)
		return metav1.APIResource{Name: plural.Resource, Namespaced: !slices.Contains(clusterScoped, kind.Kind)}, nil
	}
	if found, known := c.learned.Load(kind); known {
		return found.(metav1.APIResource), nil
	}
	version := kind.GroupVersion().String()
	var list metav1.APIResourceList
	if err := c.read(ctx, versionPath(version), &list); err != nil {
		return metav1.APIResource{}, fmt.Errorf("look for %s of %s: %w", kind.Kind, version, err)
	}
	for _, one := range list.APIResources {
		if one.Kind == kind.Kind && !strings.Contains(one.Name, "/") {
			c.learned.Store(kind, one)
			return one, nil
		}
	}
	return metav1.APIResource{}, &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound,
		Message: fmt.Sprintf("the API server knows no %s of %s", kind.Kind, version),
	}}
}

// object gets a live object; nil where it, its namespace or its kind is absent.
func (c *Client) object(ctx context.Context, key hosts.ObjectKey) (json.RawMessage, error) {
	path, err := c.path(ctx, key)
	var body []byte
	if err == nil {
		body, err = c.get(ctx, path)
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return body, nil
}
