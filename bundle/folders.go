package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ComponentsFolder holds, on a host, a folder for each version of each component: versions lie
// there beside each other. What is in force is outside of it: links into a version's folder, and
// copies out of it.
const ComponentsFolder = "/opt/slipway/components"

// digestLength is how many hex digits of its digest a folder has in its name.
const digestLength = 12

// Folder is where a component's files lie, by its version (where it has one) and by what they are:
// the same files give the same folder. The files' paths are those within it.
func Folder(component, version string, files []HostFile) string {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b HostFile) int { return strings.Compare(a.Path, b.Path) })
	sum := sha256.New()
	for _, file := range files {
		fmt.Fprintf(sum, "%s %s %o %s\n", file.Path, file.Digest, file.Mode, file.Target)
	}
	parts := slices.DeleteFunc([]string{component, version, hex.EncodeToString(sum.Sum(nil))[:digestLength]},
		func(part string) bool { return part == "" })
	return path.Join(ComponentsFolder, strings.Join(parts, "-"))
}

// Part is what a set has of one component: files with their paths in the component's folder.
type Part struct {
	Component, Version string
	Files              []HostFile
}

// Lead is what leads to the version of a component that is in force.
type Lead struct {
	Path      string // on the host
	Component string // in whose folder the file lies; empty for a link to what is in force itself
	File      string // in that folder; or the path on the host that the link points to
	Copy      bool   // it is a copy of the file and not a link to it
}

// NewSet makes a set of its parts, each in its folder, and of those leads for which there is a file;
// its layers are left to the caller. The files are in the order of their paths, for people and for
// diffs.
func NewSet(name string, parts []Part, leads []Lead) FileSet {
	set := FileSet{Name: name}
	folders := map[string]string{}
	for _, part := range parts {
		folder := Folder(part.Component, part.Version, part.Files)
		folders[part.Component] = folder
		for _, file := range part.Files {
			file.Path = path.Join(folder, file.Path)
			set.Files = append(set.Files, file)
		}
	}
	for _, lead := range leads {
		if file, found := set.lead(lead, folders[lead.Component]); found {
			set.Files = append(set.Files, file)
		}
	}
	slices.SortFunc(set.Files, func(a, b HostFile) int { return strings.Compare(a.Path, b.Path) })
	return set
}

func (s FileSet) lead(lead Lead, folder string) (HostFile, bool) {
	to := path.Join(folder, lead.File)
	at := slices.IndexFunc(s.Files, func(file HostFile) bool { return file.Path == to })
	if at < 0 {
		return HostFile{}, false
	}
	file := s.Files[at]
	if !lead.Copy {
		return HostFile{Path: lead.Path, Component: file.Component, Target: to}, true
	}
	return HostFile{Path: lead.Path, Component: file.Component, From: to, Digest: file.Digest, Size: file.Size, Mode: file.Mode}, true
}

// Staged tells whether a file lies in its version's own folder: it can be brought to a host at any
// time, since nothing uses it before what is in force leads there.
func (f HostFile) Staged() bool { return strings.HasPrefix(f.Path, ComponentsFolder+"/") }

// Folders are the versions' folders that the sets have files in, sorted.
func Folders(sets []FileSet) []string {
	var folders []string
	for _, set := range sets {
		for _, file := range set.Files {
			if folder, is := FolderOf(file.Path); is {
				folders = append(folders, folder)
			}
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// FolderOf is the version's folder that a path on a host lies in; false for any other path.
func FolderOf(file string) (folder string, is bool) {
	rest, below := strings.CutPrefix(file, ComponentsFolder+"/")
	name, _, _ := strings.Cut(rest, "/")
	return ComponentsFolder + "/" + name, below && name != ""
}
