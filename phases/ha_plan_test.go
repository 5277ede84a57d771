package phases

import (
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func TestPlansOfHighAvailabilityReadAsExpected(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	p, contents := w.planned(Init)
	golden(t, "init-vip.txt", plan.Text(p))
	golden(t, "init-vip-edges.txt", edges(p))
	w.run(p, contents, seeded(1), -1)
	w.come(testPlane(4), 3)
	w.come(testPlane(5), 4)
	p, _ = w.planned(Join)
	golden(t, "join-control-planes.txt", plan.Text(p))
	golden(t, "join-control-planes-edges.txt", edges(p))

	w = newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 3, workers: 1, spares: 2})
	p, _ = w.planned(Init)
	golden(t, "init-load-balancers-edges.txt", edges(p))
	w = newWorldOf(t, shape{mode: cluster.EndpointLocal, planes: 3, workers: 1})
	p, _ = w.planned(Init)
	golden(t, "init-local-edges.txt", edges(p))
}
