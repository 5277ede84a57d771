package build

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestSweepKeepsWhatIsNewOrInUse(t *testing.T) {
	c := cache{root: t.TempDir()}
	now := time.Now()
	for name, age := range map[string]time.Duration{
		"layer/kube-1": 1 * time.Minute, "layer/kube-2": 2 * time.Hour, "layer/kube-3": 3 * time.Hour,
		"layer/kube-4":      4 * time.Hour, // the fourth of its name: goes
		"layer/net-tools-1": 9 * time.Hour,
		"layer/.new-1":      time.Hour, "layer/.new-2": 30 * time.Hour, // half-made; the second is abandoned
		".debian-1":   30 * time.Hour,
		"compile/a-1": time.Minute, "compile/a-2": time.Minute, "compile/a-3": time.Minute, "compile/a-4": time.Minute, // all in use
	} {
		path := filepath.Join(c.root, name)
		must(t, os.MkdirAll(path, 0o755))
		must(t, os.Chtimes(path, now.Add(-age), now.Add(-age)))
	}
	must(t, c.sweep(now))
	left, err := filepath.Glob(filepath.Join(c.root, "layer", "*"))
	must(t, err)
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{".new-1", "kube-1", "kube-2", "kube-3", "net-tools-1"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
	if used, err := filepath.Glob(filepath.Join(c.root, "compile", "*")); err != nil || len(used) != 4 {
		t.Errorf("in use, but swept: %v %v", used, err)
	}
	if _, err := os.Stat(filepath.Join(c.root, ".debian-1")); !os.IsNotExist(err) {
		t.Errorf("an abandoned folder is still there: %v", err)
	}
	must(t, cache{root: filepath.Join(c.root, "none")}.sweep(now))
}
