package manifests

import (
	"path"
	"slices"
)

// Parents are the directories on the way to all that the state puts on its host, but those
// that it names itself: what is missing of them is made. The root directory is none.
func (s HostState) Parents() []string {
	return slices.DeleteFunc(ParentsOf(s.Paths()), func(parent string) bool {
		return slices.ContainsFunc(s.Directories, func(own Directory) bool { return own.Path == parent })
	})
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
