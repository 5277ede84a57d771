package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestAnAddressThatACutCreationLeftIsFreed, and one that is another's is not.
func TestAnAddressThatACutCreationLeftIsFreed(t *testing.T) {
	key := hosts.ObjectKey{APIVersion: "v1", Kind: "Service", Namespace: "kube-system", Name: "kube-dns"}
	body := []byte(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"kube-dns","namespace":"kube-system"},"spec":{"clusterIP":"10.96.0.10"}}`)
	const path = "/apis/networking.k8s.io/v1/ipaddresses/10.96.0.10"
	for owner, freed := range map[string]bool{"kube-dns": true, "web": false} {
		play(t, one, func(t *testing.T, c *cluster, client *Client) {
			c.put(path, fmt.Sprintf(`{"metadata":{"name":"10.96.0.10","uid":"1"},"spec":{"parentRef":{"resource":"services","namespace":"kube-system","name":%q}}}`, owner))
			_, err := client.Do(t.Context(), plan.Apply{Object: key, Content: "x"}, func(string) ([]byte, error) { return body, nil }, nil)
			if freed != (err == nil) || freed != (c.objects[path] == nil) {
				t.Errorf("taken for %s: %v, and then there is %v", owner, err, c.objects[path])
			}
			if !freed && !strings.Contains(fmt.Sprint(err), "already allocated") {
				t.Errorf("the error does not say why: %v", err)
			}
		})
	}
}

// TestAnAddressThatIsStillHeldIsWaitedFor: an API server says for a while that an address is taken, of which
// nobody has it any more.
func TestAnAddressThatIsStillHeldIsWaitedFor(t *testing.T) {
	key := hosts.ObjectKey{APIVersion: "v1", Kind: "Service", Namespace: "kube-system", Name: "kube-dns"}
	body := []byte(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"kube-dns","namespace":"kube-system"},"spec":{"clusterIP":"10.96.0.10"}}`)
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.taken = 5
		outcome, err := client.Do(t.Context(), plan.Apply{Object: key, Content: "x"}, func(string) ([]byte, error) { return body, nil }, nil)
		if err != nil || outcome.Result != hosts.Changed || c.taken > 0 {
			t.Errorf("got %+v, %v, and it would be refused %d times more", outcome, err, c.taken)
		}
	})
}
