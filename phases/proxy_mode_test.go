package phases

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// flannelConfig is what flanneld reads.
var flannelConfig = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-flannel", Name: "kube-flannel-cfg"}

// TestProxyModeOfTheFile: flannel filters as kube-proxy does, also where the file says how, from the
// first init on and when the file changes.
func TestProxyModeOfTheFile(t *testing.T) {
	w := newWorld(t, 1, 1)
	for _, mode := range []string{manifests.ProxyIPTables, manifests.ProxyNFTables, ""} {
		w.cluster.KubeProxy = map[string]any{"mode": mode}
		if mode == "" {
			w.cluster.KubeProxy = nil // then it stays as the cluster has it
			mode = manifests.ProxyNFTables
		}
		w.init(seeded(1))
		p, _ := w.planned(Init)
		wantEmpty(t, p)
		var flannel struct{ Data map[string]string }
		if err := json.Unmarshal(w.objects[flannelConfig], &flannel); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{manifests.ProxyIPTables: `"EnableNFTables": false`, manifests.ProxyNFTables: `"EnableNFTables": true`}[mode]
		if got := flannel.Data["net-conf.json"]; !strings.Contains(got, want) {
			t.Errorf("mode %s: flannel has %s", mode, got)
		}
	}
}
