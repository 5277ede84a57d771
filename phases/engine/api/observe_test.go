package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestABusyAPIServerIsObserved: one that says that it is ready and takes long with objects is waited for; one
// that does not is not, so that a plan for a dead cluster does not keep its operator.
func TestABusyAPIServerIsObserved(t *testing.T) {
	for name, test := range map[string]struct {
		takes     time.Duration
		unready   string
		reachable bool
		within    time.Duration
	}{
		"ready and busy":   {8 * time.Second, "", true, 20 * time.Second},
		"ready and stuck":  {time.Hour, "", false, 50 * time.Second},
		"without its etcd": {time.Hour, "etcd", false, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
				c.mu.Lock()
				c.ready = func(string) string { return test.unready }
				c.takes = func(path string) time.Duration {
					if strings.HasPrefix(path, "/api/") {
						return test.takes
					}
					return 0
				}
				c.mu.Unlock()
				began := time.Now()
				facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
				if err != nil || facts.Reachable != test.reachable || time.Since(began) > test.within {
					t.Errorf("%v, reachable %v, after %s: %s", err, facts.Reachable, time.Since(began), facts.Cause)
				}
				c.mu.Lock()
				c.takes = nil
				c.mu.Unlock()
				if test.takes == time.Hour {
					time.Sleep(2 * test.takes) // those that were asked still answer
				}
			})
		})
	}
}

func TestObserve(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put(settingsPath, `{"data":{"a":"1"}}`)
		c.put("/api/v1/nodes/n-1", `{"metadata":{"name":"n-1","labels":{"x":"y"}},
			"spec":{"unschedulable":true,"taints":[{"key":"b","effect":"NoSchedule"},{"key":"a","value":"1","effect":"NoExecute"}]},
			"status":{"nodeInfo":{"kubeletVersion":"v1.36.3","machineID":"b08dfa60"},"addresses":[{"type":"InternalIP","address":"10.0.0.5"},{"type":"Hostname","address":"n-1"}],
			"conditions":[{"type":"Ready","status":"False","reason":"KubeletNotReady","message":"cni plugin not initialized"}]}}`)
		query := hosts.ClusterQuery{Objects: []hosts.ObjectKey{settings}}
		for i := range 60 {
			query.Objects = append(query.Objects, hosts.ObjectKey{APIVersion: "v1", Kind: "Namespace", Name: fmt.Sprint("absent-", i)})
		}
		facts, err := client.Observe(t.Context(), query)
		if err != nil || !facts.Reachable || facts.Version != "v1.36.3" || len(facts.Nodes) != 1 {
			t.Fatalf("%+v %v", facts, err)
		}
		if len(facts.Objects) != 1 || !strings.Contains(string(facts.Objects[settings]), `"a":"1"`) {
			t.Errorf("objects %v", facts.Objects)
		}
		node := facts.Nodes[0]
		if node.Ready || !node.Unschedulable || node.KubeletVersion != "v1.36.3" || node.MachineID != "b08dfa60" || node.Labels["x"] != "y" ||
			!slices.Equal(node.Addresses, []string{"10.0.0.5"}) || !slices.Equal(node.Taints, []string{"a=1:NoExecute", "b:NoSchedule"}) ||
			node.Reason != "KubeletNotReady: cni plugin not initialized" {
			t.Errorf("node %+v", node)
		}
		if n := c.planes["cp-1"].dialed; n != 1 {
			t.Errorf("%d connections were made for it, one is enough", n)
		}
	})
}

func TestObserveOfAClusterThatIsNotThere(t *testing.T) {
	play(t, three, func(t *testing.T, c *cluster, client *Client) {
		for _, p := range c.planes {
			p.down = errDown
		}
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{Objects: []hosts.ObjectKey{settings}})
		if err != nil || facts.Reachable || !strings.Contains(facts.Cause, "cp-3") || !strings.Contains(facts.Cause, "connection refused") {
			t.Errorf("%+v %v", facts, err)
		}
	})
	play(t, nil, func(t *testing.T, c *cluster, client *Client) {
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || facts.Reachable || facts.Cause != "no control plane is connected" {
			t.Errorf("%+v %v", facts, err)
		}
	})
}

func TestObserveTellsWhatTheAPIServerLacks(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.ready = func(string) string { return "etcd" }
		c.answer = func(_ string, r *http.Request) *metav1.Status {
			if r.URL.Path == "/readyz" || r.URL.Path == "/version" {
				return nil
			}
			return status(500, metav1.StatusReasonInternalError, "etcdserver: no leader")
		}
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || facts.Reachable || facts.Cause != "the API server on cp-1: not ready: etcd" {
			t.Errorf("%+v %v", facts, err)
		}
	})
}

func TestObserveIsBoundedWhereNothingAnswers(t *testing.T) {
	play(t, three, func(t *testing.T, c *cluster, client *Client) {
		for _, p := range c.planes {
			p.hangs = true
		}
		began := time.Now()
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || facts.Reachable || facts.Cause == "" || time.Since(began) > 25*time.Second {
			t.Errorf("after %s: %+v %v", time.Since(began), facts, err)
		}
	})
}

// TestObserveTellsTheClock by what the API servers' answers say.
func TestObserveTellsTheClock(t *testing.T) {
	for _, off := range []time.Duration{0, time.Hour, -time.Hour} {
		play(t, one, func(t *testing.T, c *cluster, client *Client) {
			c.clock = off
			facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
			if err != nil || facts.ClockOffset == nil || (*facts.ClockOffset-off).Abs() > 2*time.Second {
				t.Errorf("%s: %v %v", off, facts.ClockOffset, err)
			}
		})
	}
}
