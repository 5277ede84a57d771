//go:build linux

package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// intruder is a context whose holder is asked, before each single step of a removal, whether
// it is to go on: at the one of this number somebody else is faster.
type intruder struct {
	context.Context
	at   int
	mu   sync.Mutex
	seen int
	act  func()
}

func (i *intruder) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.seen++; i.seen == i.at {
		i.act()
	}
	return i.Context.Err()
}

// TestRemovalIsNotLedElsewhere swaps a directory of a tree for a way to somebody else's
// files, before each step of the tree's removal.
func TestRemovalIsNotLedElsewhere(t *testing.T) {
	ways := map[string]func(t *testing.T, m *machine){
		"a link": func(t *testing.T, m *machine) {
			if os.Rename(m.at("/var/tree/inner"), m.at("/aside")) == nil {
				_ = os.Symlink(m.at("/theirs"), m.at("/var/tree/inner"))
			}
		},
		"a link in place of the tree": func(t *testing.T, m *machine) {
			if os.Rename(m.at("/var/tree"), m.at("/aside")) == nil {
				_ = os.Symlink(m.at("/theirs-above"), m.at("/var/tree"))
			}
		},
		"a bind mount": func(t *testing.T, m *machine) {
			at := m.at("/var/tree/inner")
			if syscall.Mount(m.at("/theirs"), at, "", syscall.MS_BIND, "") == nil {
				t.Cleanup(func() { _ = syscall.Unmount(at, syscall.MNT_DETACH) })
			}
		},
	}
	for name, way := range ways {
		// The first step is before anything was looked at: a link that is there by then is an
		// administrator's, and its directory is emptied.
		for at := 2; ; at++ {
			m := newMachine(t)
			for i := range 3 {
				for _, dir := range []string{"/var/tree/inner", "/var/tree/inner/sub", "/theirs", "/theirs/sub", "/theirs-above/inner"} {
					m.write(fmt.Sprintf("%s/%d", dir, i), "x")
				}
			}
			before := m.stateOf("/theirs")
			above := m.stateOf("/theirs-above")
			ctx := &intruder{Context: t.Context(), at: at, act: func() { way(t, m) }}
			_, err := m.host().Do(ctx, hosts.RemovePath{Path: "/var/tree", Recursive: true}, nil)
			if after := m.stateOf("/theirs"); len(after) != len(before) {
				t.Errorf("%s at step %d: of theirs is left %v (%v)", name, at, after, err)
			}
			if after := m.stateOf("/theirs-above"); len(after) != len(above) {
				t.Errorf("%s at step %d: of theirs is left %v (%v)", name, at, after, err)
			}
			if ctx.seen < at {
				break // the removal had fewer steps
			}
		}
	}
}

// TestRemovalOfADeepTree: a tenant can make one that is deeper than a process may have files.
func TestRemovalOfADeepTree(t *testing.T) {
	m := newMachine(t)
	m.write("/var/tree/.slipway-1/x", "a name that the removal may want")
	deep := m.at("/var/tree")
	for range 700 {
		deep = filepath.Join(deep, "d")
	}
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = 300
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) }()
	m.do(m.host(), hosts.RemovePath{Path: "/var/tree", Recursive: true})
}

func TestRemovalOfAFullDirectory(t *testing.T) {
	m := newMachine(t)
	for i := range 3000 {
		m.write(fmt.Sprintf("/var/tree/%d", i), "")
	}
	m.do(m.host(), hosts.RemovePath{Path: "/var/tree", Recursive: true})
}

// TestRemovalTellsThatItMoves: who waits for it gives up what does not.
func TestRemovalTellsThatItMoves(t *testing.T) {
	const some = 50
	for name, action := range map[string]hosts.Action{
		"a tree":           hosts.RemovePath{Path: "/var/tree", Recursive: true},
		"what a link has":  hosts.RemovePath{Path: "/var/link", Recursive: true},
		"the store":        hosts.TidyStore{},
		"all of Slipway's": hosts.Forget{},
	} {
		m := newMachine(t)
		for i := range some {
			m.write(fmt.Sprintf("/var/tree/%d/x", i), "")
			m.write(fmt.Sprintf("/data/%d/x", i), "")
			m.write(fmt.Sprintf("/var/lib/slipway/store/sha256/%d", i), "")
		}
		if err := os.Symlink("../data", m.at("/var/link")); err != nil {
			t.Fatal(err)
		}
		var last hosts.Progress
		if _, err := m.host().Do(t.Context(), action, func(p hosts.Progress) { last = p }); err != nil {
			t.Fatal(err)
		}
		if last.Done < some {
			t.Errorf("%s: the last that is told is %+v", name, last)
		}
	}
}

// TestLinksThatOthersCanChange: root follows an administrator's link on the way to a path,
// and none that somebody else may lead anywhere.
func TestLinksThatOthersCanChange(t *testing.T) {
	deeds := map[string]func(m *machine, host hosts.Host, under string) hosts.Action{
		"write": func(m *machine, host hosts.Host, under string) hosts.Action {
			return m.writeFile(host, under+"/file", "x", 0o600)
		},
		"write below": func(m *machine, host hosts.Host, under string) hosts.Action {
			return m.writeFile(host, under+"/a/b/file", "x", 0o600)
		},
		"directory": func(_ *machine, _ hosts.Host, under string) hosts.Action {
			return hosts.MakeDirectory{Path: under + "/dir", Mode: 0o700}
		},
		"the directory itself": func(_ *machine, _ hosts.Host, under string) hosts.Action {
			return hosts.MakeDirectory{Path: under, Mode: 0o711}
		},
		"link": func(_ *machine, _ hosts.Host, under string) hosts.Action {
			return hosts.MakeSymlink{Path: under + "/link", Target: "x"}
		},
		"remove": func(_ *machine, _ hosts.Host, under string) hosts.Action {
			return hosts.RemovePath{Path: under + "/theirs"}
		},
		"remove a tree": func(_ *machine, _ hosts.Host, under string) hosts.Action {
			return hosts.RemovePath{Path: under + "/tree", Recursive: true}
		},
		"empty a link's target": func(_ *machine, _ hosts.Host, under string) hosts.Action {
			return hosts.RemovePath{Path: under, Recursive: true}
		},
	}
	modes := map[os.FileMode]bool{0o755: true, 0o777 | os.ModeSticky: true, 0o777: false, 0o757: false}
	for name, deed := range deeds {
		for mode, follows := range modes {
			m := newMachine(t)
			host := m.host()
			m.write("/data/theirs", "x")
			m.write("/data/tree/theirs", "x")
			m.write("/srv/app/.keep", "")
			if err := os.Symlink("../../data", m.at("/srv/app/link")); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(m.at("/srv/app"), mode); err != nil {
				t.Fatal(err)
			}
			action := deed(m, host, "/srv/app/link")
			if follows {
				m.once(host, action, hosts.Changed)
				continue
			}
			before := m.stateOf("/data")
			err := m.fails(host, action)
			if !strings.Contains(err.Error(), "/srv/app/link is a link") || len(m.stateOf("/data")) != len(before) {
				t.Errorf("%s through a folder of mode %v: %v, and there is %v", name, mode, err, m.stateOf("/data"))
			}
		}
	}
}

// TestModesAreNotInherited: what is made has the mode that was asked for, and what is made
// on the way 0755, whatever umask the login shell's start file set.
func TestModesAreNotInherited(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	m := newMachine(t)
	host := m.host()
	blob := layer(t, map[string]string{"tool": "content"})
	m.upload(host, blob)
	m.write("/theirs/x", "") // made with 0700 before us
	for _, action := range []hosts.Action{
		m.writeFile(host, "/made/by/write/file", "x", 0o644),
		hosts.MakeDirectory{Path: "/made/by/directory/dir", Mode: 0o755},
		hosts.MakeSymlink{Path: "/made/by/link/link", Target: "x"},
		hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{unpackFile("/made/by/unpack/tool", blob, "tool", "content")}},
		m.writeFile(host, "/theirs/ours/file", "x", 0o644),
	} {
		m.do(host, action)
	}
	want := map[string]os.FileMode{
		"/made": 0o755, "/made/by": 0o755, "/made/by/write": 0o755, "/made/by/directory": 0o755,
		"/made/by/directory/dir": 0o755, "/made/by/link": 0o755, "/made/by/unpack": 0o755,
		"/made/by/write/file": 0o644, "/made/by/unpack/tool": 0o755,
		"/theirs": 0o700, "/theirs/ours": 0o755, "/theirs/ours/file": 0o644,
		"/var/lib/slipway": 0o700, "/run/slipway": 0o755,
	}
	for path, mode := range want {
		info, err := os.Stat(m.at(path))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), mode)
		}
	}
}
