package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWhoHasCordoned: Slipway notes what it cordons for a time, and uncordons nothing else.
func TestWhoHasCordoned(t *testing.T) {
	const by = "drain"
	for name, test := range map[string]struct {
		before  string // of the node, beside its name
		actions []plan.ClusterAction
		closed  bool
		noted   string
	}{
		"for a time":                  {"", []plan.ClusterAction{plan.Cordon{Node: "n-1", By: by}}, true, by},
		"and back":                    {"", []plan.ClusterAction{plan.Cordon{Node: "n-1", By: by}, plan.Uncordon{Node: "n-1", By: by}}, false, ""},
		"it becomes the user's":       {"", []plan.ClusterAction{plan.Cordon{Node: "n-1", By: by}, plan.Cordon{Node: "n-1"}, plan.Uncordon{Node: "n-1", By: by}}, true, ""},
		"a person had it cordoned":    {`"spec":{"unschedulable":true}`, []plan.ClusterAction{plan.Cordon{Node: "n-1", By: by}, plan.Uncordon{Node: "n-1", By: by}}, true, ""},
		"another workflow had":        {`"spec":{"unschedulable":true},"metadata":{"annotations":{"slipway.dev/cordoned-by":"upgrade"}}`, []plan.ClusterAction{plan.Cordon{Node: "n-1", By: by}, plan.Uncordon{Node: "n-1", By: by}}, true, "upgrade"},
		"slipway uncordon takes all":  {`"spec":{"unschedulable":true},"metadata":{"annotations":{"slipway.dev/cordoned-by":"upgrade"}}`, []plan.ClusterAction{plan.Uncordon{Node: "n-1"}}, false, ""},
		"a node that is not there":    {"", []plan.ClusterAction{plan.Uncordon{Node: "n-2", By: by}}, false, ""},
		"a drain cordons and notes":   {"", []plan.ClusterAction{plan.Drain{Node: "n-1", By: by}}, true, by},
		"a drain of a reset does not": {"", []plan.ClusterAction{plan.Drain{Node: "n-1"}}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, one, func(t *testing.T, c *cluster, client *Client) {
				c.put("/api/v1/nodes/n-1", "{"+test.before+"}")
				c.objects["/api/v1/nodes/n-1"]["metadata"].(map[string]any)["name"] = "n-1"
				for _, action := range test.actions {
					if _, err := client.Do(t.Context(), action, nil, nil); err != nil {
						t.Fatal(err)
					}
				}
				facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
				if err != nil {
					t.Fatal(err)
				}
				if node := facts.Nodes[0]; node.Unschedulable != test.closed || node.CordonedBy != test.noted {
					t.Errorf("cordoned: %v by %q, want %v by %q", node.Unschedulable, node.CordonedBy, test.closed, test.noted)
				}
			})
		})
	}
}

// TestDrainsThatDoNotEnd say what keeps which Pod.
func TestDrainsThatDoNotEnd(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(c *cluster)
		says []string
	}{
		"a finalizer": {func(c *cluster) {
			c.put(podPath("web"), strings.Replace(podObject("web", "ReplicaSet"), `"uid"`, `"finalizers":["example.com/hold"],"uid"`, 1))
		}, []string{"default/web is ending, and stays until its finalizers are removed: example.com/hold"}},
		"the node dies": {func(c *cluster) {
			c.dead = true
			c.put(podPath("web"), podObject("web", "ReplicaSet"))
			after(time.Second, func() { c.put("/api/v1/nodes/n-1", nodeUnknown) })
		}, []string{"the node is not Ready, and so nobody ends its Pods (NodeStatusUnknown", "default/web is ending"}},
		"a budget": {func(c *cluster) {
			c.put(podPath("web"), podObject("web", "ReplicaSet"))
			c.budget = func(string) bool { return false }
		}, []string{"default/web: Cannot evict pod", "The disruption budget web needs 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, one, func(t *testing.T, c *cluster, client *Client) {
				c.put("/api/v1/nodes/n-1", nodeReady)
				test.set(c)
				_, err := client.Do(t.Context(), plan.Drain{Node: "n-1", DrainOptions: plan.DrainOptions{Timeout: 20}}, nil, nil)
				late, _ := errors.AsType[*WaitError](err)
				for _, words := range test.says {
					if late == nil || !strings.Contains(late.Last, words) {
						t.Errorf("it ends with %v, which lacks %q", err, words)
					}
				}
			})
		})
	}
}

const nodeUnknown = `{"metadata":{"name":"n-1"},"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown","message":"Kubelet stopped posting node status."}]}}`

// TestDrainDoesAsItIsTold: what kubectl drain's flags of the same names do.
func TestDrainDoesAsItIsTold(t *testing.T) {
	never := func(string) bool { return false }
	emptyDir := strings.Replace(podObject("web", "ReplicaSet"), `"spec":{`, `"spec":{"volumes":[{"name":"v","emptyDir":{}}],`, 1)
	labelled := strings.Replace(podObject("web", "ReplicaSet"), `"uid"`, `"labels":{"app":"web"},"uid"`, 1)
	for name, test := range map[string]struct {
		pod     string
		budget  func(string) bool
		options plan.DrainOptions
		gone    bool
		fails   bool
		after   time.Duration
	}{
		"by force after a time":      {podObject("web", "ReplicaSet"), never, plan.DrainOptions{ForceAfter: 10}, true, false, 10 * time.Second},
		"without asking the budget":  {podObject("web", "ReplicaSet"), never, plan.DrainOptions{DisableEviction: true}, true, false, 0},
		"a bare Pod":                 {podObject("web", ""), nil, plan.DrainOptions{}, false, true, 0},
		"a bare Pod, by force":       {podObject("web", ""), nil, plan.DrainOptions{Force: true}, true, false, 0},
		"data of an emptyDir":        {emptyDir, nil, plan.DrainOptions{}, false, true, 0},
		"data that may be lost":      {emptyDir, nil, plan.DrainOptions{DeleteEmptyDirData: true}, true, false, 0},
		"a selector that means it":   {labelled, nil, plan.DrainOptions{PodSelector: "app=web"}, true, false, 0},
		"a selector that leaves it":  {labelled, nil, plan.DrainOptions{PodSelector: "app=db"}, false, false, 0},
		"ending for longer than 60s": {strings.Replace(podObject("web", "ReplicaSet"), `"uid"`, `"deletionTimestamp":"1999-12-31T00:00:00Z","uid"`, 1), nil, plan.DrainOptions{SkipWaitForDelete: 60}, false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, one, func(t *testing.T, c *cluster, client *Client) {
				c.put("/api/v1/nodes/n-1", nodeReady)
				c.put(podPath("web"), test.pod)
				c.budget = test.budget
				test.options.Timeout = 30
				began := time.Now()
				_, err := client.Do(t.Context(), plan.Drain{Node: "n-1", DrainOptions: test.options}, nil, nil)
				if (err != nil) != test.fails || (c.objects[podPath("web")] == nil) != test.gone {
					t.Errorf("it ends with %v; the Pod is gone: %v", err, c.objects[podPath("web")] == nil)
				}
				if took := time.Since(began); took < test.after || took > test.after+5*time.Second {
					t.Errorf("it took %s, want %s", took, test.after)
				}
			})
		})
	}
}

// TestADrainOutlivesASilence: an API server that does not answer for a while is asked again, whatever it was asked.
func TestADrainOutlivesASilence(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/n-1", nodeReady)
		c.put("/apis/apps/v1/namespaces/default/daemonsets/o", `{}`)
		c.put(podPath("agent"), podObject("agent", "DaemonSet"))
		silent := time.Now().Add(30 * time.Second)
		c.mu.Lock()
		c.takes = func(path string) time.Duration {
			if strings.Contains(path, "/daemonsets/") {
				return time.Until(silent)
			}
			return 0
		}
		c.mu.Unlock()
		if _, err := client.Do(t.Context(), plan.Drain{Node: "n-1", DrainOptions: plan.DrainOptions{Timeout: 120}}, nil, nil); err != nil {
			t.Error(err)
		}
		elapse(time.Minute) // what was asked and given up is still answered
	})
}

// TestWorkloadsAreReadInPages, and begun anew where the pages are too old.
func TestWorkloadsAreReadInPages(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/n-1", nodeReady)
		for i := range 7 {
			c.put(podPath(fmt.Sprint("web-", i)), podObject(fmt.Sprint("web-", i), "ReplicaSet"))
		}
		c.put("/apis/apps/v1/namespaces/default/daemonsets/agent", `{"metadata":{"name":"agent","namespace":"default"}}`)
		c.put("/apis/policy/v1/namespaces/default/poddisruptionbudgets/web", `{"metadata":{"name":"web","namespace":"default"},"status":{"disruptionsAllowed":1}}`)
		c.put("/api/v1/persistentvolumes/pv", `{"metadata":{"name":"pv"}}`)
		c.put("/api/v1/namespaces/default/persistentvolumeclaims/data", `{"metadata":{"name":"data","namespace":"default"},"spec":{"volumeName":"pv"}}`)
		c.paged = 3
		expired := false
		c.answer = func(_ string, r *http.Request) *metav1.Status {
			if r.URL.Query().Get("continue") == "6" && !expired {
				expired = true
				return &metav1.Status{Code: 410, Reason: metav1.StatusReasonExpired, Message: "too old"}
			}
			return nil
		}
		state, err := client.Workloads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, pod := range state.Pods {
			names = append(names, pod.Name)
		}
		if want := []string{"web-0", "web-1", "web-2", "web-3", "web-4", "web-5", "web-6"}; !slices.Equal(names, want) || !expired {
			t.Errorf("the Pods are %q, want %q", names, want)
		}
		if len(state.Nodes) != 1 || len(state.Budgets) != 1 || state.Budgets[0].Status.DisruptionsAllowed != 1 || len(state.Volumes) != 1 ||
			len(state.Claims) != 1 || state.Claims[0].Spec.VolumeName != "pv" || !state.DaemonSets["default/agent"] {
			t.Errorf("it reads %+v", state)
		}
	})
}

// TestAskedEvictionsChangeNothing, and what is refused says why.
func TestAskedEvictionsChangeNothing(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		for _, name := range []string{"web", "db"} {
			c.put(podPath(name), podObject(name, "ReplicaSet"))
		}
		c.budget = func(pod string) bool { return pod != "db" }
		refused, err := client.AskEvictions(t.Context(), []string{"default/web", "default/db", "default/gone"})
		if err != nil || len(refused) != 1 || !strings.Contains(refused["default/db"], "The disruption budget web needs 2 healthy pods") {
			t.Errorf("%v %q", err, refused)
		}
		if c.objects[podPath("web")] == nil {
			t.Error("asking has evicted it")
		}
	})
}
