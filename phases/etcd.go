package phases

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// keepInitialCluster leaves etcd's --initial-* flags as they are found while there are
// data: etcd reads them once, and a change of them would only restart it.
func (h *hostDraft) keepInitialCluster(in manifests.Input) {
	if !view.HasEtcdData(h.facts) {
		return
	}
	if found, ok := manifests.InitialClusterOf(h.facts.Contents[manifests.EtcdManifest]); ok {
		h.beginEtcd(in, found)
	}
}

// beginEtcd puts another initial cluster into the manifest of the host's etcd.
func (h *hostDraft) beginEtcd(input manifests.Input, initial manifests.InitialCluster) {
	for i, file := range h.state.Files {
		if file.Path != manifests.EtcdManifest {
			continue
		}
		content, err := manifests.EtcdPod(input, h.host.Name, initial)
		if err != nil {
			h.fail(fmt.Errorf("render %s for %s: %w", file.Path, h.host.Name, err))
			return
		}
		h.state.Files = slices.Clone(h.state.Files)
		h.state.Files[i].Content = content
	}
}
