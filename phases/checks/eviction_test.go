package checks

import (
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// TestEvictionLimitsAreTheKubelets: those of the cluster file where it gives any.
func TestEvictionLimitsAreTheKubelets(t *testing.T) {
	const all = 1 << 40
	said := func(limits map[string]any) map[string]any { return map[string]any{"evictionHard": limits} }
	for name, test := range map[string]struct {
		kubelet map[string]any
		flag    string
		node    int64 // what is kept of all, in bytes
		image   int64
	}{
		"its own":             {nil, "", all / 10, all / 100 * 15},
		"of the document":     {said(map[string]any{"nodefs.available": "1Gi", "imagefs.available": "2.5%"}), "", 1 << 30, all / 1000 * 25},
		"none at all":         {said(map[string]any{}), "", 0, 0},
		"one of two":          {said(map[string]any{"nodefs.available": "1Gi"}), "", 1 << 30, 0},
		"one beside its own":  {map[string]any{"evictionHard": map[string]any{"nodefs.available": "1Gi"}, "mergeDefaultEvictionSettings": true}, "", 1 << 30, all / 100 * 15},
		"of the flag":         {said(map[string]any{"nodefs.available": "1Gi"}), "imagefs.available<2Gi, nodefs.available<3%", all / 100 * 3, 2 << 30},
		"none that is a size": {said(map[string]any{"nodefs.available": "much"}), "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cluster.Cluster{Kubelet: test.kubelet}
			if test.flag != "" {
				c.ExtraArgs.Kubelet = []cluster.Arg{{Name: "eviction-hard", Value: test.flag}}
			}
			limits := evictionLimits(c)
			for signal, want := range map[string]int64{nodeSpace: test.node, imageSpace: test.image} {
				if got := limits.of(signal, all); max(got-want, want-got) > 1000 { // a part of a number of bytes is none
					t.Errorf("%s: %d is kept free, want %d", signal, got, want)
				}
			}
		})
	}
}
