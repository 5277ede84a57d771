//go:build linux

package local_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// layer is a blob of a tar archive, compressed with zstd.
func layer(t *testing.T, entries map[string]string) hosts.Blob {
	t.Helper()
	var buffer bytes.Buffer
	compressed, err := zstd.NewWriter(&buffer)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(compressed)
	for name, content := range entries {
		header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	return hosttest.Content(buffer.Bytes())
}

func unpackFile(path string, from hosts.Blob, entry, content string) hosts.UnpackFile {
	return hosts.UnpackFile{
		Path: path, Layer: from.Ref, Entry: entry, Mode: 0o755,
		Digest: hosttest.Content([]byte(content)).Ref, Size: int64(len(content)),
	}
}

func TestUnpack(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	tool := strings.Repeat("tool", 1<<18) // large enough for the digest cache
	first := layer(t, map[string]string{"./usr/bin/tool": tool, "usr/bin/other": "other", "unasked": "x"})
	second := layer(t, map[string]string{"bin/second": "second"})
	set := hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{
		{Path: "/usr/bin/link", Target: "tool"},
		unpackFile("/usr/bin/tool", first, "usr/bin/tool", tool),
		unpackFile("/usr/bin/other", first, "usr/bin/other", "other"),
		unpackFile("/usr/bin/again", first, "/usr/bin/other", "other"),
		unpackFile("/opt/second", second, "bin/second", "second"),
	}}
	if err := m.fails(host, set); !strings.Contains(err.Error(), first.Ref) {
		t.Errorf("a layer that is missing: %v", err)
	}
	m.upload(host, first, second)
	m.do(host, set)
	if m.read("/usr/bin/link") != tool || m.read("/usr/bin/again") != "other" || m.read("/opt/second") != "second" {
		t.Error("not all is in place")
	}
	if m.has("/unasked") || m.has("/usr/bin/unasked") {
		t.Error("more was unpacked than asked for")
	}
	if info, err := os.Stat(m.at("/usr/bin/tool")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	running, err := os.Open(m.at("/usr/bin/other"))
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	m.write("/usr/bin/tool", "damaged")
	if err := os.Chmod(m.at("/usr/bin/other"), 0o700); err != nil {
		t.Fatal(err)
	}
	outcome := m.do(host, set)
	if outcome.Detail != "2 of 5 files" {
		t.Errorf("what was put right: %s", outcome.Detail)
	}
	if old, err := io.ReadAll(running); err != nil || string(old) != "other" {
		t.Errorf("who had the file open reads %q, %v", old, err)
	}
	m.once(m.host(), set, hosts.Unchanged)
}

func TestUnpackRefusesWhatIsNotAsNamed(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	blob := layer(t, map[string]string{"tool": "content"})
	m.upload(host, blob)
	m.write("/bin/tool", "before")
	wrong := unpackFile("/bin/tool", blob, "tool", "contend")
	longer := unpackFile("/bin/tool", blob, "tool", "content that is longer")
	absent := unpackFile("/bin/tool", blob, "nothing", "content")
	for _, file := range []hosts.UnpackFile{wrong, longer, absent} {
		m.fails(host, hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{file}})
		if m.read("/bin/tool") != "before" || m.has("/bin/.tool.slipway") {
			t.Errorf("after %+v the file is not as it was", file)
		}
	}
	m.write("/opt/dir/x", "")
	m.fails(host, hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{unpackFile("/opt/dir", blob, "tool", "content")}})
}

// TestWhatIsInForceIsCopiedAndLinked puts in force what was staged before, without the layer.
func TestWhatIsInForceIsCopiedAndLinked(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	blob := layer(t, map[string]string{"tool": "content"})
	staged := unpackFile("/opt/v1/tool", blob, "tool", "content")
	copied := hosts.UnpackFile{Path: "/usr/bin/copy", From: staged.Path, Digest: staged.Digest, Size: staged.Size, Mode: 0o700}
	inForce := hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{{Path: "/usr/bin/link", Target: staged.Path}, copied}}
	if err := m.fails(host, inForce); !strings.Contains(err.Error(), staged.Path) || m.has("/usr/bin/link") {
		t.Errorf("what is not staged: %v", err)
	}
	m.upload(host, blob)
	m.do(host, hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{staged}})
	m.do(host, hosts.TidyStore{})
	m.do(host, inForce)
	if target, err := os.Readlink(m.at("/usr/bin/link")); err != nil || target != staged.Path || m.read("/usr/bin/copy") != "content" {
		t.Errorf("the link leads to %q (%v), the copy has %q", target, err, m.read("/usr/bin/copy"))
	}
	m.write("/usr/bin/copy", "theirs!")
	m.write("/opt/v1/tool", "damaged")
	m.fails(host, inForce)
	if m.read("/usr/bin/copy") != "theirs!" {
		t.Error("a damaged file was put in force")
	}
}

func TestUnpackKeepsWhatIsNotOurs(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	blob := layer(t, map[string]string{"kubectl": "ours"})
	m.upload(host, blob)
	m.write("/usr/bin/kubectl", "theirs")
	m.do(host, hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{unpackFile("/usr/bin/kubectl", blob, "kubectl", "ours")}})
	m.do(host, hosts.Restore{Setting: "file//usr/bin/kubectl"})
	if m.read("/usr/bin/kubectl") != "theirs" {
		t.Error("the file did not come back")
	}
}
