package hosttest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// node is what lies at a path of a Fake.
type node struct {
	hosts.File
	content []byte // nil for a file that only its digest is known of
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func fileNode(content []byte, mode uint32, uid, gid int) *node {
	return &node{content: content, File: hosts.File{
		Type: hosts.TypeFile, Mode: mode, UID: uid, GID: gid, Size: int64(len(content)), Digest: digest(content),
	}}
}

func directoryNode(mode uint32, uid, gid int) *node {
	return &node{File: hosts.File{Type: hosts.TypeDirectory, Mode: mode, UID: uid, GID: gid}}
}

// PutFile puts a file on the machine that Slipway knows nothing of.
func (f *Fake) PutFile(name string, content []byte, mode uint32) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.makeParents(name)
	f.files[name] = fileNode(slices.Clone(content), mode, 0, 0)
}

// Rename moves a file as another program than Slipway does, which notes nothing.
func (f *Fake) Rename(from, to string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.files[to] = f.files[from]
	delete(f.files, from)
}

// Lose removes a path and all below it, as when a disk is gone.
func (f *Fake) Lose(name string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	maps.DeleteFunc(f.files, func(path string, _ *node) bool { return path == name || strings.HasPrefix(path, name+"/") })
}

// ReadFile gives a file's content and mode; ok is false where there is none.
func (f *Fake) ReadFile(name string) (content []byte, mode uint32, ok bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	n := f.files[name]
	if n == nil || n.Type != hosts.TypeFile {
		return nil, 0, false
	}
	return slices.Clone(n.content), n.Mode, true
}

// Paths lists every path on the machine, sorted.
func (f *Fake) Paths() []string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return slices.Sorted(maps.Keys(f.files))
}

// makeParents makes the directories above a path and answers those that were missing.
func (f *Fake) makeParents(name string) []string {
	var made []string
	for dir := path.Dir(name); dir != "/" && f.files[dir] == nil; dir = path.Dir(dir) {
		f.files[dir] = directoryNode(0o755, 0, 0)
		made = append(made, dir)
	}
	slices.Reverse(made)
	return made
}

func checkPath(name string) error {
	if !path.IsAbs(name) || path.Clean(name) != name || name == "/" {
		return fmt.Errorf("the path %q is not a clean absolute one", name)
	}
	return nil
}

// blob gives the content that a ref names.
func (o *opened) blob(ref string) ([]byte, error) {
	if strings.HasPrefix(ref, "secret:") {
		if content, ok := o.secrets[ref]; ok {
			return content, nil
		}
		return nil, fmt.Errorf("secret content %s was not uploaded over this connection", ref)
	}
	if content, ok := o.machine.store[ref]; ok {
		return content, nil
	}
	return nil, fmt.Errorf("content %s is not in the host's store: it must be uploaded first", ref)
}

// contentDigest is the digest of what a ref names. Of content that is no secret, the ref has it.
func (o *opened) contentDigest(ref string) (string, error) {
	if strings.HasPrefix(ref, "sha256:") {
		return ref, nil
	}
	content, err := o.blob(ref)
	return digest(content), err
}

func (o *opened) writeFile(a hosts.WriteFile) (string, error) {
	f := o.machine
	if err := checkPath(a.Path); err != nil {
		return "", err
	}
	old := f.files[a.Path]
	if old != nil {
		if a.Seed {
			return "", nil
		}
		if old.Type == hosts.TypeDirectory {
			return "", errors.New("a directory is in its place")
		}
		want, err := o.contentDigest(a.Content)
		if err != nil {
			return "", err
		}
		if old.Type == hosts.TypeFile && old.Digest == want && old.Mode == a.Mode && old.UID == a.UID && old.GID == a.GID {
			return "", nil
		}
	}
	n, err := o.written(a)
	if err != nil {
		return "", err
	}
	owned := hosts.Owned{Path: a.Path, Type: hosts.TypeFile, Digest: a.Content}
	if a.Seed {
		owned.Digest = ""
	}
	f.replace(a.Path, n, owned)
	return "written", nil
}

// written is the file that is to be written: of content that was uploaded, or that the machine has kept.
func (o *opened) written(a hosts.WriteFile) (*node, error) {
	if a.Kept == "" {
		content, err := o.blob(a.Content)
		return fileNode(content, a.Mode, a.UID, a.GID), err
	}
	kept, err := o.machine.keptContent(a.Kept, a.Content)
	if err != nil {
		return nil, err
	}
	n := *kept
	n.Mode, n.UID, n.GID = a.Mode, a.UID, a.GID
	return &n, nil
}

// replace puts a node in place and notes it in the record, with what was there unless that was
// Slipway's.
func (f *Fake) replace(name string, n *node, owned hosts.Owned) {
	record := f.noted()
	old := f.files[name]
	_, ours := record.OwnedAt(name)
	if old != nil && !ours {
		f.noted().Remember(hosts.Prior{Setting: "file/" + name, Value: fmt.Sprintf("%s %04o", old.Type, old.Mode)})
		if f.backups[name] == nil {
			f.backups[name] = old
		}
	}
	for _, dir := range f.makeParents(name) {
		record.Own(hosts.Owned{Path: dir, Type: hosts.TypeDirectory})
	}
	if old == nil || owned.Type != hosts.TypeDirectory {
		record.Own(owned)
	}
	f.files[name] = n
}

func (f *Fake) makeDirectory(a hosts.MakeDirectory) (string, error) {
	if err := checkPath(a.Path); err != nil {
		return "", err
	}
	want := directoryNode(a.Mode, a.UID, a.GID)
	if old := f.files[a.Path]; old != nil {
		if old.Type != hosts.TypeDirectory {
			return "", fmt.Errorf("a %s is in its place", old.Type)
		}
		if old.File == want.File {
			return "", nil
		}
	}
	f.replace(a.Path, want, hosts.Owned{Path: a.Path, Type: hosts.TypeDirectory})
	return "made", nil
}

func (f *Fake) makeSymlink(a hosts.MakeSymlink) (string, error) {
	if err := checkPath(a.Path); err != nil {
		return "", err
	}
	if old := f.files[a.Path]; old != nil {
		switch {
		case a.Seed, old.Type == hosts.TypeSymlink && old.Target == a.Target:
			return "", nil
		case old.Type == hosts.TypeDirectory:
			return "", errors.New("a directory is in its place")
		}
	}
	link := &node{File: hosts.File{Type: hosts.TypeSymlink, Mode: 0o777, Target: a.Target}}
	f.replace(a.Path, link, hosts.Owned{Path: a.Path, Type: hosts.TypeSymlink, Target: a.Target})
	return "linked", nil
}

// below lists what lies below a directory.
func (f *Fake) below(dir string) []string {
	var found []string
	for name := range f.files {
		if strings.HasPrefix(name, dir+"/") {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

func (f *Fake) removePath(a hosts.RemovePath) (string, error) {
	if err := checkPath(a.Path); err != nil {
		return "", err
	}
	n := f.files[a.Path]
	if n == nil {
		return "", nil
	}
	inside := f.below(a.Path)
	switch {
	case a.Digest != "" && n.Digest != a.Digest:
		return "", errors.New("it was changed meanwhile")
	case len(inside) > 0 && a.Recursive:
		for _, mount := range f.mounts {
			if mount == a.Path || strings.HasPrefix(mount, a.Path+"/") {
				return "", fmt.Errorf("%s is mounted there and would be emptied: unmount it first", mount)
			}
		}
	case len(inside) > 0 && a.IfEmpty:
		return "", nil
	case len(inside) > 0:
		return "", fmt.Errorf("it is a directory that holds %s", inside[0])
	}
	f.noted()
	for _, name := range append(inside, a.Path) {
		delete(f.files, name)
		f.record.Disown(name, false)
		if path.Dir(name) == "/etc/systemd/system" {
			f.record.ForgetUnit(path.Base(name))
		}
		if name == containerdRoot {
			clear(f.images)
			clear(f.unpinned)
		}
	}
	return "removed " + string(n.Type), nil
}

func (f *Fake) unpack(a hosts.Unpack) (string, error) {
	var todo []hosts.UnpackFile
	for _, file := range a.Files {
		if err := checkPath(file.Path); err != nil {
			return "", err
		}
		if n := f.files[file.Path]; n == nil || n.File != unpacked(file).File {
			todo = append(todo, file)
		}
	}
	for _, file := range todo {
		if source := f.files[file.From]; file.From != "" && (source == nil || source.Digest != file.Digest) {
			return "", fmt.Errorf("copy %s to %s: it is not there", file.From, file.Path)
		}
		if _, ok := f.store[file.Layer]; !ok && file.Layer != "" {
			return "", fmt.Errorf("layer %s is not in the host's store: it must be uploaded first", file.Layer)
		}
	}
	for _, file := range todo {
		n := unpacked(file)
		f.replace(file.Path, n, hosts.Owned{Path: file.Path, Type: n.Type, Digest: n.Digest, Target: n.Target})
	}
	if len(todo) == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d files", len(todo)), nil
}

func unpacked(file hosts.UnpackFile) *node {
	if file.Target != "" {
		return &node{File: hosts.File{Type: hosts.TypeSymlink, Mode: 0o777, Target: file.Target}}
	}
	return &node{File: hosts.File{Type: hosts.TypeFile, Mode: file.Mode, Size: file.Size, Digest: file.Digest}}
}

// Chmod changes the mode of what lies at a path, as somebody else does it.
func (f *Fake) Chmod(name string, mode uint32) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if n := f.files[name]; n != nil {
		changed := *n
		changed.Mode = mode
		f.files[name] = &changed
	}
}
