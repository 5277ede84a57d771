package workflow

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// snapshotFolder saves a session's keys, and is where its snapshots lie.
func snapshotFolder(t *testing.T, s *Session) string {
	t.Helper()
	s.mintKeys(t)
	if _, err := s.snapshots.Begin(1); err == nil {
		t.Error("begun without a folder")
	}
	if err := s.keys.save("try"); err != nil {
		t.Fatal(err)
	}
	root, own := filepath.Split(s.folder().Path())
	return filepath.Join(root, "snapshots", own)
}

// takeSnapshot writes a snapshot that is not proved yet.
func takeSnapshot(t *testing.T, s *Session, content []byte) *snapshotFile {
	t.Helper()
	taken, err := s.snapshots.Begin(int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := taken.Write(content); err != nil {
		t.Fatal(err)
	}
	return taken.(*snapshotFile)
}

// TestNothingStaysOfASnapshotThatIsNotProved, and until then nobody else may read it or look into
// its folder.
func TestNothingStaysOfASnapshotThatIsNotProved(t *testing.T) {
	s := scene{}.session(t)
	folder := snapshotFolder(t, s)
	left := takeSnapshot(t, s, []byte("Secrets")) // by a run that was killed
	wantPrivate(t, left.Name(), 0o600)
	wantPrivate(t, folder, 0o700)
	wantPrivate(t, filepath.Dir(folder), 0o700)
	failed := takeSnapshot(t, s, []byte("Secrets"))
	if _, err := os.Stat(left.Name()); !os.IsNotExist(err) {
		t.Error("what a killed run has left stays")
	}
	failed.Discard()
	if names := namesIn(t, folder); len(names) > 0 {
		t.Errorf("left are %v", names)
	}
}

// TestASnapshotIsTheOperatorsAlone: it has its name when it is proved, nobody else may read it, and
// it outlives the keys.
func TestASnapshotIsTheOperatorsAlone(t *testing.T) {
	s := scene{}.session(t)
	folder := snapshotFolder(t, s)
	content := []byte("Secrets")
	taken := takeSnapshot(t, s, content)
	blob, err := taken.Blob()
	if err != nil || blob.SHA256 != fmt.Sprintf("%x", sha256.Sum256(content)) || blob.Size != int64(len(content)) || blob.Ref != "sha256:"+blob.SHA256 {
		t.Errorf("%+v, %v", blob, err)
	}
	path, err := taken.Keep(hosts.Snapshot{Revision: 4711}, "v1.36.3")
	if err != nil {
		t.Fatal(err)
	}
	taken.Discard()
	if !regexp.MustCompile(`^etcd-try-\d{8}T\d{6}Z-revision-4711-v1\.36\.3\.db$`).MatchString(filepath.Base(path)) || filepath.Dir(path) != folder {
		t.Errorf("it is called %s", path)
	}
	if err := s.folder().Remove(); err != nil { // as when all hosts are reset
		t.Fatal(err)
	}
	wantPrivate(t, path, 0o600)
	wantPrivate(t, path+".sha256", 0o600)
	if sums, err := os.ReadFile(path + ".sha256"); err != nil || string(sums) != blob.SHA256+"  "+filepath.Base(path)+"\n" {
		t.Errorf("%s, %v", sums, err)
	}
	source, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if got, err := io.ReadAll(source); err != nil || !bytes.Equal(got, content) {
		t.Errorf("it holds %q, %v", got, err)
	}
	s.tellSnapshot()
	if notes := s.front.(*fake).notes; len(notes) != 1 || !strings.Contains(notes[0], s.snapshots.kept) || s.snapshots.kept == "" {
		t.Errorf("of where it lies it is told: %q", notes)
	}
}

// TestASnapshotNeedsItsRoom.
func TestASnapshotNeedsItsRoom(t *testing.T) {
	s := scene{}.session(t)
	s.mintKeys(t)
	if err := s.keys.save("try"); err != nil {
		t.Fatal(err)
	}
	if room := s.snapshots.room(); room <= 0 {
		t.Errorf("%d bytes are free", room)
	}
	if _, err := s.snapshots.Begin(1 << 60); err == nil || !strings.Contains(err.Error(), "is free in") {
		t.Errorf("begun without room: %v", err)
	}
}

func wantPrivate(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != mode {
		t.Errorf("%s has mode %04o", path, info.Mode().Perm())
	}
}

func namesIn(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
