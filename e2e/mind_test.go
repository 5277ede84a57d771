package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAHostOfAnotherClusterIsRefused names a host of one cluster in another's file: it is
// refused, and neither cluster's keys change.
func TestAHostOfAnotherClusterIsRefused(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1")
	l.must(l.withBundle("prepare", "--yes", "worker-1")...)
	before := keyFolders(t, l)
	data, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	other := write(t, "other.yaml", []byte(strings.Replace(string(data), "name: "+l.name, "name: other", 1)))
	for _, verb := range []string{"plan", "init"} {
		args := []string{verb, "-f", other, "--bundle", bundleFile()}
		if verb == "init" {
			args = append(args, "--yes")
		}
		l.wantCode(4, "belongs to the cluster "+l.name, args...)
	}
	if after := keyFolders(t, l); after != before {
		t.Errorf("the state folder changed from %s to %s", before, after)
	}
}

// TestKeysAreReadBackFromAControlPlane loses the operator's state folder: everything
// goes on from the keys on a control plane.
func TestKeysAreReadBackFromAControlPlane(t *testing.T) {
	l := newLab(t, "--control-planes", "1")
	l.init()
	before := keyFolders(t, l)
	if err := os.RemoveAll(filepath.Join(l.state, "slipway")); err != nil {
		t.Fatal(err)
	}
	l.wantReady("cp-1")
	l.planIsEmpty()
	if after := keyFolders(t, l); after != before {
		t.Errorf("want the same cluster's folder %s again, got %s", before, after)
	}
	for _, folder := range strings.Fields(before) {
		info, err := os.Stat(filepath.Join(l.state, "slipway", folder))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: want mode 0700, got %v, %v", folder, info, err)
		}
	}
}

// keyFolders lists the clusters whose keys are in the state folder.
func keyFolders(t *testing.T, l *lab) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(l.state, "slipway"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "current" && entry.Name() != "runs" {
			names = append(names, entry.Name())
		}
	}
	return strings.Join(names, " ")
}
