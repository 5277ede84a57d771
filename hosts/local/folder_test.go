//go:build linux

package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts/hosttest"
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
	if err := hosttest.LetWrite(dir, 0); err != nil {
		t.Fatal(err)
	}
	if followed() {
		t.Error("who is in an access control list may replace it, and it is followed")
	}
}

// TestALinkThatIsNotFollowedIsExplained by who may change it.
func TestALinkThatIsNotFollowedIsExplained(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("elsewhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := openFolder(filepath.Join(dir, "link"))
	for _, words := range []string{"user 0's and group 0's", "chmod go-w"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q is not in: %v", words, err)
		}
	}
}
