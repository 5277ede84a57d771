package phases

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// pruneHosts has each host lose what its record names and its state has not: what the cluster file,
// the bundle or a newer Slipway no longer asks for. They lose it when all hosts do
// their work again, and one after another, so that what fails stops at one host. What may write a
// file again, such as a DaemonSet of the network, is deleted first.
func (d *draft) pruneHosts() {
	before := d.inCluster(does[plan.Delete])
	for _, h := range d.drafts {
		before = join(before, h.changed(), h.made(does[hosts.ForgetVersion]))
	}
	for _, h := range d.drafts {
		if ids := h.prune(before); len(ids) > 0 {
			before = ids
		}
	}
}

// prune stops the units that are not wanted, removes what they are made of and all else, and puts
// back what was there before. It gives the steps.
func (h *hostDraft) prune(waits []string) []string {
	u := h.findUnwanted()
	for _, changed := range u.changed {
		h.plan.Warnings = append(h.plan.Warnings, fmt.Sprintf("%s: %s is not needed any more, but is no longer as Slipway wrote it: it stays (if nobody needs it: rm %s)",
			h.host.Name, changed, changed))
	}
	stopped := h.stopUnwanted(u, waits)
	pruned := join(stopped, h.pruneFiles(u, plan.LaneWork, func(path string) bool { return !within(path, manifests.CertsFolder) }, join(waits, stopped)))
	return join(pruned, h.pruneImages(join(waits, pruned, h.inCluster(does[plan.WaitAvailable]))))
}

// pruneImages removes last the images of another bundle that the host no longer needs: until then
// containers may be made of them. Without a bundle it is not known which images it needs.
func (h *hostDraft) pruneImages(waits []string) []string {
	record := h.facts.Record
	if record == nil || len(h.in.Bill.Images) == 0 {
		return nil
	}
	var ids []string
	needed := slices.Concat(h.state.References(), view.KeptImages(h.keepsAfter()))
	images := h.bundledAfter()
	for _, name := range sortedKeys(images) {
		digest := images[name]
		isName := func(wanted string) bool { return hosts.SameImageName(wanted, name) }
		if slices.ContainsFunc(needed, isName) {
			continue
		}
		ids = append(ids, h.step(plan.PhasePrune, "image/"+name, plan.LaneWork, plan.Remove, noLonger,
			hosts.UnloadImage{Name: name, Digest: digest}, waits))
	}
	return ids
}

// bundledAfter are the images of bundles that the host has when they got their names: digests by name.
func (h *hostDraft) bundledAfter() map[string]string {
	images := map[string]string{}
	for name, digest := range h.facts.Record.Bundled {
		if h.facts.Images[name] == digest {
			images[name] = digest
		}
	}
	for _, step := range h.own() {
		name, is := step.Action.(hosts.NameImage)
		if !is || step.IsRescue() {
			continue
		}
		if was := images[name.Name]; was != "" {
			images[h.digestName(name.Name, was)] = was
		}
		images[name.Name] = name.Digest
		delete(images, h.digestName(name.Name, name.Digest))
	}
	return images
}

// pruneRegistries removes what Slipway wrote for a registry that the cluster file no longer has,
// before anything is pulled: containerd would still go by it.
func (h *hostDraft) pruneRegistries() {
	h.pruneFiles(h.findUnwanted(), plan.LaneFiles, func(path string) bool { return within(path, manifests.CertsFolder) }, h.base())
}

// keepsAfter are the host's facts with the versions that it keeps when the plan is done.
func (h *hostDraft) keepsAfter() hosts.Facts {
	facts := h.facts
	facts.Kept = keep(facts.Kept, func(kept hosts.Kept) bool { return kept.Before != h.in.BackFrom })
	for _, step := range h.own() {
		switch a := step.Action.(type) {
		case hosts.KeepVersion:
			facts.Kept = append(facts.Kept, hosts.Kept{Before: a.Before, Version: a.Version, Folders: a.Folders, Images: a.Images})
		case hosts.ForgetVersion:
			facts.Kept = keep(facts.Kept, func(kept hosts.Kept) bool { return kept.Before != a.Before })
		}
	}
	return facts
}

// unwanted is what of Slipway's a host has and should not have.
type unwanted struct {
	files   []hosts.Owned // in the order in which they go; a folder after all that is in it
	trees   []string      // Slipway's own, that go with all that is in them
	priors  []hosts.Prior // what was there before, in the order in which it comes back
	changed []string      // what somebody has changed since: it stays
}

func (h *hostDraft) findUnwanted() unwanted {
	var u unwanted
	record := h.facts.Record
	if record == nil {
		return u
	}
	wanted := map[string]bool{}
	for _, path := range slices.Concat(h.state.Paths(), h.state.Parents()) {
		wanted[path] = true
	}
	kept := view.KeptFolders(h.keepsAfter())
	stays := map[string]bool{} // by path, of what is on record
	var folders []hosts.Owned
	for _, owned := range record.Paths {
		have, there := h.facts.Files[owned.Path]
		switch {
		case !there, path.Clean(owned.Path) != owned.Path: // which Slipway does not write
		case wanted[owned.Path], manifests.OwnershipTable().Keeps(owned.Path), inTrees(owned.Path, kept), isSeed(owned):
			stays[owned.Path] = true
		case owned.Type == hosts.TypeDirectory:
			folders = append(folders, owned)
		case isChanged(have, owned):
			stays[owned.Path] = true
			u.changed = append(u.changed, owned.Path)
		default:
			u.files = append(u.files, owned)
		}
	}
	slices.SortStableFunc(u.files, func(a, b hosts.Owned) int {
		return cmp.Or(cmp.Compare(goesAt(a.Path), goesAt(b.Path)), cmp.Compare(a.Path, b.Path))
	})
	h.findPriors(&u, wanted, stays)
	slices.SortFunc(folders, func(a, b hosts.Owned) int { return cmp.Compare(a.Path, b.Path) })
	u.trees = treesWithout(slices.Concat(sortedKeys(wanted), sortedKeys(stays)), folders)
	outside := func(owned hosts.Owned) bool { return !inTrees(owned.Path, u.trees) }
	u.files, folders = keep(u.files, outside), keep(folders, outside)
	u.files = append(u.files, h.emptied(folders, u.files)...)
	return u
}

// findPriors finds what was there before and comes back, in place of what Slipway put there: stays
// gets its paths.
func (h *hostDraft) findPriors(u *unwanted, wanted, stays map[string]bool) {
	for _, prior := range slices.Backward(h.facts.Record.Priors) {
		if file, is := strings.CutPrefix(prior.Setting, "file/"); is && !wanted[file] && !stays[file] && !manifests.OwnershipTable().Keeps(file) {
			u.priors = append(u.priors, prior)
			stays[file] = true
			u.files = slices.DeleteFunc(u.files, func(owned hosts.Owned) bool { return owned.Path == file })
		}
		if unit, is := strings.CutPrefix(prior.Setting, "unit/"); is && slices.Contains(units, unit) && !h.wantsUnit(unit) && !stays[manifests.UnitsFolder+"/"+unit] {
			u.priors = append(u.priors, prior)
		}
	}
}

// treesWithout are the outermost of Slipway's own folders, which are sorted, that none of the paths
// lies in.
func treesWithout(paths []string, folders []hosts.Owned) []string {
	var trees []string
	for _, folder := range folders {
		used := slices.ContainsFunc(paths, func(path string) bool { return within(path, folder.Path) })
		if within(folder.Path, ownTree) && !inTrees(folder.Path, trees) && !used {
			trees = append(trees, folder.Path)
		}
	}
	return trees
}

// emptied are those of the folders, which are sorted, that will be empty when the files are gone; the
// innermost come first.
func (h *hostDraft) emptied(folders, goes []hosts.Owned) []hosts.Owned {
	gone := map[string]bool{}
	for _, owned := range goes {
		gone[owned.Path] = true
	}
	var empty []hosts.Owned
	for _, folder := range slices.Backward(folders) {
		stays := func(file string) bool { return file != folder.Path && within(file, folder.Path) && !gone[file] }
		if h.facts.Files[folder.Path].Type == hosts.TypeDirectory && !slices.ContainsFunc(sortedKeys(h.facts.Files), stays) {
			gone[folder.Path] = true
			empty = append(empty, folder)
		}
	}
	return empty
}

// isSeed tells whether Slipway wrote only the first version of a file: others change it since.
func isSeed(owned hosts.Owned) bool { return owned.Type == hosts.TypeFile && owned.Digest == "" }

// isChanged tells whether what lies at a path is no longer what Slipway put there. Of a secret the
// record has no digest of its bytes, of an older Slipway's link no target.
func isChanged(have hosts.File, owned hosts.Owned) bool {
	return have.Type != owned.Type || hasDigest(owned) && have.Digest != owned.Digest || owned.Target != "" && have.Target != owned.Target
}

func hasDigest(owned hosts.Owned) bool { return strings.HasPrefix(owned.Digest, "sha256:") }

// goesAt is the rank of a file in the order of removal: static Pods, then units, then all else.
func goesAt(file string) int {
	switch path.Dir(file) {
	case manifests.ManifestsFolder:
		return 0
	case manifests.UnitsFolder:
		return 1
	}
	return 2
}

// units are those that Slipway may have put on a host, whatever its role is now.
var units = []string{
	manifests.ContainerdUnit, manifests.KubeletUnit, manifests.HandoverUnit, manifests.HAProxyUnit, manifests.KeepalivedUnit,
}

func (h *hostDraft) wantsUnit(name string) bool {
	return slices.ContainsFunc(h.state.Units, func(unit manifests.Unit) bool { return unit.Name == name })
}

// stopUnwanted stops the units whose files go, a balancer's in their order. One whose file is gone
// already, or was changed, is somebody else's by now.
func (h *hostDraft) stopUnwanted(u unwanted, waits []string) []string {
	unwanted := func(name string) bool {
		file := manifests.UnitsFolder + "/" + name
		return slices.ContainsFunc(u.files, func(owned hosts.Owned) bool { return owned.Path == file }) ||
			slices.ContainsFunc(u.priors, func(prior hosts.Prior) bool { return prior.Setting == "file/"+file })
	}
	names := keep(units, func(name string) bool { return unwanted(name) && !slices.Contains(view.BalancerUnits, name) })
	up, why := h.unitsUp(append(names, keep(view.BalancerUnits, unwanted)...))
	if len(up) == 0 {
		return nil
	}
	return []string{h.step(plan.PhasePrune, "units", plan.LaneWork, plan.Remove, noLonger+"; "+why, hosts.StopUnits{Names: up}, waits)}
}

const noLonger = "no longer part of what the host should have"

// pruneFiles removes those of the unwanted files that are meant, and restores what they replaced.
func (h *hostDraft) pruneFiles(u unwanted, lane string, meant func(path string) bool, waits []string) []string {
	var ids []string
	for _, owned := range u.files {
		if !meant(owned.Path) {
			continue
		}
		action := hosts.RemovePath{Path: owned.Path, IfEmpty: owned.Type == hosts.TypeDirectory}
		if hasDigest(owned) {
			action.Digest = owned.Digest
		}
		why := noLonger
		if within(owned.Path, manifests.CertsFolder) {
			why = "the cluster file no longer has its registry"
		}
		ids = append(ids, h.step(plan.PhasePrune, trimmed(owned.Path), lane, plan.Remove, why, action, waits))
	}
	for _, tree := range u.trees {
		if meant(tree) {
			ids = append(ids, h.step(plan.PhasePrune, trimmed(tree), lane, plan.Remove, noLonger, hosts.RemovePath{Path: tree, Recursive: true}, waits))
		}
	}
	for _, prior := range u.priors {
		if file, _ := strings.CutPrefix(prior.Setting, "file/"); meant(file) {
			ids = append(ids, h.step(plan.PhasePrune, "restore/"+trimmed(prior.Setting), lane, plan.Update,
				noLonger+"; was "+wasBefore(prior), hosts.Restore{Setting: prior.Setting, Value: prior.Value}, waits))
		}
	}
	return ids
}
