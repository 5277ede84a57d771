package phases

import (
	"maps"
	"path"
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// A host keeps what is in force on it before an upgrade changes it. Where its change fails, that is
// put back at once, and the others are left as they are; later a rollback goes back to it.

// cordonedFor is what cordons a node while its host's version changes, whichever way.
const cordonedFor = string(view.Upgrade)

// laneBill is where the bill of materials is removed and written: nothing else on the host waits for that.
const laneBill = string(plan.PhaseActivate)

// keepVersion has the host keep what is in force on it, before the first change. What it has kept for an
// upgrade that then changed nothing there, or was put back, may be out of date: it is kept anew.
func (h *hostDraft) keepVersion() []string {
	if h.bundleID == "" || h.kept() != nil {
		return nil
	}
	waits := h.base()
	if h.in.KeptInVain(h.facts) {
		waits = join(waits, []string{h.step(plan.PhaseUpgrade, "forget", string(plan.PhaseUpgrade), plan.Remove, "the host may have been changed since it was kept",
			hosts.ForgetVersion{Before: h.bundleID}, waits)})
	}
	return []string{h.step(plan.PhaseUpgrade, "keep", string(plan.PhaseUpgrade), "", "it is put back if its change fails, or by: slipway upgrade rollback",
		hosts.KeepVersion{Before: h.bundleID, Version: h.versionInForce(), Paths: h.keptPaths(), Folders: h.keptFolders(), Images: h.keptImages()}, waits)}
}

// kept is what the host keeps of before the bundle; nil where it keeps nothing that counts.
func (h *hostDraft) kept() *hosts.Kept {
	if h.bundleID == "" { // a rollback
		return nil
	}
	return h.in.KeptBefore(h.facts)
}

// noteBundle has the host's bill of materials removed after the steps given and before the first change,
// and written after the last, so that it tells how far a run has come that was cut.
func (h *hostDraft) noteBundle(waits []string) []string {
	at := slices.IndexFunc(h.state.Files, func(file manifests.File) bool { return file.Path == manifests.BillFile })
	if at < 0 || !h.rewrites(manifests.BillFile) {
		return nil
	}
	var removed []string
	file := h.state.Files[at]
	if _, there := h.facts.Files[file.Path]; there {
		removed = []string{h.step(plan.PhaseUpgrade, trimmed(file.Path), laneBill, "", "it names no bundle while only a part is in force",
			hosts.RemovePath{Path: file.Path}, waits)}
	}
	why, change := h.fileDiffers(file)
	h.tidyAfter(h.step(file.Phase, trimmed(file.Path), laneBill, change, why, h.writing(file), h.made(h.changesVersion)))
	return removed
}

// versionInForce is the Kubernetes version of the host: its kubelet's, or the cluster's.
func (h *hostDraft) versionInForce() string {
	if kept := h.kept(); kept != nil {
		return kept.Version
	}
	if node, there := h.in.Node(h.host.Name); there && node.KubeletVersion != "" {
		return node.KubeletVersion
	}
	return h.in.ClusterFacts.Version
}

// keptPaths are those of what belongs to a version: the files that the host should have and that
// change with it, what leads to its binaries, and what the new one has no more. What holds secrets
// is not among them.
func (h *hostDraft) keptPaths() []string {
	var paths []string
	for _, file := range h.state.Files {
		if file.Path != "" && file.Compare == manifests.Exact && !file.Secret && file.Phase != plan.PhaseCerts && file.Phase != plan.PhaseKubeconfig {
			paths = append(paths, file.Path)
		}
	}
	for _, set := range h.state.Sets {
		for _, file := range set.Files {
			if !file.Staged() {
				paths = append(paths, file.Path)
			}
		}
	}
	for _, owned := range h.findUnwanted().files {
		if hasDigest(owned) || owned.Type == hosts.TypeSymlink {
			paths = append(paths, owned.Path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// keptImages are those of the host that belong to the bundle in force or, where the host does not tell
// which that is, to any: digests by full reference.
func (h *hostDraft) keptImages() map[string]string {
	if h.facts.Record == nil {
		return nil
	}
	images := maps.Clone(h.facts.Record.Bundled)
	bill, told := h.inForce()
	maps.DeleteFunc(images, func(_, digest string) bool {
		return told && !slices.ContainsFunc(bill.Images, func(image bundle.Image) bool { return image.Manifest.Digest == digest })
	})
	return images
}

// keptFolders are, likewise, the versions' folders: all that are on the host where it does not tell.
func (h *hostDraft) keptFolders() []string {
	if h.facts.Record == nil {
		return nil
	}
	var on bundle.FileSet
	for _, owned := range h.facts.Record.Paths {
		on.Files = append(on.Files, bundle.HostFile{Path: owned.Path})
	}
	folders := bundle.Folders([]bundle.FileSet{on})
	if bill, told := h.inForce(); told {
		wanted := bundle.Folders(bill.Sets)
		folders = keep(folders, func(folder string) bool { return slices.Contains(wanted, folder) })
	}
	return folders
}

// inForce is the bill of materials of the bundle that is in force on the host.
func (h *hostDraft) inForce() (bill bundle.Bill, told bool) {
	bill, err := bundle.ReadBill(h.facts.Contents[manifests.BillFile])
	return bill, err == nil
}

// before is what lay at the paths of a version before the upgrade.
func (h *hostDraft) before() map[string]hosts.KeptPath {
	found := map[string]hosts.KeptPath{}
	if kept := h.kept(); kept != nil {
		for _, one := range kept.Paths {
			found[one.Path] = one
		}
		return found
	}
	for _, at := range h.keptPaths() {
		have, there := h.facts.Files[at]
		found[at] = hosts.KeptPath{
			Path: at, Absent: !there, Type: have.Type, Mode: have.Mode, UID: have.UID, GID: have.GID, Size: have.Size, Digest: have.Digest, Target: have.Target,
		}
	}
	return found
}

// putVersionBack plans what puts the host back where its change fails: its files and links; containerd, which
// names its images; the static Pods; the other units, and then its bill of materials. Nothing is kept after
// that: what is in force may be changed before the upgrade is tried again.
func (h *hostDraft) putVersionBack(failing []string) {
	before := h.before()
	paths := keep(sortedKeys(before), func(at string) bool { return h.changes(before[at]) })
	var back []string
	put := func(meant func(at string) bool) {
		for _, at := range keep(paths, meant) {
			action, change := keptAction(before[at], h.bundleID)
			var waits []string
			if at == manifests.EtcdManifest {
				waits = h.readyOldEtcd(h.versionInForce(), failing)
			}
			back = append(back, h.rescue(failing, trimmed(at), "as before the upgrade", change, action, waits))
		}
	}
	isBill := func(at string) bool { return at == manifests.BillFile }
	isContainerd := func(unit manifests.Unit) bool { return unit.Name == manifests.ContainerdUnit }
	isPod := func(at string) bool { return path.Dir(at) == manifests.ManifestsFolder }
	put(func(at string) bool { return !isBill(at) && !isPod(at) })
	back = append(back, h.putUnitsBack(failing, before, isContainerd)...)
	back = append(back, h.putNamesBack(failing)...)
	put(isPod)
	back = append(back, h.putUnitsBack(failing, before, func(unit manifests.Unit) bool { return !isContainerd(unit) })...)
	put(isBill)
	h.rescue(join(h.made(does[plan.Drain]), failing), "forget", "it is in force again", plan.Remove, hosts.ForgetVersion{Before: h.bundleID}, back)
	h.awaitPutBack(failing, back)
}

// putNamesBack gives the images that were in force their names back.
func (h *hostDraft) putNamesBack(failing []string) []string {
	var ids []string
	before := h.imagesBefore()
	for _, image := range h.state.Images {
		was := before[image.Reference]
		there := was != "" && (h.facts.Images[image.Reference] == was || h.facts.Images[h.digestName(image.Reference, was)] == was)
		if there && was != image.Manifest.Digest { // one that somebody has removed must not keep the rest from being put back
			ids = append(ids, h.rescue(failing, "image/"+image.Name, "as before the upgrade", plan.Update,
				hosts.NameImage{Name: image.Reference, Digest: was}, nil))
		}
	}
	return ids
}

// imagesBefore are the host's images before the upgrade: digests by full reference.
func (h *hostDraft) imagesBefore() map[string]string {
	if kept := h.kept(); kept != nil {
		return kept.Images
	}
	return h.keptImages()
}

// putUnitsBack starts anew, with what they had, those of the units meant that read what is changed.
func (h *hostDraft) putUnitsBack(failing []string, before map[string]hosts.KeptPath, meant func(manifests.Unit) bool) []string {
	var ids []string
	for _, unit := range keep(h.state.Units, meant) {
		was := inputsBy(unit, h.was(before))
		if !unit.Active || h.facts.Units[unit.Name].Inputs == was && !h.makes(starts(unit.Name)) {
			continue
		}
		ids = append(ids, h.rescue(failing, unit.Name, "what it reads is as before the upgrade", plan.Update,
			hosts.SetUnit{Name: unit.Name, Enabled: unit.Enabled, Active: true, Inputs: was, Restart: true}, nil))
	}
	return ids
}

// rescue adds a step that is done on the host where one of the failing steps has begun and not all are done.
func (h *hostDraft) rescue(failing []string, thing, why string, change plan.Change, action hosts.Action, waits []string) string {
	return h.add(plan.Step{
		ID: h.stepID(plan.PhasePutBack, thing), Phase: plan.PhasePutBack, Host: h.host.Name, Lane: string(plan.PhasePutBack),
		After: after(waits), Rescues: failing, Why: why, Change: change, Action: action,
	})
}

// changes tells whether a path is not as it was before the upgrade, or the plan changes it.
func (h *hostDraft) changes(before hosts.KeptPath) bool {
	have, there := h.facts.Files[before.Path]
	if there == before.Absent || have.Digest != before.Digest || have.Target != before.Target {
		return true
	}
	return slices.ContainsFunc(h.own(), func(step plan.Step) bool {
		switch a := step.Action.(type) {
		case hosts.WriteFile:
			return a.Path == before.Path
		case hosts.MakeSymlink:
			return a.Path == before.Path
		case hosts.RemovePath:
			return a.Path == before.Path
		case hosts.Unpack:
			return slices.ContainsFunc(a.Files, func(file hosts.UnpackFile) bool { return file.Path == before.Path })
		}
		return false
	})
}

// keptAction is the action that puts a path back to what the host has kept.
func keptAction(kept hosts.KeptPath, bundleID string) (hosts.Action, plan.Change) {
	switch {
	case kept.Absent:
		return hosts.RemovePath{Path: kept.Path}, plan.Remove
	case kept.Type == hosts.TypeSymlink:
		return hosts.MakeSymlink{Path: kept.Path, Target: kept.Target}, plan.Update
	}
	return hosts.WriteFile{
		Path: kept.Path, Mode: kept.Mode, UID: kept.UID, GID: kept.GID, Content: kept.Digest, Size: kept.Size, Kept: bundleID,
	}, plan.Update
}

// was is what a path was before the upgrade, as willBe says what it will be after.
func (h *hostDraft) was(before map[string]hosts.KeptPath) func(path string) (digest string, counts bool) {
	return func(path string) (string, bool) {
		if kept, known := before[path]; known {
			return kept.Digest + kept.Target, true
		}
		return h.willBe(path)
	}
}

// awaitPutBack waits, after the steps given, until the host does its work again as before, and lets Pods come
// back to it.
func (h *hostDraft) awaitPutBack(failing, done []string) {
	lane := string(plan.PhasePutBack) + "/" + h.host.Name
	wait := func(thing, why string, action plan.ClusterAction, rescues ...string) {
		h.add(plan.Step{
			ID: clusterID(plan.PhasePutBack, h.host.Name, thing), Phase: plan.PhasePutBack, Lane: lane, Rescues: join(rescues, failing),
			After: after(done), Why: why, Cluster: action,
		})
	}
	if h.runsControlPlane() {
		wait("api", "its version is put back", plan.WaitAPI{Host: h.host.Name, Version: h.versionInForce(), Timeout: h.in.limit(), Patience: h.in.podPatience()})
	}
	if node, there := h.in.Node(h.host.Name); there {
		wait("node", "its version is put back", plan.WaitNode{
			Node: h.host.Name, Ready: true, DaemonSets: h.in.daemonSets(), Restarted: h.makes(startsKubelet), Timeout: h.in.limit(), Patience: h.in.nodePatience(),
		})
		if !node.Unschedulable || node.CordonedBy == cordonedFor {
			done = join(done, []string{clusterID(plan.PhasePutBack, h.host.Name, "node")})
			wait("uncordon", "it was cordoned for the upgrade", plan.Uncordon{Node: h.host.Name, By: cordonedFor}, h.made(does[plan.Drain])...)
		}
	}
}
