//go:build linux

package local_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// stateOf is every file below Slipway's own directory, with content.
func (m *machine) stateOf(dir string) map[string]string {
	m.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(m.at(dir), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, m.root)] = string(data)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return files
}

func TestUnchangedWritesNothing(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	actions := []hosts.Action{
		hosts.Claim{Cluster: hosts.Identity{ID: "1", Name: "one"}},
		m.writeFile(host, "/etc/x/file", "content", 0o600),
		hosts.MakeDirectory{Path: "/var/lib/dir", Mode: 0o700},
		hosts.MakeSymlink{Path: "/etc/x/link", Target: "file"},
		hosts.AddHostsEntry{Address: "10.0.0.1", Names: []string{"a"}},
		hosts.SetHostname{Name: "new"},
		hosts.RemovePath{Path: "/scratch/.keep"},
	}
	for _, action := range actions {
		m.once(host, action, hosts.Changed)
	}
	before := m.stateOf("/var/lib/slipway")
	info, err := os.Stat(m.at("/etc/x/file"))
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range actions {
		m.once(host, action, hosts.Unchanged)
	}
	if diff := cmp.Diff(before, m.stateOf("/var/lib/slipway")); diff != "" {
		t.Errorf("an unchanged action wrote (-before +after):\n%s", diff)
	}
	after, err := os.Stat(m.at("/etc/x/file"))
	if err != nil || !os.SameFile(info, after) {
		t.Error("an unchanged file was written again")
	}
}

func TestObserveOfAFreshHostLeavesNothing(t *testing.T) {
	m := newMachine(t)
	facts := m.observe(m.host(), hosts.Query{Paths: []string{"/etc"}, Trees: []string{"/scratch"}, Evidence: true})
	if facts.Record != nil || facts.Lease != nil {
		t.Errorf("a fresh host has record %+v, lease %+v", facts.Record, facts.Lease)
	}
	for _, dir := range []string{"/var/lib/slipway", "/run/slipway"} {
		if m.has(dir) {
			t.Errorf("looking made %s", dir)
		}
	}
}

func TestForeignFileIsKeptAndComesBack(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.put("/etc/app.conf", "theirs\n", 0o604)
	if err := os.Symlink("/somewhere", m.at("/etc/app.link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(m.at("/etc/app.d"), 0o751); err != nil {
		t.Fatal(err)
	}
	m.do(host, m.writeFile(host, "/etc/app.conf", "ours\n", 0o600))
	m.do(host, m.writeFile(host, "/etc/app.conf", "ours again\n", 0o600))
	m.do(host, hosts.MakeSymlink{Path: "/etc/app.link", Target: "/ours"})
	m.do(host, hosts.MakeDirectory{Path: "/etc/app.d", Mode: 0o700})

	want := []hosts.Prior{
		{Setting: "file//etc/app.conf", Value: "file 0604 0:0"},
		{Setting: "file//etc/app.link", Value: "symlink /somewhere"},
		{Setting: "file//etc/app.d", Value: "directory 0751 0:0"},
	}
	if diff := cmp.Diff(want, m.record(host).Priors); diff != "" {
		t.Fatalf("the record's priors (-want +got):\n%s", diff)
	}
	m.once(host, hosts.TidyStore{}, hosts.Changed) // backups are not blobs
	for _, prior := range want {
		m.do(host, hosts.Restore{Setting: prior.Setting})
	}
	if content, mode := m.look("/etc/app.conf"); content != "theirs\n" || mode != 0o604 {
		t.Errorf("the file came back as %q, %04o", content, mode)
	}
	if target, err := os.Readlink(m.at("/etc/app.link")); err != nil || target != "/somewhere" {
		t.Errorf("the link came back to %q, %v", target, err)
	}
	if info, err := os.Stat(m.at("/etc/app.d")); err != nil || info.Mode().Perm() != 0o751 {
		t.Errorf("the directory came back as %v, %v", info, err)
	}
	record := m.record(host)
	if len(record.Priors) > 0 || len(record.Paths) > 0 {
		t.Errorf("the record still names %+v", record)
	}
	m.do(host, hosts.Forget{})
}

func TestWhatWasRightAlreadyIsNotOurs(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.put("/etc/same", "same", 0o644)
	m.once(host, m.writeFile(host, "/etc/same", "same", 0o644), hosts.Unchanged)
	if record := m.record(host); record != nil {
		t.Errorf("the record names %+v", record)
	}
}

func TestRecordNamesMadeParentsOnly(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/there/.keep", "")
	m.do(host, m.writeFile(host, "/etc/there/new/deep/file", "x", 0o600))
	var paths []string
	for _, owned := range m.record(host).Paths {
		paths = append(paths, string(owned.Type)+" "+owned.Path)
	}
	want := []string{"directory /etc/there/new", "directory /etc/there/new/deep", "file /etc/there/new/deep/file"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("owned paths (-want +got):\n%s", diff)
	}
	m.do(host, hosts.RemovePath{Path: "/etc/there/new", Recursive: true})
	if left := m.record(host).Paths; len(left) > 0 {
		t.Errorf("the record still names %v", left)
	}
}

func TestSecretsAreNowhereButInTheirFile(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	blob := hosttest.Secret([]byte("a private key"))
	m.upload(host, blob)
	m.do(host, hosts.WriteFile{Path: "/etc/key", Mode: 0o600, Content: blob.Ref, Size: blob.Size, Secret: true})
	if m.read("/etc/key") != "a private key" {
		t.Error("the secret was not written")
	}
	for path, content := range m.stateOf("/var/lib/slipway") {
		if strings.Contains(content, "a private key") || strings.Contains(content, blob.SHA256) {
			t.Errorf("%s tells of the secret", path)
		}
	}
}

func TestLeftoverOfACrashIsReplaced(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/.conf.slipway", "half-writ")
	m.do(host, m.writeFile(host, "/etc/conf", "whole", 0o600))
	m.write("/etc/.conf.slipway", "half-writ")
	m.do(host, hosts.RemovePath{Path: "/etc/conf"})
	if entries, err := os.ReadDir(m.at("/etc")); err != nil || len(entries) > 0 {
		t.Errorf("left are %v, %v", entries, err)
	}
}

func TestPathsThatAreRefused(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/dir/file", "")
	write := m.writeFile(host, "", "x", 0o600)
	for _, path := range []string{"", "/", "relative", "/etc/../etc/x", "/etc//x", "/etc/dir", "/etc/dir/file/below"} {
		write.Path = path
		m.fails(host, write)
		if path != "/etc/dir" {
			m.fails(host, hosts.MakeDirectory{Path: path, Mode: 0o755})
		}
	}
	m.fails(host, hosts.RemovePath{Path: "/"})
	m.fails(host, hosts.MakeSymlink{Path: "/etc/dir", Target: "x"})
	m.fails(host, hosts.MakeDirectory{Path: "/etc/dir/file", Mode: 0o755})
}

func TestRemovalStopsAtMounts(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/var/data/sub/mine", "x")
	mount(t, m.at("/var/data/sub"), "")
	m.write("/var/data/sub/theirs", "x")
	err := m.fails(host, hosts.RemovePath{Path: "/var/data", Recursive: true})
	if !strings.Contains(err.Error(), "/var/data/sub") || !m.has("/var/data/sub/theirs") {
		t.Fatalf("removal over a mount: %v", err)
	}
	m.once(host, hosts.RemovePath{Path: "/var/data/sub", Recursive: true}, hosts.Changed)
	if m.has("/var/data/sub/theirs") || !m.has("/var/data/sub") {
		t.Error("a mount point is emptied and stays")
	}
	m.once(host, hosts.RemovePath{Path: "/var/data/sub", Recursive: true}, hosts.Unchanged)
}

func TestUnmountTakesTheDeepestFirst(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	for _, dir := range []string{"/var/a", "/var/a/b c", "/var/a/b c/d", "/var/ab"} {
		m.write(dir+"/.keep", "")
		mount(t, m.at(dir), "")
	}
	busy, err := os.Open(m.at("/var/a/b c"))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	m.write("/var/a/mark", "")
	m.do(host, hosts.Unmount{Below: "/var/a"})
	if !m.has("/var/a/mark") || !m.has("/var/a/b c/.keep") {
		t.Error("what is mounted at the path itself was touched, or something below it was not")
	}
	if err := syscall.Unmount(m.at("/var/ab"), 0); err != nil {
		t.Errorf("a neighbour was unmounted: %v", err)
	}
}

// mount puts an empty file system of a size at a path, until the test ends.
func mount(t *testing.T, path, size string) {
	t.Helper()
	options := "mode=755"
	if size != "" {
		options += ",size=" + size
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(path, syscall.MNT_DETACH) })
}

func TestFullDiskChangesNothing(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	write := m.writeFile(host, "/etc/small/file", big, 0o600)
	mount(t, m.at("/etc/small"), "64k")
	m.write("/etc/small/file", "before")
	err := m.fails(host, write)
	if err.Kind != hosts.KindDiskFull || !strings.Contains(err.Fix, "MiB") {
		t.Errorf("a full disk is told as %q, %v, fix %q", err.Kind, err, err.Fix)
	}
	if m.read("/etc/small/file") != "before" {
		t.Error("the file is not as it was")
	}
	if entries, _ := os.ReadDir(m.at("/etc/small")); len(entries) != 1 {
		t.Errorf("left are %v", entries)
	}
}

func TestFullDiskDoesNotStopRemoval(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	mount(t, m.at("/var/lib/slipway"), "128k")
	m.do(host, m.writeFile(host, "/var/lib/slipway/ballast", "x", 0o600))
	fill, err := os.Create(m.at("/var/lib/slipway/fill"))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := fill.Write(make([]byte, 4096)); err != nil {
			break
		}
	}
	fill.Close()
	m.once(host, hosts.RemovePath{Path: "/var/lib/slipway/fill"}, hosts.Changed)
}

func TestUploadRefusesWhatCannotFit(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	mount(t, m.at("/var/lib/slipway"), "64k")
	blob := hosttest.Content(make([]byte, 1<<20))
	err := host.Upload(t.Context(), []hosts.Blob{blob}, nil)
	var known *hosts.Error
	if !asError(err, &known) || known.Kind != hosts.KindDiskFull || known.Fix == "" {
		t.Fatalf("an upload that cannot fit ends with %v", err)
	}
	has, err := host.Has(t.Context(), []string{blob.Ref})
	if err != nil || len(has) > 0 {
		t.Errorf("the store has %v, %v", has, err)
	}
}

func TestDigestCacheSeesEveryChange(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	content := strings.Repeat("a", 1<<20)
	m.do(host, m.writeFile(host, "/bin/tool", content, 0o755))
	query := hosts.Query{Paths: []string{"/bin/tool"}}
	first := m.observe(host, query).Files["/bin/tool"].Digest
	info, err := os.Stat(m.at("/bin/tool"))
	if err != nil {
		t.Fatal(err)
	}
	changed := []byte(content)
	changed[1<<19] = 'b'
	if err := os.WriteFile(m.at("/bin/tool"), changed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(m.at("/bin/tool"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	want := hosttest.Content(changed).Ref
	if got := m.observe(host, query).Files["/bin/tool"].Digest; got != want || got == first {
		t.Errorf("after a change that keeps size and time the digest is %s, want %s", got, want)
	}
	if got := m.observe(m.host(), query).Files["/bin/tool"].Digest; got != want {
		t.Errorf("another process sees %s, want %s", got, want)
	}
}

func TestJournalHasBothEnds(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.once(host, hosts.TakeLease{Holder: "me@operator"}, hosts.Changed)
	m.once(host, hosts.MakeDirectory{Path: "/etc/a", Mode: 0o755}, hosts.Changed)
	m.write("/etc/b/file", "")
	m.fails(host, hosts.RemovePath{Path: "/etc/b"})
	m.systemd.units["x.service"] = unit("loaded", "inactive", "disabled", "")
	m.systemd.failing["x.service"] = os.ErrDeadlineExceeded
	m.fails(host, hosts.SetUnit{Name: "x.service", Active: true})
	lines := strings.Split(strings.TrimSpace(m.read("/var/lib/slipway/journal.jsonl")), "\n")
	var seen []string
	for _, line := range lines {
		entry := decodeLine(t, line)
		if entry["who"] != "me@operator" || entry["time"] == "" || entry["id"] == "" {
			t.Errorf("line %s lacks who, when or id", line)
		}
		seen = append(seen, strings.TrimSpace(entry["mark"]+" "+entry["deed"]+" "+entry["outcome"]))
	}
	want := []string{
		"begin make directory /etc/a", "end make directory /etc/a changed",
		"begin set unit x.service", "end set unit x.service failed",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("the journal says %q, want %q", seen, want)
	}
	if info, err := os.Stat(m.at("/var/lib/slipway/journal.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the journal's mode: %v, %v", info, err)
	}
}
