package hosttest

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// keptVersions is where versions are kept; it goes when the machine is forgotten. The rest of Slipway's
// own folder, such as the agent, the tests look after.
var keptVersions = path.Dir(hosts.KeptFolder("x"))

func keptIndex(before string) string { return hosts.KeptFolder(before) + "/kept.json" }

// putOwn puts a file into Slipway's own folder, of which the record says nothing.
func (f *Fake) putOwn(name string, n *node) {
	f.makeParents(name)
	f.files[name] = n
}

func (f *Fake) keepVersion(a hosts.KeepVersion) (string, error) {
	if err := a.Check(); err != nil {
		return "", err
	}
	if f.files[keptIndex(a.Before)] != nil {
		return "", nil
	}
	kept := hosts.Kept{Before: a.Before, Version: a.Version, At: f.now().UTC(), Paths: []hosts.KeptPath{}, Images: a.Images, Folders: a.Folders}
	for _, name := range a.Paths {
		if err := checkPath(name); err != nil {
			return "", err
		}
		n := f.files[name]
		if n == nil {
			kept.Paths = append(kept.Paths, hosts.KeptPath{Path: name, Absent: true})
			continue
		}
		if n.Type != hosts.TypeFile && n.Type != hosts.TypeSymlink {
			return "", fmt.Errorf("look at %s: it is a %s: only files and links are kept", name, n.Type)
		}
		if owned, _ := f.record.OwnedAt(name); strings.HasPrefix(owned.Digest, "secret:") {
			return "", fmt.Errorf("%s was written as a secret", name)
		}
		kept.Paths = append(kept.Paths, hosts.KeptPath{
			Path: name, Type: n.Type, Mode: n.Mode, UID: n.UID, GID: n.GID, Size: n.Size, Digest: n.Digest, Target: n.Target,
		})
	}
	index, err := json.Marshal(kept)
	if err != nil {
		return "", err
	}
	for _, file := range kept.Paths {
		if file.Type == hosts.TypeFile {
			content := *f.files[file.Path]
			content.Mode, content.UID, content.GID = 0o600, 0, 0
			f.putOwn(hosts.KeptContent(a.Before, file.Digest), &content)
		}
	}
	f.putOwn(keptIndex(a.Before), fileNode(index, 0o600, 0, 0))
	return fmt.Sprintf("%d paths", len(kept.Paths)), nil
}

// keptContent finds content that is kept.
func (f *Fake) keptContent(before, digest string) (*node, error) {
	if err := hosts.CheckBefore(before); err != nil {
		return nil, err
	}
	n := f.files[hosts.KeptContent(before, digest)]
	if n == nil || n.Digest != digest {
		return nil, fmt.Errorf("content %s is not kept of what was in force before %s", digest, before)
	}
	return n, nil
}

func (f *Fake) forgetVersion(a hosts.ForgetVersion) (string, error) {
	if err := hosts.CheckBefore(a.Before); err != nil {
		return "", err
	}
	if f.files[keptIndex(a.Before)] == nil {
		return "", nil
	}
	f.removeBelow(hosts.KeptFolder(a.Before))
	return "what was kept", nil
}

// removeBelow removes a path and all below it.
func (f *Fake) removeBelow(dir string) {
	for _, name := range append(f.below(dir), dir) {
		delete(f.files, name)
	}
}

func (f *Fake) observeKept(facts *hosts.Facts) {
	facts.Kept, facts.KeptBroken = nil, nil
	for _, name := range f.below(keptVersions) {
		if path.Base(name) != "kept.json" {
			continue
		}
		var kept hosts.Kept
		before := path.Base(path.Dir(name))
		err := json.Unmarshal(f.files[name].content, &kept)
		if err == nil {
			err = kept.Check(before)
		}
		if err != nil {
			if facts.KeptBroken == nil {
				facts.KeptBroken = map[string]string{}
			}
			facts.KeptBroken[before] = err.Error()
			continue
		}
		facts.Kept = append(facts.Kept, kept)
	}
	slices.SortStableFunc(facts.Kept, func(a, b hosts.Kept) int { return a.At.Compare(b.At) })
}
