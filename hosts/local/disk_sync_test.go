//go:build linux

package local

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

func TestSyncIsMeasuredWhereEtcdWillLive(t *testing.T) {
	for _, test := range []struct {
		name     string
		there    []string // folders
		measured bool
	}{
		{"nothing is there yet", nil, true},
		{"its parent is", []string{"/var/lib"}, true},
		{"it is there, and empty", []string{"/var/lib/etcd"}, true},
		{"an etcd lives there", []string{"/var/lib/etcd/member/wal"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, err := New(Options{Root: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			for _, folder := range test.there {
				if err := os.MkdirAll(h.at(folder), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			var facts hosts.Facts
			if err := h.observeSync(t.Context(), hosts.Query{Sync: "/var/lib/etcd"}, &facts); err != nil {
				t.Fatal(err)
			}
			if measured := facts.Sync > 0; measured != test.measured {
				t.Errorf("a write takes %s", facts.Sync)
			}
			wantNoFiles(t, h.root)
		})
	}
}

func wantNoFiles(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMeasuringEndsInTime(t *testing.T) {
	for limit, writes := range map[time.Duration]int{0: 1, time.Hour: syncWrites} {
		took, err := measureSync(t.Context(), t.TempDir(), limit)
		if err != nil || len(took) != writes {
			t.Errorf("within %s there were %d writes, want %d: %v", limit, len(took), writes, err)
		}
	}
}

// TestMeasuringClearsUp: a process that was killed has left a file; one that measures at
// the same time has its own.
func TestMeasuringClearsUp(t *testing.T) {
	folder := t.TempDir()
	stale, others := filepath.Join(folder, ".slipway-sync-1"), filepath.Join(folder, ".slipway-sync-2")
	for _, path := range []string{stale, others} {
		if err := writeTestFile(path, ""); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(stale, long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := measureSync(t.Context(), folder, 0); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 || left[0].Name() != filepath.Base(others) {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestPercentile99(t *testing.T) {
	upTo := func(n int) []time.Duration {
		var all []time.Duration
		for i := n; i > 0; i-- {
			all = append(all, time.Duration(i))
		}
		return all
	}
	for n, want := range map[int]time.Duration{0: 0, 1: 1, 50: 50, 100: 99, 101: 100, 200: 198} {
		if got := percentile99(upTo(n)); got != want {
			t.Errorf("of %d it is %d, want %d", n, got, want)
		}
	}
}

// What is measured is looked at meanwhile: etcd's folder counts as empty.
func TestAMeasurementIsNoFileOfItsFolder(t *testing.T) {
	h, err := New(Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/var/lib/etcd/" + syncPrefix + "1", "/var/lib/etcd/other"} {
		if err := writeTestFile(h.at(path), ""); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]hosts.File{}
	if err := h.lookIn(t.Context(), "/var/lib/etcd", files); err != nil {
		t.Fatal(err)
	}
	if _, seen := files["/var/lib/etcd/other"]; !seen || len(files) != 1 {
		t.Errorf("seen are %v", files)
	}
}
