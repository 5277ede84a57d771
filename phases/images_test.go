package phases

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestAnImageThatIsStagedTakesNoName from the one in force before the host's turn, whatever the first look has
// shown.
func TestAnImageThatIsStagedTakesNoName(t *testing.T) {
	const host = "w-1"
	for what, test := range map[string]struct {
		edit   func(facts *hosts.Facts, name, beside, digest string)
		loads  bool // beside the one in force
		named  bool // in the host's turn
		byName bool // at once
	}{
		"another has the name": {edit: func(*hosts.Facts, string, string, string) {}, loads: true, named: true},
		"it is staged":         {edit: func(facts *hosts.Facts, _, beside, digest string) { facts.Images[beside] = digest }, named: true},
		"it is in force": {edit: func(facts *hosts.Facts, name, _, digest string) {
			facts.Images[name], facts.Record.Bundled[name] = digest, digest
		}},
		"containerd does not answer": {edit: func(facts *hosts.Facts, _, _, _ string) { facts.Images = nil }, loads: true, named: true},
		"nothing has the name": {edit: func(facts *hosts.Facts, name, _, _ string) {
			delete(facts.Images, name)
			delete(facts.Record.Bundled, name)
		}, byName: true},
		"somebody has removed it": {edit: func(facts *hosts.Facts, name, _, digest string) {
			delete(facts.Images, name)
			facts.Record.Bundled[name] = digest
		}, byName: true},
		"it was put back, and cut after the record": {edit: func(facts *hosts.Facts, name, beside, digest string) {
			facts.Images[name], facts.Record.Bundled[name], facts.Record.Bundled[beside] = digest, "sha256:other", digest
		}, named: true},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, 1, 1)
			w.beforeUpgrade()
			in := w.observe()
			image := w.image("flannel")
			name, digest := image.Reference(bundle.DefaultImageRepository), image.Manifest.Digest
			beside, err := hosts.DigestName(name, digest)
			if err != nil {
				t.Fatal(err)
			}
			facts := in.Facts[host]
			facts.Record = facts.Record.Clone()
			test.edit(&facts, name, beside, digest)
			in.Facts[host] = facts
			p, _, err := Upgrade(in)
			if err != nil {
				t.Fatal(err)
			}
			on := func(meant match) bool {
				return slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.Host == host && !step.IsRescue() && meant(step) })
			}
			if loads, named, byName := on(loads(beside)), on(namesImage(name)), on(loads(name)); loads != test.loads || named != test.named || byName != test.byName {
				t.Errorf("it is loaded beside %v, named %v, loaded by its name %v", loads, named, byName)
			}
		})
	}
}

// TestImagesAreNamedWhenContainerdIsBack from its own change: it is who names them.
func TestImagesAreNamedWhenContainerdIsBack(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.beforeUpgrade()
	p, _ := w.planned(Upgrade)
	before := plan.Predecessors(p)
	named := 0
	for _, step := range p.Steps {
		if !does[hosts.NameImage](step) || step.IsRescue() {
			continue
		}
		named++
		for _, other := range p.Steps {
			if other.Host == step.Host && startsContainerd(other) && !other.IsRescue() && !reaches(before, step.ID, other.ID) {
				t.Errorf("%s does not wait for %s", step.ID, other.ID)
			}
		}
	}
	if named != 2 {
		t.Errorf("%d images are named", named)
	}
}
