package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// applier is an entry of managedFields: who set which field, and how.
func applier(manager, operation, field string) string {
	return fmt.Sprintf(`{"manager":%q,"operation":%q,"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{%s}}`, manager, operation, field)
}

const (
	labelField = `"f:metadata":{"f:labels":{"f:slipway.dev/inventory":{}}}`
	dataField  = `"f:data":{"f:a":{}}`
)

var ours = applier("slipway", "Apply", labelField)

// labelled is an object with the label, whose fields these have set.
func labelled(namespace, name string, managers ...string) string {
	return fmt.Sprintf(`{"metadata":{"namespace":%q,"name":%q,"uid":"uid of %s","labels":{"slipway.dev/inventory":"addon.x"},"managedFields":[%s]}}`,
		namespace, name, name, strings.Join(managers, ","))
}

// TestInventoryIsWhatSlipwayHasApplied: what has the label because somebody copied it, or because
// another's program set it, is not ours; and no name leads elsewhere.
func TestInventoryIsWhatSlipwayHasApplied(t *testing.T) {
	maps := hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system"}
	roles := hosts.ObjectKey{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"}
	unknown := hosts.ObjectKey{APIVersion: "example.org/v9", Kind: "Widget", Namespace: "kube-system"}
	unserved := hosts.ObjectKey{APIVersion: "apps/v1", Kind: "DaemonSet", Namespace: "kube-system"}
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		const path = "/api/v1/namespaces/kube-system/configmaps/"
		c.put(path+"ours", labelled("kube-system", "ours", ours, applier("kubectl-edit", "Update", dataField)))
		c.put(path+"shared", labelled("kube-system", "shared", applier("argocd", "Apply", dataField), ours))
		c.put(path+"copied", labelled("kube-system", "copied", applier("kubectl", "Apply", labelField)))
		c.put(path+"label-added", labelled("kube-system", "label-added", applier("slipway", "Apply", dataField), applier("kubectl-label", "Update", labelField)))
		c.put(path+"seeded", labelled("kube-system", "seeded", applier("slipway", "Update", labelField)))
		c.put(path+"unmanaged", labelled("kube-system", "unmanaged"))
		c.put(path+"climbs", labelled("kube-system", "../../../nodes/n-1", ours))
		c.put(path+"moved", labelled("theirs", "moved", ours))
		c.put(path+"plain", `{"metadata":{"name":"plain","namespace":"kube-system"}}`)
		c.put("/api/v1/namespaces/theirs/configmaps/ours", labelled("theirs", "ours", ours))
		c.put("/apis/rbac.authorization.k8s.io/v1/clusterroles/kubeadm:get-nodes", labelled("", "kubeadm:get-nodes", ours))
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{Inventory: []hosts.ObjectKey{roles, unknown, unserved, maps}})
		if err != nil || !facts.Reachable {
			t.Fatalf("%+v %v", facts, err)
		}
		named := func(kind hosts.ObjectKey, name string, others ...string) hosts.Applied {
			kind.Name = name
			return hosts.Applied{Object: kind, UID: "uid of " + name, Phase: "addon.x", Others: others}
		}
		want := []hosts.Applied{named(roles, "kubeadm:get-nodes"), named(maps, "ours"), named(maps, "shared", "argocd")}
		if diff := cmp.Diff(want, facts.Inventory); diff != "" {
			t.Error(diff)
		}
	})
}

func TestInventoryOfAClusterThatIsNotThere(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.planes["cp-1"].down = errDown
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{Inventory: []hosts.ObjectKey{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system"}}})
		if err != nil || facts.Reachable || facts.Inventory != nil {
			t.Errorf("%+v %v", facts, err)
		}
	})
}

// TestOnlyWhatWasSeenIsDeleted: the plan may be older than who has the object now.
func TestOnlyWhatWasSeenIsDeleted(t *testing.T) {
	const path = "/api/v1/namespaces/kube-system/configmaps/settings"
	for name, test := range map[string]struct {
		live   string
		result hosts.Result
		stays  bool
	}{
		"as it was seen":     {labelled("kube-system", "settings", ours), hosts.Changed, false},
		"made anew":          {strings.Replace(labelled("kube-system", "settings", ours), "uid of settings", "another", 1), hosts.Unchanged, true},
		"the label is taken": {labelled("kube-system", "settings", applier("kubectl", "Apply", labelField)), hosts.Unchanged, true},
		"somebody joined in": {labelled("kube-system", "settings", ours, applier("argocd", "Apply", dataField)), hosts.Unchanged, true},
		"gone":               {"", hosts.Unchanged, false},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, one, func(t *testing.T, c *cluster, client *Client) {
				if test.live != "" {
					c.put(path, test.live)
				}
				done, err := client.Do(t.Context(), plan.Delete{Object: settings, UID: "uid of settings"}, nil, nil)
				if err != nil || done.Result != test.result || (c.objects[path] != nil) != test.stays {
					t.Errorf("%v %v, and then there is %v", done, err, c.objects[path])
				}
			})
		})
	}
}

// TestWhatIsTakenOverMeanwhileIsNotDeleted, not even between the last look and the deletion.
func TestWhatIsTakenOverMeanwhileIsNotDeleted(t *testing.T) {
	const path = "/api/v1/namespaces/kube-system/configmaps/settings"
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put(path, labelled("kube-system", "settings", ours))
		c.answer = func(_ string, r *http.Request) *metav1.Status {
			if r.Method == http.MethodDelete {
				live := c.objects[path]
				metadata := live["metadata"].(map[string]any)
				metadata["managedFields"] = nil
				c.store(path, live)
			}
			return nil
		}
		done, err := client.Do(t.Context(), plan.Delete{Object: settings, UID: "uid of settings"}, nil, nil)
		if err != nil || done.Result != hosts.Unchanged || c.objects[path] == nil {
			t.Errorf("%v %v, and then there is %v", done, err, c.objects[path])
		}
	})
}
