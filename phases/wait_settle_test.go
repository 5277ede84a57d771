package phases

import (
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// TestOnlyWhatIsLeftInTheClusterMaySettle: while an API server is started anew a plan has much to
// do in the cluster and nothing on a host; a host's own trouble does not pass by itself.
func TestOnlyWhatIsLeftInTheClusterMaySettle(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	in := w.observe()
	in.ClusterFacts = hosts.ClusterFacts{Cause: "connection refused", Members: in.ClusterFacts.Members}
	p, _, err := Init(in)
	if err != nil || p.Empty() || !MaySettle(p) {
		t.Errorf("a silent API server: %v, left to do %q", err, changes(p))
	}
	w.act("w-1", hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
	if p, _ = w.planned(Init); MaySettle(p) {
		t.Errorf("a kubelet that does not run may come by itself: %q", changes(p))
	}
}
