package phases

import (
	"fmt"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// directoryDiffers says why a directory is not right, and what becomes of it; "" where
// it is.
func (h *hostDraft) directoryDiffers(want manifests.Directory) (string, plan.Change) {
	have, there := h.facts.Files[want.Path]
	switch {
	case !there:
		return "absent", plan.Create
	case want.Seed || have.Type == hosts.TypeSymlink: // a link to a directory serves as one
		return "", ""
	case have.Type != hosts.TypeDirectory:
		return "is a " + string(have.Type), plan.Update
	}
	return attributesDiffer(have, want.Mode, want.UID, want.GID), plan.Update
}

// linkDiffers says why a symbolic link is not right; "" where it is.
func (h *hostDraft) linkDiffers(want manifests.Link) (string, plan.Change) {
	have, there := h.facts.Files[want.Path]
	switch {
	case !there:
		return "absent", plan.Create
	case h.reseed[want.Path] && have.Target != want.Target:
		return "the file that it points to is not acceptable", plan.Update
	case want.Seed:
		return "", ""
	case have.Type != hosts.TypeSymlink:
		return "is a " + string(have.Type), plan.Update
	case have.Target != want.Target:
		return "leads to " + have.Target, plan.Update
	}
	return "", ""
}

// fileDiffers says why a file is not right, by the way in which it is compared.
func (h *hostDraft) fileDiffers(want manifests.File) (string, plan.Change) {
	have, there := h.facts.Files[want.Path]
	switch want.Compare {
	case manifests.Seed:
		return h.seedDiffers(want, there)
	case manifests.Acceptable:
		if !there {
			return "absent", plan.Create
		}
		if why := h.notAcceptable(want); why != "" {
			return why, plan.Update
		}
		return attributesDiffer(have, want.Mode, want.UID, want.GID), plan.Update
	case manifests.Exact:
	}
	switch {
	case !there:
		return "absent", plan.Create
	case have.Type != hosts.TypeFile:
		return "is a " + string(have.Type), plan.Update
	case have.Digest != plan.Ref(want.Content):
		return "content differs", plan.Update
	}
	return attributesDiffer(have, want.Mode, want.UID, want.GID), plan.Update
}

func (h *hostDraft) seedDiffers(want manifests.File, there bool) (string, plan.Change) {
	if there {
		return "", ""
	}
	if h.reseed[want.Path] {
		return "the file that replaced it is not acceptable", plan.Create
	}
	if _, grown := h.facts.Files[want.Unless]; want.Unless != "" && grown {
		return "", ""
	}
	return "absent", plan.Create
}

func attributesDiffer(have hosts.File, mode uint32, uid, gid int) string {
	switch {
	case have.Mode != mode:
		return fmt.Sprintf("mode %04o, want %04o", have.Mode, mode)
	case have.UID != uid || have.GID != gid:
		return fmt.Sprintf("owner %d:%d, want %d:%d", have.UID, have.GID, uid, gid)
	}
	return ""
}

// unpackedDiffers says whether a file of a set is not as the bundle has it.
func (h *hostDraft) unpackedDiffers(want bundle.HostFile) (differs, there bool) {
	have, there := h.facts.Files[want.Path]
	switch {
	case !there:
		return true, false
	case want.Target != "":
		return have.Type != hosts.TypeSymlink || have.Target != want.Target, true
	}
	return have.Type != hosts.TypeFile || have.Digest != want.Digest || have.Mode != want.Mode ||
		have.UID != 0 || have.GID != 0, true
}
