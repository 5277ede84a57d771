package api

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// turn asks for a host's turn, and tells how long it had to wait for it.
func turn(t *testing.T, client *Client, host string) (time.Duration, hosts.Outcome) {
	t.Helper()
	began := time.Now()
	dns := hosts.ObjectKey{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "kube-system", Name: "coredns"}
	done, err := client.Do(t.Context(), plan.WaitTurn{Host: host, Objects: []hosts.ObjectKey{dns}, Timeout: 30}, nil, nil)
	if err != nil {
		t.Errorf("the turn of %s: %v", host, err)
	}
	return time.Since(began), done
}

const (
	dnsPath      = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
	dnsRolledOut = `{"spec":{"replicas":1},"status":{"replicas":1,"updatedReplicas":1,"availableReplicas":1}}`
)

func TestATurnComesWhenAddOnsRun(t *testing.T) {
	play(t, three, func(t *testing.T, c *cluster, client *Client) {
		after(4*time.Second, func() { c.put("/api/v1/nodes/n-1", nodeUnready) }) // no node is none that is ready
		after(8*time.Second, func() { c.put("/api/v1/nodes/n-1", nodeReady) })
		after(12*time.Second, func() { c.put(dnsPath, dnsRolledOut) })
		if took, _ := turn(t, client, "cp-1"); took < 12*time.Second || took > 16*time.Second {
			t.Errorf("it waited %s, should be 12 s and a look", took)
		}
		if took, _ := turn(t, client, "cp-3"); took > time.Second {
			t.Errorf("with all up another waited %s", took)
		}
	})
}

func TestALateTurnGoesOnAfterItsTime(t *testing.T) {
	play(t, three, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/n-1", nodeUnready)
		took, done := turn(t, client, "cp-3")
		if took < 30*time.Second || took > 31*time.Second || !strings.Contains(done.Detail, "not all nodes were ready after 30s") {
			t.Errorf("after %s: %q", took, done.Detail)
		}
	})
}
