package phases

import (
	"path"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// writeFiles writes the files and links of phases that are not right, after the steps given.
// Static Pods are not among them: they have to wait for their images.
func (h *hostDraft) writeFiles(after []string, phases ...plan.Phase) {
	for _, phase := range phases {
		for _, file := range h.state.Files {
			noted := file.Path == manifests.BillFile && h.in.Workflow.ChangesVersion() // by noteBundle
			if file.Phase == phase && !isStaticPod(file) && !noted {
				h.writeFile(file, after)
			}
		}
		for _, link := range h.state.Links {
			if link.Phase == phase {
				h.makeLink(link, after)
			}
		}
	}
}

func (h *hostDraft) writeFile(file manifests.File, after []string) {
	why, change := h.fileDiffers(file)
	lane := plan.LaneFiles
	if file.Phase == plan.PhaseActivate {
		lane = plan.LaneBinaries // else all other files would wait for what it waits for
	}
	if why != "" {
		h.step(file.Phase, trimmed(file.Path), lane, change, why, h.writing(file), after)
	}
}

// writing is the action that writes a file.
func (h *hostDraft) writing(file manifests.File) hosts.WriteFile {
	return hosts.WriteFile{
		Path: file.Path, Mode: file.Mode, UID: file.UID, GID: file.GID,
		Content: h.put(file.Content, file.Secret), Size: int64(len(file.Content)),
		Secret: file.Secret,
		Seed:   file.Compare == manifests.Seed && !h.reseed[file.Path],
	}
}

func (h *hostDraft) makeLink(link manifests.Link, after []string) {
	why, change := h.linkDiffers(link)
	if why == "" {
		return
	}
	h.step(link.Phase, trimmed(link.Path), plan.LaneFiles, change, why, hosts.MakeSymlink{
		Path: link.Path, Target: link.Target, Seed: link.Seed && !h.reseed[link.Path],
	}, after)
}

// written lists the steps that write files, of some phases.
func (h *hostDraft) written(phases ...plan.Phase) []string {
	var ids []string
	for _, phase := range phases {
		ids = append(ids, h.made(writes(phase))...)
	}
	return ids
}

func isStaticPod(file manifests.File) bool { return path.Dir(file.Path) == manifests.ManifestsFolder }
