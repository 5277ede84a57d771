package phases

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// A member of etcd begins once. One that begins again without its data votes a second time on
// what it has agreed to before, and two of three that do so make an empty cluster beside the
// one that has the data. So a host notes that its member may begin, all founders do so before
// the first of them begins, and etcd makes of that note the one that it has begun.

// Begun are the hosts of the file on which a member of etcd was seen to have begun.
func Begun(in Input) []cluster.Host {
	return keep(in.Cluster.ControlPlanes(), func(host cluster.Host) bool { return view.HasBegun(in.Facts[host.Name]) })
}

// BegunMeanwhile are the hosts that have no data of etcd and the note that they may begin, by a look
// before etcd was asked, while a member that has run is known of them to etcd: they may have
// begun between the two.
func BegunMeanwhile(in Input) []cluster.Host {
	return keep(in.Cluster.ControlPlanes(), func(host cluster.Host) bool {
		return view.MayBegin(in.Facts[host.Name]) && view.HasRun(view.MembersOf(in.ClusterFacts.Members, host))
	})
}

// LetsBegin tells whether a step lets a member of etcd begin on its host.
func LetsBegin(step plan.Step) bool {
	file, writes := step.Action.(hosts.WriteFile)
	return writes && file.Path == manifests.EtcdMayBegin
}

// letBegin notes on the host that its member may begin, in the state given, after the steps
// given; none where it has data or has noted so.
func (h *hostDraft) letBegin(state string, after []string) []string {
	if !h.in.Cluster.StackedEtcd() || view.HasEtcdData(h.facts) {
		return nil
	}
	note := manifests.File{
		Phase: plan.PhaseEtcd, Path: manifests.EtcdMayBegin, Mode: 0o600, Content: []byte(state + "\n"), Compare: manifests.Exact,
	}
	why, change := h.fileDiffers(note)
	if why == "" {
		return nil
	}
	return []string{h.step(note.Phase, trimmed(note.Path), laneBegin, change, why, h.writing(note), h.base(), after)}
}

// laneBegin is where a host's note is written, beside all else: every founder waits for it.
const laneBegin = "etcd-begin"

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
