package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "state", "slipway"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mintPKI(t *testing.T) certs.PKI {
	t.Helper()
	pki, err := mint.PKI("ECDSA-P256", 24*time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	return pki
}

func mintLeaf(t *testing.T, pki certs.PKI, name string) certs.Leaf {
	t.Helper()
	leaf, err := mint.Leaf(pki, certs.Spec{Name: name, Authority: certs.Kubernetes, CommonName: "someone",
		Usages: []certs.Usage{certs.ClientAuth}, KeyAlgorithm: "ECDSA-P256"}, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func create(t *testing.T, s *Store, name string, pki certs.PKI) *Folder {
	t.Helper()
	folder, err := s.Create(name, pki)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// same compares what certs.PKI does not print.
func same(t *testing.T, folder *Folder, want certs.PKI) {
	t.Helper()
	got, err := folder.PKI()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the PKI read is not the one kept:\n%s", diff)
	}
}

func TestWhatIsCreatedIsLoaded(t *testing.T) {
	s, pki := open(t), mintPKI(t)
	id, _ := certs.ID(pki)
	folder := create(t, s, "demo", pki)
	if folder.Name() != "demo" || folder.ID() != id || filepath.Base(folder.Path()) != "demo-"+id[:12] {
		t.Errorf("the folder is %s of %s at %s", folder.ID(), folder.Name(), folder.Path())
	}
	same(t, folder, pki)
	// By another process, so to speak: nothing may live in memory.
	again, err := Open(s.root)
	if err != nil {
		t.Fatal(err)
	}
	for name, load := range map[string]func() (*Folder, error){
		"by name": func() (*Folder, error) { return again.Load("demo") },
		"by ID":   func() (*Folder, error) { return again.LoadID(id) },
	} {
		folder, err := load()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, folder, pki)
	}
}

func TestNothingIsForOthers(t *testing.T) {
	s, pki := open(t), mintPKI(t)
	folder := create(t, s, "demo", pki)
	if err := folder.SaveLeaves("cp-1", mintLeaf(t, pki, certs.EtcdPeer)); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(s.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		if strings.HasPrefix(entry.Name(), ".new-") {
			t.Errorf("%s was left behind", path)
		}
		return nil
	})
	if err != nil || files < 12 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestNotFound(t *testing.T) {
	s := open(t)
	other := create(t, s, "other", mintPKI(t))
	for name, load := range map[string]func() (*Folder, error){
		"a name":             func() (*Folder, error) { return s.Load("demo") },
		"an ID":              func() (*Folder, error) { return s.LoadID(strings.Repeat("0", 64)) },
		"half of another's":  func() (*Folder, error) { return s.LoadID(other.ID()[:32]) },
		"none at all by ID ": func() (*Folder, error) { return s.LoadID("") },
	} {
		if _, err := load(); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all, err := open(t).list(); err != nil || len(all) != 0 {
		t.Errorf("an empty store lists %v, %v", all, err)
	}
}

func TestNamesDoNotLeadOutOfTheStore(t *testing.T) {
	s, pki := open(t), mintPKI(t)
	folder := create(t, s, "demo", pki)
	for _, name := range []string{"", ".", "..", "../x", "a/b", ".hidden", "a\x00b", "a\nb"} {
		if _, err := s.Create(name, pki); err == nil {
			t.Errorf("created %q", name)
		}
		if _, err := s.Load(name); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("load %q: %v", name, err)
		}
		if err := folder.SaveLeaves(name, mintLeaf(t, pki, certs.Admin)); err == nil {
			t.Errorf("kept a leaf for %q", name)
		}
		if err := folder.DropLeaves(name); err == nil {
			t.Errorf("dropped the leaves of %q", name)
		}
		if err := folder.MarkJoined(name); err == nil || folder.Joined(name) {
			t.Errorf("noted that %q has joined", name)
		}
		if err := folder.MarkBegun(name); err == nil || folder.Begun(name) {
			t.Errorf("noted that etcd has begun on %q", name)
		}
	}
	if err := folder.SaveLeaves("cp-1", mintLeaf(t, pki, "../../x")); err == nil {
		t.Error("kept a leaf that is not in the catalogue")
	}
}

// Two clusters called the same: the name means the one that was used last.
func TestTwoClustersOfOneName(t *testing.T) {
	s, first, second := open(t), mintPKI(t), mintPKI(t)
	one, two := create(t, s, "demo", first), create(t, s, "demo", second)
	if one.ID() == two.ID() {
		t.Fatal("two clusters have one ID")
	}
	loaded := func(want *Folder) {
		t.Helper()
		got, err := s.Load("demo")
		if err != nil || got.ID() != want.ID() {
			t.Errorf("the name means %v, %v; want %s", got, err, want.ID())
		}
	}
	loaded(two)
	if got, err := s.LoadID(one.ID()); err != nil || got.ID() != one.ID() {
		t.Fatalf("the first by its ID: %v, %v", got, err)
	}
	loaded(two)                 // an ID that was asked for says nothing of what the name means
	create(t, s, "demo", first) // again: nothing new but what the name means
	loaded(one)
	if _, err := s.Restore("demo", second); err != nil {
		t.Fatal(err)
	}
	loaded(one)
	create(t, s, "demo", second)
	loaded(two)
	all, err := s.list()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b *Folder) int { return strings.Compare(a.ID(), b.ID()) })
	want := []*Folder{one, two}
	slices.SortFunc(want, func(a, b *Folder) int { return strings.Compare(a.ID(), b.ID()) })
	if diff := cmp.Diff(want, all, cmp.AllowUnexported(Folder{}, Store{})); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	// Without the note of which is meant there is no guessing …
	if err := os.Remove(filepath.Join(s.root, "current", "demo")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load("demo"); err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "2 clusters have this name") {
		t.Errorf("got %v", err)
	}
	// … unless there is only one.
	if err := one.Remove(); err != nil {
		t.Fatal(err)
	}
	loaded(two)
}

// TestNamesOfFiles: a cluster may be called as a file of its folder is.
func TestNamesOfFiles(t *testing.T) {
	s, pki := open(t), mintPKI(t)
	for _, name := range []string{"cluster", "secret", "pki", "current", "runs"} {
		made := create(t, s, name, pki)
		found, err := s.Load(name)
		if err != nil || found.ID() != made.ID() {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		if err := made.Remove(); err != nil {
			t.Error(err)
		}
	}
}

// What is kept under one name is never found or kept under another.
func TestANameDoesNotLeadToAnothersCluster(t *testing.T) {
	s, pki := open(t), mintPKI(t)
	folder := create(t, s, "prod", pki)
	if err := os.WriteFile(filepath.Join(s.root, "current", "demo"), []byte(folder.ID()), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load("demo"); !errors.Is(err, ErrNotFound) {
		t.Errorf("demo means %v, %v", got, err)
	}
	for deed, keep := range map[string]func(string, certs.PKI) (*Folder, error){"create": s.Create, "restore": s.Restore} {
		var other *OtherName
		if _, err := keep("demo", pki); !errors.As(err, &other) || other.Name != "prod" || other.Asked != "demo" {
			t.Errorf("%s: %v", deed, err)
		}
	}
	if got, err := s.LoadID(folder.ID()); err != nil || got.Name() != "prod" {
		t.Errorf("by its ID: %v, %v", got, err)
	}
}

func TestWhatIsRestoredIsCalledByItsName(t *testing.T) {
	s, pki := open(t), mintPKI(t)
	folder, err := s.Restore("demo", pki)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load("demo"); err != nil || got.ID() != folder.ID() {
		t.Errorf("the name means %v, %v", got, err)
	}
}

func TestLeaves(t *testing.T) {
	s, pki := open(t), mintPKI(t)
	folder := create(t, s, "demo", pki)
	if _, ok, err := folder.Leaf("cp-1", certs.EtcdPeer); ok || err != nil {
		t.Errorf("a leaf before there is one: %v, %v", ok, err)
	}
	peer, admin := mintLeaf(t, pki, certs.EtcdPeer), mintLeaf(t, pki, certs.Admin)
	if err := folder.SaveLeaves("cp-1", peer, admin); err != nil {
		t.Fatal(err)
	}
	for _, want := range []certs.Leaf{peer, admin} {
		got, ok, err := folder.Leaf("cp-1", want.Name)
		if !ok || err != nil || !bytes.Equal(got.Cert, want.Cert) || !bytes.Equal(got.Key, want.Key) || got.Name != want.Name {
			t.Errorf("%s: read otherwise than kept (%v, %v)", want.Name, ok, err)
		}
	}
	if _, ok, _ := folder.Leaf("cp-2", certs.EtcdPeer); ok {
		t.Error("another host has cp-1's certificate")
	}
	newer := mintLeaf(t, pki, certs.EtcdPeer)
	if err := folder.SaveLeaves("cp-1", newer); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := folder.Leaf("cp-1", certs.EtcdPeer); !bytes.Equal(got.Cert, newer.Cert) {
		t.Error("the old certificate is still there")
	}
	if folder.Joined("cp-1") {
		t.Error("a host has joined of which nobody said so")
	}
	if err := folder.MarkJoined("cp-1"); err != nil || !folder.Joined("cp-1") || folder.Joined("cp-2") {
		t.Errorf("noted that cp-1 has joined: %v; cp-1 %v, cp-2 %v", err, folder.Joined("cp-1"), folder.Joined("cp-2"))
	}
	if joined, err := folder.AllJoined(); err != nil || !slices.Equal(joined, []string{"cp-1"}) {
		t.Errorf("all that have joined: %v, %v", joined, err)
	}
	if err := folder.MarkBegun("cp-1"); err != nil || !folder.Begun("cp-1") || folder.Begun("cp-2") {
		t.Errorf("noted that etcd has begun on cp-1: %v; cp-1 %v, cp-2 %v", err, folder.Begun("cp-1"), folder.Begun("cp-2"))
	}
	if why, kept := folder.Kept(); kept || why != "" {
		t.Errorf("the keys are kept of which nobody said so: %s", why)
	}
	for _, why := range []string{"others may run", "a later reason"} {
		if err := folder.MarkKept(why); err != nil {
			t.Fatal(err)
		}
		if noted, kept := folder.Kept(); !kept || noted != "others may run" {
			t.Errorf("the keys are kept %v: %q", kept, noted)
		}
	}
	for range 2 { // the second time there is none
		if err := folder.DropKept(); err != nil {
			t.Error(err)
		}
		if why, kept := folder.Kept(); kept {
			t.Errorf("the keys are still kept: %s", why)
		}
	}
	if err := folder.DropLeaves("cp-1"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := folder.Leaf("cp-1", certs.Admin); ok || err != nil {
		t.Errorf("a dropped leaf: %v, %v", ok, err)
	}
	if folder.Joined("cp-1") || folder.Begun("cp-1") {
		t.Error("a host that has left has still joined, or begun etcd")
	}
}

// TestKeysThatAreKeptForNobodyKnowsWhat: a note without a reason, or one that cannot be read, is a
// note all the same, and a reason is added as soon as there is one.
func TestKeysThatAreKeptForNobodyKnowsWhat(t *testing.T) {
	for name, note := range map[string]func(path string) error{
		"the note is empty":       func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"the note has no word":    func(path string) error { return os.WriteFile(path, []byte("\n"), 0o600) },
		"the note cannot be read": func(path string) error { return os.Symlink(filepath.Base(path), path) },
	} {
		t.Run(name, func(t *testing.T) {
			folder := create(t, open(t), "demo", mintPKI(t))
			if err := note(filepath.Join(folder.Path(), "kept")); err != nil {
				t.Fatal(err)
			}
			if why, kept := folder.Kept(); !kept || why != "the reason was not noted" {
				t.Errorf("the keys are kept %v: %q", kept, why)
			}
			for _, why := range []string{"others may run", "a later reason"} {
				if err := folder.MarkKept(why); err != nil {
					t.Fatal(err)
				}
			}
			if why, kept := folder.Kept(); !kept || why != "others may run" {
				t.Errorf("the keys are kept %v: %q", kept, why)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	s := open(t)
	gone, stays := create(t, s, "demo", mintPKI(t)), create(t, s, "other", mintPKI(t))
	if err := gone.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load("demo"); !errors.Is(err, ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
	if err := gone.Remove(); err != nil {
		t.Errorf("removed again: %v", err)
	}
	if got, err := s.Load("other"); err != nil || got.ID() != stays.ID() {
		t.Errorf("the other is gone: %v", err)
	}
	entries, err := os.ReadDir(s.root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := []string{".lock", "current", filepath.Base(stays.Path())}; !slices.Equal(names, want) {
		t.Errorf("left: %v, want %v", names, want)
	}
}

func TestAPKIThatIsNotWholeIsNotKept(t *testing.T) {
	s, pki := open(t), mintPKI(t)
	pki.EtcdCA.Key = nil
	if _, err := s.Create("demo", pki); err == nil {
		t.Error("kept a PKI without etcd's CA key")
	}
	if all, _ := s.list(); len(all) != 0 {
		t.Errorf("something was kept: %v", all)
	}
}

func TestDefaultRoot(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	for state, want := range map[string]string{"/state": "/state/slipway", "": "/home/me/.local/state/slipway", "relative": "/home/me/.local/state/slipway"} {
		t.Setenv("XDG_STATE_HOME", state)
		if got, err := DefaultRoot(); err != nil || got != want {
			t.Errorf("XDG_STATE_HOME=%q: %s, %v", state, got, err)
		}
	}
}

// Many at once, each with a view of its own, as processes have.
func TestManyAtOnce(t *testing.T) {
	root := open(t).root
	pki := mintPKI(t)
	leaves := []certs.Leaf{mintLeaf(t, pki, certs.Admin), mintLeaf(t, pki, certs.Admin)}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			s, err := Open(root)
			if err != nil {
				t.Error(err)
				return
			}
			folder, err := s.Create("demo", pki)
			if err != nil {
				t.Error(err)
				return
			}
			if err := folder.SaveLeaves("cp-1", leaves[i%2]); err != nil {
				t.Error(err)
			}
			if err := folder.SaveLeaves(fmt.Sprintf("worker-%d", i), leaves[i%2]); err != nil {
				t.Error(err)
			}
			if leaf, ok, err := folder.Leaf("cp-1", certs.Admin); !ok || err != nil || leaf.Check() != nil {
				t.Errorf("a torn leaf: %v, %v", ok, err)
			}
			if _, err := folder.PKI(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if all, err := (&Store{root}).list(); err != nil || len(all) != 1 {
		t.Errorf("%d clusters, %v", len(all), err)
	}
}
