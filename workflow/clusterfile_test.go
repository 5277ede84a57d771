package workflow

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestTheClusterFileIsReplacedAsItIs: links, modes and what may not be written stay as they are.
func TestTheClusterFileIsReplacedAsItIs(t *testing.T) {
	folder := t.TempDir()
	real, link := filepath.Join(folder, "real.yaml"), filepath.Join(folder, "link.yaml")
	if err := os.Symlink("real.yaml", link); err != nil {
		t.Fatal(err)
	}
	if err := WriteClusterFile(link, []byte("one")); err != nil { // what it leads to is not there yet
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(real, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := WriteClusterFile(link, []byte("two")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(real)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(real); err != nil || string(data) != "two" {
		t.Errorf("it has %q, %v", data, err)
	}
	if os.Geteuid() != 0 { // root may write to all
		if err := os.Chmod(real, 0o440); err != nil {
			t.Fatal(err)
		}
		if err := WriteClusterFile(link, []byte("three")); err == nil {
			t.Error("a file that may not be written to is replaced")
		}
	}
	if left, err := filepath.Glob(filepath.Join(folder, ".*")); err != nil || len(left) > 0 {
		t.Errorf("there is left %v, %v", left, err)
	}
}
