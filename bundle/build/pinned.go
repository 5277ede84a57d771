package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// pinnedSet is bundle/components as one Kubernetes version is built of it. A component's own
// go.mod is of the default set. A folder beside the components, v1.36 or v1.36.1, is another
// set: it holds, as kube.mod and kube.sum, the modules of the components that differ. The
// sources are the same for all sets.
type pinnedSet struct {
	components string   // the folder bundle/components
	folders    []string // of the set, below it, the most particular first; none: the default
}

// Versions are the Kubernetes versions that bundle/components has a set for, the newest first.
func Versions(components string) ([]string, error) {
	sets, err := pinnedSets(components)
	if err != nil {
		return nil, err
	}
	var versions []string
	for version := range sets {
		versions = append(versions, version)
	}
	slices.SortFunc(versions, func(a, b string) int { return semver.Compare(b, a) })
	return versions, nil
}

// findSet finds the set of a Kubernetes version, v1.36.3, or of a folder, v1.36; none said is the
// default.
func findSet(components, kubernetes string) (pinnedSet, error) {
	if kubernetes == "" {
		return pinnedSet{components: components}, nil
	}
	sets, err := pinnedSets(components)
	if err != nil {
		return pinnedSet{}, err
	}
	for version, set := range sets {
		if version == kubernetes || len(set.folders) > 0 && set.folders[0] == kubernetes {
			return set, nil
		}
	}
	versions, err := Versions(components)
	return pinnedSet{}, errors.Join(err, fmt.Errorf("build Kubernetes %s: %s pins %s; name one of them", kubernetes, components, strings.Join(versions, ", ")))
}

// pinnedSets reads all sets, by the version of Kubernetes in them.
func pinnedSets(components string) (map[string]pinnedSet, error) {
	entries, err := os.ReadDir(components)
	if err != nil {
		return nil, fmt.Errorf("find the components' versions: %w", err)
	}
	sets := []pinnedSet{{components: components}}
	for _, entry := range entries {
		if entry.IsDir() && semver.IsValid(entry.Name()) {
			sets = append(sets, pinnedSet{components, foldersOf(entry.Name())})
		}
	}
	byVersion := map[string]pinnedSet{}
	for _, set := range sets {
		version, err := set.version("kube", kubernetesModule)
		if err != nil {
			return nil, fmt.Errorf("find the version of Kubernetes: %w", err)
		}
		byVersion[version] = set
	}
	return byVersion, nil
}

// foldersOf are the folders in which a set's modules are looked for: a patch version's own, then
// its minor's.
func foldersOf(name string) []string {
	if minor := semver.MajorMinor(name); minor != name {
		return []string{name, minor}
	}
	return []string{name}
}

// modules are the files that pin a component's modules: the set's where it has them, and else
// the component's own go.mod and go.sum.
func (s pinnedSet) modules(folder string) (mod, sum string, err error) {
	for _, below := range s.folders {
		mod = filepath.Join(s.components, below, folder+".mod")
		if _, err := os.Stat(mod); err == nil {
			return mod, strings.TrimSuffix(mod, ".mod") + ".sum", nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", "", err
		}
	}
	return filepath.Join(s.components, folder, "go.mod"), filepath.Join(s.components, folder, "go.sum"), nil
}

// version is the version at which a component's modules have another module.
func (s pinnedSet) version(folder, module string) (string, error) {
	path, _, err := s.modules(folder)
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		return "", err
	}
	for _, require := range file.Require {
		if require.Mod.Path == module {
			return require.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", path, module)
}
