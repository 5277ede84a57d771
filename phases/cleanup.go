package phases

import (
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// cleanUp stops and removes what the record says is Slipway's and what Kubernetes left,
// and puts back what was there before, when the steps are done that need what runs there.
func (h *hostDraft) cleanUp(waits []string) {
	record := h.facts.Record
	if record == nil {
		return
	}
	trees := clusterTrees(record, h.facts)
	if view.Claimed(record) {
		h.clean("pods", plan.Remove, "they are the cluster's", hosts.StopPods{}, waits)
	}
	for _, unit := range record.Units {
		if unit != manifests.KubeletUnit && unit != manifests.ContainerdUnit && !slices.Contains(view.BalancerUnits, unit) {
			h.stopUnit(unit, nil)
		}
	}
	h.stopUnit(manifests.ContainerdUnit, nil)
	if view.Claimed(record) {
		h.removeTraces()
	}
	h.removePaths(record, trees)
	for _, prior := range slices.Backward(record.Priors) {
		if !restoredFirst(prior, trees) {
			h.restore(prior)
		}
	}
	h.clean("record", plan.Remove, "nothing of Slipway's is left", hosts.Forget{})
}

// removeTraces removes what Pods leave that is no file: mounts and the network.
func (h *hostDraft) removeTraces() {
	table := manifests.OwnershipTable()
	for _, below := range table.Mounts {
		h.clean("mounts/"+trimmed(below), plan.Remove, "nothing may be mounted in what is removed", hosts.Unmount{Below: below})
	}
	h.clean("network", plan.Remove, "links and rules of the cluster's network", hosts.RemoveNetwork{
		Links: table.Links, Tables: table.Tables, Chains: table.Chains, Pods: h.facts.Sandboxes, HostPorts: true,
	})
}

func (h *hostDraft) restore(prior hosts.Prior) {
	h.clean("restore/"+trimmed(prior.Setting), plan.Update, "was "+wasBefore(prior),
		hosts.Restore{Setting: prior.Setting, Value: prior.Value})
}

// restoredFirst tells whether a prior is that of a file in one of the cluster's trees:
// kubeadm wrote it, after the host was claimed. It goes with the tree. The tree's own
// mode is put back at the end.
func restoredFirst(prior hosts.Prior, trees []string) bool {
	file, ok := strings.CutPrefix(prior.Setting, "file/")
	return ok && inTrees(file, trees) && !slices.Contains(trees, file)
}

func wasBefore(prior hosts.Prior) string {
	if prior.Absent {
		return "not there"
	}
	if strings.HasPrefix(prior.Setting, "file/") || prior.Value == "" {
		return "otherwise"
	}
	return prior.Value
}

// ownTree holds nothing but the cluster's where Slipway made it.
const ownTree = "/opt/slipway"

// removePaths removes the cluster's trees with all below them, and of everything else
// only what the record names, and folders in which nothing is left.
func (h *hostDraft) removePaths(record *hosts.Record, trees []string) {
	owned := map[string]hosts.FileType{}
	for _, entry := range record.Paths {
		owned[entry.Path] = entry.Type
	}
	for _, prior := range slices.Backward(record.Priors) {
		if restoredFirst(prior, trees) {
			h.restore(prior)
		}
	}
	var gone []string
	for _, tree := range trees {
		if _, seen := h.facts.Files[tree]; seen || owned[tree] != "" {
			gone = append(gone, tree)
		}
	}
	if owned[ownTree] == hosts.TypeDirectory {
		gone = append(gone, ownTree)
	}
	if owned[manifests.RootKubeFolder] != "" {
		gone = append(gone, manifests.RootKubeFolder+"/cache")
	}
	for _, tree := range gone {
		why, folder := "all in it is the cluster's", h.facts.Files[tree].Type != hosts.TypeFile
		if !folder {
			why = "it is the cluster's"
		}
		h.clean(trimmed(tree), plan.Remove, why, hosts.RemovePath{Path: tree, Recursive: folder})
	}
	h.removeOwned(owned, gone)
}

func inTrees(path string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return within(path, tree) })
}

// removeOwned removes what the record names outside of the trees: files and links
// first, then directories from within, each only if nothing of another's is in it. The
// folders that Pods make unnoted go in the same way.
func (h *hostDraft) removeOwned(owned map[string]hosts.FileType, trees []string) {
	directories := map[string]string{} // why each may go
	for _, folder := range manifests.OwnershipTable().Shared {
		if _, seen := h.facts.Files[folder]; seen && view.Claimed(h.facts.Record) {
			directories[folder] = "the cluster may have made it"
		}
	}
	for _, file := range slices.Sorted(maps.Keys(owned)) {
		switch {
		case inTrees(file, trees):
		case owned[file] == hosts.TypeDirectory:
			directories[file] = "Slipway made it"
		case !replaced(h.facts, file, owned[file]):
			h.clean(trimmed(file), plan.Remove, "Slipway made it", hosts.RemovePath{Path: file})
		}
	}
	for _, directory := range slices.Backward(sortedKeys(directories)) {
		h.clean(trimmed(directory)+"/", plan.Remove, directories[directory], hosts.RemovePath{Path: directory, IfEmpty: true})
	}
}

// replaced tells whether somebody put a file of their own in the place of a link, as
// people do with a kubeconfig.
func replaced(facts hosts.Facts, file string, owned hosts.FileType) bool {
	have, seen := facts.Files[file]
	return seen && owned == hosts.TypeSymlink && have.Type != hosts.TypeSymlink
}

// clean adds one step of the clean-up.
func (h *hostDraft) clean(thing string, change plan.Change, why string, action hosts.Action, after ...[]string) string {
	return h.step(plan.PhaseCleanupNode, thing, plan.LaneWork, change, why, action, after...)
}

// stopKubelet stops what would start Pods again.
func (h *hostDraft) stopKubelet(waits []string) []string {
	if h.facts.Record == nil {
		return nil
	}
	return h.stopUnit(manifests.KubeletUnit, waits)
}

func (h *hostDraft) stopUnit(name string, waits []string) []string {
	return h.stopUnits(name, []string{name}, waits)
}

// stopUnits stops those of the units that run or would run again, in one step.
func (h *hostDraft) stopUnits(thing string, names, waits []string) []string {
	up, why := h.unitsUp(names)
	if len(up) == 0 {
		return nil
	}
	return []string{h.clean(thing, plan.Update, why, hosts.StopUnits{Names: up}, waits)}
}

// unitsUp are those of the units that run or would run again, and how they are.
func (h *hostDraft) unitsUp(names []string) (up []string, how string) {
	var all []string
	for _, name := range names {
		unit := h.facts.Units[name]
		stopped := unit.Active == "inactive" || unit.Active == "failed"
		if unit.Load != "loaded" || stopped && unit.Enabled != "enabled" && unit.Enabled != "enabled-runtime" {
			continue
		}
		up = append(up, name)
		all = append(all, orNothing(unit.Active)+", "+orNothing(unit.Enabled))
	}
	return up, "is " + strings.Join(slices.Compact(all), " and ")
}

// clusterTrees are the trees on a host that are the cluster's, to be emptied with all that is in
// them, noted or not: the kubelet, etcd, Pods and kubeadm write there. They are the cluster's
// because a check saw them empty when the host was claimed for it (phases/checks/folders.go). What
// tells so of etcd's data and of the logs comes after these, so that a reset that is cut still knows.
func clusterTrees(record *hosts.Record, facts hosts.Facts) []string {
	if !view.Claimed(record) {
		return nil
	}
	table := manifests.OwnershipTable()
	var trees []string
	if view.RanEtcd(record, facts) {
		trees = append(trees, manifests.EtcdData, manifests.EtcdNotes)
	}
	if ranKubelet(record, facts) {
		trees = append(trees, table.Logs...)
	}
	for _, tree := range table.Trees {
		if tree != manifests.EtcdData {
			trees = append(trees, tree)
		}
	}
	return trees
}

// ranKubelet tells whether a kubelet of the cluster was ever begun on a host. Where
// kubeadm reset emptied its folder, Pods' networks have still left something.
func ranKubelet(record *hosts.Record, facts hosts.Facts) bool {
	if !view.Claimed(record) {
		return false
	}
	_, networked := facts.Files[manifests.CNIConf]
	return networked || view.Owns(record, manifests.KubeletFolder) ||
		len(view.Inside(manifests.KubeletFolder, facts)) > 0 || len(view.Inside(manifests.CNIState, facts)) > 0
}
