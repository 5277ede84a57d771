package api

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// requests are metrics of an API server that was asked for deprecated APIs, among others.
func requests(lines ...string) string {
	return `# HELP apiserver_request_total [STABLE] Counter of apiserver requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="pods",verb="LIST"} 12
# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs that have been requested
# TYPE apiserver_requested_deprecated_apis gauge
` + strings.Join(lines, "\n") + `
# HELP apiserver_storage_objects [STABLE] Number of stored objects
# TYPE apiserver_storage_objects gauge
apiserver_storage_objects{resource="leasecandidates.coordination.k8s.io"} 2
apiserver_storage_objects{resource="ipaddresses.networking.k8s.io"} 3
apiserver_storage_objects{resource="pods"} 40
`
}

const askedForBudgets = `apiserver_requested_deprecated_apis{group="policy",removed_release="1.25",resource="poddisruptionbudgets",subresource="",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="policy",removed_release="1.25",resource="poddisruptionbudgets",subresource="status",version="v1beta1"} 1`

const askedForGone = `apiserver_requested_deprecated_apis{group="example.com",removed_release="",resource="gadgets",subresource="",version="v1beta1"} 1`

const askedForEndpoints = `apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1`

func (c *cluster) budgetOf(name string, managers ...string) {
	var fields []string
	for _, manager := range managers {
		who, version, _ := strings.Cut(manager, " ")
		fields = append(fields, fmt.Sprintf(`{"manager":%q,"apiVersion":%q,"operation":"Update"}`, who, version))
	}
	c.put("/apis/policy/v1beta1/namespaces/shop/poddisruptionbudgets/"+name,
		fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"shop","managedFields":[%s]}}`, name, strings.Join(fields, ",")))
}

// TestWhoNeedsAPIsThatGoAway: every API server is asked by itself, objects tell who writes them, and of one
// that cannot be asked it is said.
func TestWhoNeedsAPIsThatGoAway(t *testing.T) {
	play(t, []string{"cp-1", "cp-2", "cp-3"}, func(t *testing.T, c *cluster, client *Client) {
		c.counts = func(host string) string {
			return map[string]string{"cp-1": requests(askedForEndpoints, askedForGone), "cp-2": requests(askedForBudgets, askedForEndpoints), "cp-3": requests()}[host]
		}
		c.paged = 2
		for i := range 4 {
			c.budgetOf(fmt.Sprintf("web-%d", i), "helm policy/v1beta1", "helm policy/v1beta1", "kubectl policy/v1")
		}
		c.budgetOf("db", "argocd policy/v1beta1")
		c.put("/apis", `{"groups":[{"name":"policy","versions":[{"version":"v1"}]},
			{"name":"coordination.k8s.io","versions":[{"version":"v1"},{"version":"v1beta1"}]},
			{"name":"networking.k8s.io","versions":[{"version":"v1"},{"version":"v1beta1"}]}]}`)
		c.put("/apis/coordination.k8s.io/v1beta1", `{"resources":[{"name":"leasecandidates","kind":"LeaseCandidate"}]}`)
		c.put("/apis/networking.k8s.io/v1beta1", `{"resources":[{"name":"ipaddresses","kind":"IPAddress"}]}`)
		const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
		c.put(definitions+"widgets.example.com", `{"metadata":{"name":"widgets.example.com"},
			"spec":{"versions":[{"name":"v1","served":true},{"name":"v1beta1","served":true},{"name":"v1alpha1","served":false}]},
			"status":{"storedVersions":["v1alpha1","v1beta1","v1"]}}`)
		c.put(definitions+"gadgets.example.com", `{"metadata":{"name":"gadgets.example.com"},
			"spec":{"versions":[{"name":"v1","served":true}]},"status":{"storedVersions":["v1"]}}`)
		c.planes["cp-3"].cut(errors.New("connection refused"))

		found := client.DeprecatedAPIs(t.Context(), "1.39")
		want := hosts.DeprecatedAPIs{
			Requested: []hosts.RequestedAPI{
				{API: hosts.API{Group: "example.com", Version: "v1beta1", Resource: "gadgets"}, Servers: []string{"cp-1"},
					Unknown: "list /apis/example.com/v1beta1/gadgets: it answers 404 Not Found"},
				{API: hosts.API{Group: "policy", Version: "v1beta1", Resource: "poddisruptionbudgets"}, Removed: "1.25", Servers: []string{"cp-2"}, Writers: []hosts.Writer{
					{Manager: "helm", Objects: 4, Some: []string{"shop/web-0", "shop/web-1", "shop/web-2"}}, {Manager: "argocd", Objects: 1, Some: []string{"shop/db"}},
				}},
				{API: hosts.API{Version: "v1", Resource: "endpoints"}, Servers: []string{"cp-1", "cp-2"}},
			},
			Stored:   []hosts.StoredAPI{{API: hosts.API{Group: "coordination.k8s.io", Version: "v1beta1", Resource: "leasecandidates"}, Removed: "1.39", Objects: 2}},
			Unserved: []hosts.UnservedVersion{{Definition: "widgets.example.com", Version: "v1alpha1"}},
			Unasked: []string{
				"what the API server on cp-3 was asked for: connection refused",
			},
		}
		for i, unasked := range found.Unasked {
			if strings.Contains(unasked, "connection refused") {
				found.Unasked[i] = want.Unasked[0]
			}
		}
		if !reflect.DeepEqual(found, want) {
			t.Errorf("it finds\n%+v, want\n%+v", found, want)
		}
		if found := client.DeprecatedAPIs(t.Context(), "1.38"); len(found.Stored) > 0 {
			t.Errorf("v1.38 still serves %v", found.Stored)
		}
	})
}

// TestObjectsThatNobodyCouldCount are not taken for none.
func TestObjectsThatNobodyCouldCount(t *testing.T) {
	play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
		c.counts = func(string) string {
			return "# TYPE apiserver_storage_objects gauge\napiserver_storage_objects{resource=\"leasecandidates.coordination.k8s.io\"} -1\n"
		}
		c.put("/apis", `{"groups":[{"name":"coordination.k8s.io","versions":[{"version":"v1"},{"version":"v1beta1"}]}]}`)
		c.put("/apis/coordination.k8s.io/v1beta1", `{"resources":[{"name":"leasecandidates","kind":"LeaseCandidate"}]}`)
		found := client.DeprecatedAPIs(t.Context(), "1.39")
		const want = "how many objects of coordination.k8s.io/v1beta1 leasecandidates are stored, which goes away: no API server could count them"
		if len(found.Stored) > 0 || len(found.Unasked) != 1 || found.Unasked[0] != want {
			t.Errorf("it finds %+v", found)
		}
	})
}
