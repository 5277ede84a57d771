package phases

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// TestParentsGetTheirModeBack: a root login with umask 077 made the parents of haproxy's root
// folder with mode 0700, and it could not get there. Whatever run comes next mends that.
func TestParentsGetTheirModeBack(t *testing.T) {
	w := newWorld(t, 1, 1)
	// What was there before Slipway keeps its mode.
	w.machines["w-1"].PutFile("/opt/cni/theirs", nil, 0o600)
	w.machines["w-1"].Chmod("/opt/cni", 0o700)
	w.init(seeded(1))
	var made []string
	for _, owned := range w.machines["w-1"].Record().Paths {
		if owned.Type == hosts.TypeDirectory && slices.Contains([]string{"/opt/slipway", manifests.BinFolder, "/etc/containerd", manifests.CNIBinFolder}, owned.Path) {
			w.machines["w-1"].Chmod(owned.Path, 0o700)
			made = append(made, owned.Path)
		}
	}
	if len(made) < 3 {
		t.Fatalf("Slipway made of these only %v", made)
	}
	for _, workflow := range []workflow{Init, Prepare} {
		p, contents := w.planned(workflow)
		var repaired []string
		for _, step := range p.Steps {
			directory, ok := step.Action.(hosts.MakeDirectory)
			if ok && directory.Mode == 0o755 && strings.Contains(step.Why, "mode 0700") {
				repaired = append(repaired, directory.Path)
			}
		}
		slices.Sort(repaired)
		slices.Sort(made)
		if !slices.Equal(repaired, made) {
			t.Errorf("repaired are %v, want %v", repaired, made)
		}
		w.run(p, contents, seeded(2), -1)
		p, _ = w.planned(Init)
		wantEmpty(t, p)
		for _, path := range made { // for the next workflow
			w.machines["w-1"].Chmod(path, 0o700)
		}
	}
}
