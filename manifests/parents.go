package manifests

import (
	"path"
	"slices"
)

// Parents are the directories on the way to all that the state puts on its host, but those
// that it names itself: what is missing of them is made. The root directory is none.
func (s HostState) Parents() []string {
	var places []string
	for _, directory := range s.Directories {
		places = append(places, directory.Path)
	}
	own := slices.Clone(places)
	for _, file := range s.Files {
		places = append(places, file.Path)
	}
	for _, link := range s.Links {
		places = append(places, link.Path)
	}
	for _, set := range s.Sets {
		for _, file := range set.Files {
			places = append(places, file.Path)
		}
	}
	return slices.DeleteFunc(ParentsOf(places), func(parent string) bool { return slices.Contains(own, parent) })
}

// ParentsOf are the directories on the way to paths, each once and in their order, but the
// root directory.
func ParentsOf(paths []string) []string {
	known := map[string]bool{"/": true, ".": true}
	var parents []string
	for _, file := range paths {
		for at := path.Dir(file); !known[at]; at = path.Dir(at) {
			known[at] = true
			parents = append(parents, at)
		}
	}
	slices.Sort(parents)
	return parents
}
