package phases

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
)

// TestHostNameIsKeptWhereAsked: nothing of Kubernetes goes by the machine's own name; the
// node's is said to the kubelet and stands in its certificate.
func TestHostNameIsKeptWhereAsked(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.cluster.Hosts[1].Hostname = cluster.HostnameKeep
	w.init(seeded(1))
	if name := w.observe().Facts["w-1"].Hostname; name != "debian-w-1" {
		t.Errorf("the kept name is %q", name)
	}
	if name := w.observe().Facts["cp-1"].Hostname; name != "cp-1" {
		t.Errorf("the other host's name is %q", name)
	}
	flags, _, _ := w.machines["w-1"].ReadFile(manifests.KubeletFlags)
	if !strings.Contains(string(flags), "--hostname-override=w-1") {
		t.Errorf("the kubelet is told %s", flags)
	}
	if _, there := w.nodes["w-1"]; !there {
		t.Error("there is no node w-1")
	}
}
