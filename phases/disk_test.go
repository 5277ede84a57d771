package phases

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestADiskNeedsRoomForWhatComes: a layer only where a file comes out of it, a copy only for itself, a link for nothing,
// and what has the same name as something else beside that.
func TestADiskNeedsRoomForWhatComes(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	node, _ := w.bill.Set(bundle.SetNode)
	staged := node.Files[slices.IndexFunc(node.Files, bundle.HostFile.Staged)]
	image, _ := w.bill.Image("kube-proxy")
	var blobs int64
	for _, blob := range image.Blobs() {
		blobs += blob.Size
	}
	lose := func(facts hosts.Facts, meant func(bundle.HostFile) bool) {
		for _, file := range node.Files {
			if meant(file) {
				delete(facts.Files, file.Path)
			}
		}
	}
	for what, test := range map[string]struct {
		edit func(facts hosts.Facts)
		need int64
	}{
		"nothing":   {func(hosts.Facts) {}, 0},
		"links":     {func(facts hosts.Facts) { lose(facts, func(file bundle.HostFile) bool { return file.Target != "" }) }, 0},
		"a copy":    {func(facts hosts.Facts) { lose(facts, func(file bundle.HostFile) bool { return file.From != "" }) }, 1},
		"one file":  {func(facts hosts.Facts) { lose(facts, func(file bundle.HostFile) bool { return file.Entry == "runc" }) }, 1 + node.Layers[0].Size},
		"all files": {func(facts hosts.Facts) { lose(facts, bundle.HostFile.Staged) }, 4 + node.Layers[0].Size},
		"other bytes": {func(facts hosts.Facts) {
			facts.Files[staged.Path] = hosts.File{Type: hosts.TypeFile, Digest: "sha256:other"}
		}, 1 + node.Layers[0].Size},
		"another image of that name": {func(facts hosts.Facts) {
			facts.Images[image.Reference(bundle.DefaultImageRepository)] = "sha256:other"
		}, 6 * blobs}, // as it travels, in containerd, and unpacked
	} {
		in := w.observe()
		facts := in.Facts["w-1"]
		facts.Disks = []hosts.Disk{{Path: "/"}}
		test.edit(facts)
		in.Facts["w-1"] = facts
		var told, want []string
		for _, found := range checks.Preflight(view.Prepare, in.View) {
			if found.Check == "Disk" && found.Host == "w-1" {
				told = append(told, found.Seen+" → "+found.Fix)
			}
		}
		if test.need > 0 {
			want = []string{fmt.Sprintf("about %s needed → free at least %[1]s on this file system (df -h / shows it)", hosts.Size(test.need))}
		}
		if len(told) != len(want) || len(want) > 0 && !strings.Contains(told[0], want[0]) {
			t.Errorf("%s: %q, want %q", what, told, want)
		}
	}
}
