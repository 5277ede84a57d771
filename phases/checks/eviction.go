package checks

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/slipway-k8s/slipway/cluster"
)

// The kubelet's eviction signals of a file system: what is free of its space, or of the files that it can have.
const (
	nodeSpace   = "nodefs.available"
	nodeInodes  = "nodefs.inodesFree"
	imageSpace  = "imagefs.available"
	imageInodes = "imagefs.inodesFree"
)

// limits are below what the kubelet begins to evict Pods, by the signal: a part as 15%, or a quantity as 1Gi.
type limits map[string]string

// kubeletLimits are the kubelet's own, of its reference (evictionHard).
var kubeletLimits = limits{nodeSpace: "10%", nodeInodes: "5%", imageSpace: "15%", imageInodes: "5%"}

// evictionLimits are those of a cluster's kubelets. As in the kubelet, the flag wins over the document; and where
// one of them gives any limit, the kubelet's own do not count, unless mergeDefaultEvictionSettings says so.
func evictionLimits(c *cluster.Cluster) limits {
	said := limits{}
	list, given := c.Kubelet["evictionHard"].(map[string]any)
	if given {
		for signal, limit := range list {
			said[signal], _ = limit.(string)
		}
	}
	for _, arg := range c.ExtraArgs.Kubelet {
		if arg.Name != "eviction-hard" {
			continue
		}
		given = true
		clear(said)
		for part := range strings.SplitSeq(arg.Value, ",") {
			signal, limit, _ := strings.Cut(part, "<")
			said[strings.TrimSpace(signal)] = strings.TrimSpace(limit)
		}
	}
	if !given {
		return kubeletLimits
	}
	if merge, _ := c.Kubelet["mergeDefaultEvictionSettings"].(bool); merge {
		for signal, limit := range kubeletLimits {
			if said[signal] == "" {
				said[signal] = limit
			}
		}
	}
	return said
}

// of is a limit in bytes, or in files, where there are so many in all; 0 where there is none.
func (l limits) of(signal string, all int64) int64 {
	text := l[signal]
	if part, is := strings.CutSuffix(text, "%"); is {
		percent, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return 0
		}
		return int64(float64(all) / 100 * percent)
	}
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		return 0
	}
	return quantity.Value()
}
