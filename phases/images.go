package phases

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// binaries brings the sets of the bundle to the host, of each only the files that are not right, and
// puts them in force. What says so comes last.
func (h *hostDraft) binaries() {
	h.stage()
	h.activate(h.base())
	h.writeFiles(join(h.base(), h.made(does[hosts.Unpack])), plan.PhaseActivate)
}

// stage unpacks the sets beside the versions that are there already: nothing that runs takes notice.
func (h *hostDraft) stage() {
	for _, set := range h.state.Sets {
		h.unpack(set, plan.PhaseBinaries, bundle.HostFile.Staged, h.base())
	}
}

// activate puts in force what is staged, after the steps given: from then on it is what starts.
func (h *hostDraft) activate(waits []string) {
	for _, set := range h.state.Sets {
		inForce := func(file bundle.HostFile) bool { return !file.Staged() }
		h.unpack(set, plan.PhaseActivate, inForce, join(waits, h.made(unpacks(set.Name))))
	}
}

// unpack puts those of a set's files in place that are meant and are not right.
func (h *hostDraft) unpack(set bundle.FileSet, phase plan.Phase, meant func(bundle.HostFile) bool, waits []string) {
	var files []hosts.UnpackFile
	all, absent := 0, 0
	for _, file := range set.Files {
		if !meant(file) {
			continue
		}
		all++
		differs, there := h.unpackedDiffers(file)
		if !differs {
			continue
		}
		if !there {
			absent++
		}
		files = append(files, hosts.UnpackFile{
			Path: file.Path, Layer: file.Layer, Entry: file.Entry, Digest: file.Digest,
			Size: file.Size, Mode: file.Mode, Target: file.Target, From: file.From,
		})
	}
	if len(files) == 0 {
		return
	}
	why, change := setDiffers(all, len(files), absent)
	lane := plan.LaneBinaries
	if set.Name == bundle.SetLoadBalancer {
		lane = laneBalancer
	}
	h.step(phase, set.Name, lane, change, why, hosts.Unpack{Set: set.Name, Files: files}, waits)
}

// setsWith lists the steps that unpack, and put in force, the sets which hold one of the paths; without
// paths, all of them but the balancer's, which nothing of a node's needs.
func (h *hostDraft) setsWith(paths []string) []string {
	var ids []string
	for _, set := range h.state.Sets {
		holds := func(file bundle.HostFile) bool { return slices.Contains(paths, file.Path) }
		if len(paths) == 0 && set.Name != bundle.SetLoadBalancer || slices.ContainsFunc(set.Files, holds) {
			ids = append(ids, h.made(unpacks(set.Name))...)
		}
	}
	return ids
}

func setDiffers(all, wrong, absent int) (string, plan.Change) {
	switch {
	case absent == all:
		return "absent", plan.Create
	case absent == wrong:
		return fmt.Sprintf("%d of %d files absent", absent, all), plan.Create
	}
	return fmt.Sprintf("%d of %d files differ", wrong, all), plan.Update
}

// loadImages brings the images that containerd lacks, in the order in which the host
// will ask for them.
func (h *hostDraft) loadImages() {
	for _, image := range h.state.Images {
		have, digest := h.facts.Images[image.Reference], image.Manifest.Digest
		lies := h.facts.Images[h.digestName(image.Reference, digest)] == digest
		switch {
		case have == digest && !h.cutNaming(image):
		case lies, h.cutNaming(image):
			h.nameImage(image)
		case have == "" && !h.mayBeNamed(image):
			h.loadImage(image, loading(image), plan.Create, "image missing")
		case h.in.Workflow == view.Rollback: // its bundle is at hand no more
		case h.beside():
			load := loading(image)
			load.Reference = h.digestName(load.Reference, load.Manifest.Digest)
			h.loadImage(image, load, plan.Create, "another image has its name, and keeps it until this version is in force")
			h.nameImage(image)
		default:
			h.loadImage(image, loading(image), plan.Update, anotherImage)
		}
	}
}

// mayBeNamed tells whether another image may have an image's name although none is shown, as by a containerd
// that does not answer: the record has one. Staging does not take that name.
func (h *hostDraft) mayBeNamed(image manifests.Image) bool {
	if h.facts.Record == nil || !h.beside() {
		return false
	}
	was := h.facts.Record.Bundled[image.Reference]
	return was != "" && was != image.Manifest.Digest
}

// cutNaming tells whether the host was to name an image other than this one when it was cut: containerd has
// this one, and the record the other.
func (h *hostDraft) cutNaming(image manifests.Image) bool {
	record, digest := h.facts.Record, image.Manifest.Digest
	return record != nil && h.facts.Images[image.Reference] == digest && !record.IsBundled(image.Reference, digest) &&
		record.Bundled[h.digestName(image.Reference, digest)] == digest
}

// onlyStages tells whether the host gets the bundle beside what is in force there.
func (h *hostDraft) onlyStages() bool {
	return h.in.Workflow == view.Prepare && h.in.StagesOnly(h.host)
}

// beside tells whether the bundle's images lie beside those in force until the host changes.
func (h *hostDraft) beside() bool { return h.in.Workflow.ChangesVersion() || h.onlyStages() }

const anotherImage = "another image has this name"

func (h *hostDraft) loadImage(image manifests.Image, load hosts.LoadImage, change plan.Change, why string) {
	h.step(plan.PhaseImages, image.Name, plan.LaneImages, change, why, load, h.servesImages(), h.base())
}

// laneNames is where images get their names.
const laneNames = string(plan.PhaseActivate) + "/images"

// nameImage puts in force an image that lies beside another one of its name, which that then does: for the
// way back, or until it is pruned.
func (h *hostDraft) nameImage(image manifests.Image) {
	if h.onlyStages() {
		return
	}
	action := hosts.NameImage{Name: image.Reference, Digest: image.Manifest.Digest}
	loaded := h.made(loads(h.digestName(action.Name, action.Digest)))
	h.step(plan.PhaseActivate, "image/"+image.Name, laneNames, plan.Update, anotherImage, action, h.made(startsContainerd), h.base(), loaded)
}

// digestName is what an image is called beside another one that has its name.
func (h *hostDraft) digestName(reference, digest string) string {
	name, err := hosts.DigestName(reference, digest)
	if err != nil {
		h.fail(err)
	}
	return name
}

// servesImages lists the steps after which images can be loaded: an upgrade does so before anything
// on the host starts anew.
func (h *hostDraft) servesImages() []string {
	if h.in.Workflow.ChangesVersion() {
		return nil
	}
	return h.made(startsContainerd)
}

func loading(image manifests.Image) hosts.LoadImage {
	action := hosts.LoadImage{Reference: image.Reference, Manifest: imageBlob(image.Manifest), Bundled: true}
	for _, blob := range image.Blobs()[1:] {
		action.Blobs = append(action.Blobs, imageBlob(blob))
	}
	return action
}

func imageBlob(blob bundle.Blob) hosts.ImageBlob {
	return hosts.ImageBlob{MediaType: blob.MediaType, Digest: blob.Digest, Size: blob.Size}
}

// loaded lists the steps after which the images of these names are there by their references.
func (h *hostDraft) loaded(names ...string) []string {
	var ids []string
	for _, name := range names {
		for _, image := range h.state.Images {
			if image.Name == name {
				ids = append(ids, h.made(loads(image.Reference), namesImage(image.Reference))...)
			}
		}
	}
	return ids
}

// tidy empties the host's store of what was uploaded, once all of it is in its place.
func (h *hostDraft) tidy() {
	lanes := map[string]string{}
	uploads := false
	for _, step := range h.own() {
		lanes[step.Lane] = step.ID
		uploads = uploads || len(plan.Refs(step)) > 0
	}
	if !uploads {
		return
	}
	var last []string
	for _, lane := range []string{plan.LaneFiles, plan.LaneBinaries, plan.LaneImages, laneBalancer} {
		if id, ok := lanes[lane]; ok {
			last = append(last, id)
		}
	}
	h.tidyStore(last)
}

func (h *hostDraft) tidyStore(waits []string) {
	h.step(plan.PhaseTidy, "store", plan.LaneWork, "", "what was uploaded is in its place", hosts.TidyStore{}, waits)
}

// tidyAfter has the store emptied after a step that was planned later than that.
func (h *hostDraft) tidyAfter(id string) {
	tidied := false
	for _, i := range h.at[h.host.Name] {
		if step := &h.plan.Steps[i]; inPhase(plan.PhaseTidy)(*step) {
			step.After = append(slices.Clone(step.After), plan.All(id))
			tidied = true
		}
	}
	if !tidied {
		h.tidyStore([]string{id})
	}
}

// imagePause is what every Pod's sandbox runs.
const imagePause = "pause"
