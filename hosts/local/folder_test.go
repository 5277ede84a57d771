//go:build linux

package local

import (
	"os"
	"path/filepath"
	"testing"
)

// TestALinkIsFollowedOnlyWhereNobodyElseMayReplaceIt: else it leads root wherever the
// folder's others want.
func TestALinkIsFollowedOnlyWhereNobodyElseMayReplaceIt(t *testing.T) {
	for name, test := range map[string]struct {
		gid  int
		mode uint32
		want bool
	}{
		"the owner's alone":         {1000, 0o755, true},
		"all may write":             {0, 0o777, false},
		"all may write, and sticky": {0, 0o1777, true},
		"a group may write":         {1000, 0o770, false},
		"a group, and sticky":       {1000, 0o1770, true},
		"root's group may write":    {0, 0o775, true},
	} {
		if got := !(attributes{mode: test.mode, gid: test.gid}).shared(); got != test.want {
			t.Errorf("%s: followed %v", name, got)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink("elsewhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "elsewhere"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	followed := func() bool {
		folder, err := openFolder(filepath.Join(dir, "link"))
		if err != nil {
			return false
		}
		folder.Close()
		return true
	}
	if !followed() {
		t.Error("root's own group: it is not followed")
	}
}
