package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// growth fetches packages until every library that the root's programs load is there.
type growth struct {
	debian    debian
	libraries string // the folder of shared libraries
	tree      *debTree
	packages  []debPackage // fetched so far
	parts     map[string]*selection
	moving    func(string)
}

// maxDepth bounds how far the packages' dependencies are followed for a library.
const maxDepth = 8

// grow starts at the parts' own packages and goes on to what they depend on, one level
// at a time, only for as long as a library is missing.
func (g *growth) grow(ctx context.Context) error {
	var names []string
	for _, part := range rootParts {
		names = append(names, part.packages...)
	}
	for range maxDepth {
		depends, err := g.fetch(ctx, names)
		if err != nil {
			return err
		}
		missing, err := g.selectParts()
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			return nil
		}
		if names = depends; len(names) == 0 {
			return fmt.Errorf("no package has %s", strings.Join(missing, ", "))
		}
	}
	return errors.New("the dependencies of the packages do not end")
}

// fetch adds the packages to the tree and answers what they depend on that is not there.
func (g *growth) fetch(ctx context.Context, names []string) ([]string, error) {
	packages, err := g.debian.resolve(ctx, names)
	if err != nil {
		return nil, err
	}
	if err := g.debian.fetch(ctx, packages, g.moving); err != nil {
		return nil, err
	}
	var depends []string
	for _, p := range packages {
		g.moving("unpacking " + p.Name)
		if err := g.tree.add(ctx, g.debian.path(p), p.Name); err != nil {
			return nil, err
		}
		more, err := g.debian.depends(ctx, p)
		if err != nil {
			return nil, err
		}
		depends = append(depends, more...)
	}
	g.packages = append(g.packages, packages...)
	sort.Slice(g.packages, func(i, j int) bool { return g.packages[i].Name < g.packages[j].Name })
	slices.Sort(depends)
	return slices.DeleteFunc(slices.Compact(depends), g.has), nil
}

// has says whether a package is there, or is one that never holds a library.
func (g *growth) has(name string) bool {
	return name == "debconf" || slices.ContainsFunc(g.packages, func(p debPackage) bool { return p.Name == name })
}

// selectParts chooses each part's files and tells which libraries are still missing.
func (g *growth) selectParts() (missing []string, err error) {
	g.parts = map[string]*selection{}
	for _, part := range rootParts {
		selected := g.tree.newSelection(g.libraries)
		if err := g.selectPart(part, selected); err != nil {
			return nil, err
		}
		g.parts[part.layer] = selected
		for name := range selected.missing {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing), nil
}

func (g *growth) selectPart(part rootPart, selected *selection) error {
	for _, name := range part.programs {
		found, err := g.tree.program(name)
		if err != nil {
			return err
		}
		if err := selected.add(found); err != nil {
			return err
		}
	}
	for _, extra := range part.extra {
		pattern := strings.ReplaceAll(extra, "{libraries}", selected.libraries)
		for name := range g.tree.nodes {
			if matched, err := path.Match(pattern, name); err != nil {
				return err
			} else if matched {
				if err := selected.add(name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// gather copies what was selected, and the licences of the packages it comes from, into
// a cache entry.
func (g *growth) gather(directory string) (debRoot, error) {
	root := debRoot{Parts: map[string][]debFile{}}
	first := map[string]bool{}
	sizes := map[string]int64{}
	for _, part := range rootParts {
		for _, name := range sortedKeys(g.parts[part.layer].paths) {
			if first[name] {
				root.Shared = append(root.Shared, name)
				continue
			}
			first[name] = true
			file, err := g.copyFile(name, directory)
			if err != nil {
				return root, err
			}
			sizes[file.Owner] += file.Size
			root.Parts[part.layer] = append(root.Parts[part.layer], file)
		}
		for _, name := range sortedKeys(part.links) {
			root.Parts[part.layer] = append(root.Parts[part.layer], debFile{Path: name, Owner: "iptables", Target: part.links[name]})
		}
	}
	for _, p := range g.packages {
		size, used := sizes[p.Name]
		if !used {
			continue
		}
		p.Size, p.License = size, debLicences[p.Name]
		root.Packages = append(root.Packages, p)
		if err := g.copyLicence(p.Name, directory); err != nil {
			return root, err
		}
	}
	return root, nil
}

func (g *growth) copyFile(name, directory string) (debFile, error) {
	node := g.tree.nodes[name]
	file := debFile{Path: name, Owner: node.owner, Mode: uint32(node.mode), Target: node.target}
	if node.target != "" {
		return file, nil
	}
	to := filepath.Join(directory, "files", filepath.FromSlash(name))
	if err := copyFile(filepath.Join(g.tree.scratch, filepath.FromSlash(name)), to); err != nil {
		return file, err
	}
	var err error
	file.Digest, file.Size, err = hashFile(to)
	return file, err
}

// copyLicence follows the links by which packages share one copyright file.
func (g *growth) copyLicence(owner, directory string) error {
	name := "usr/share/doc/" + owner
	if node := g.tree.nodes[name]; node.target != "" { // the whole folder is a link
		name = merged(path.Join("usr/share/doc", node.target))
	}
	name += "/copyright"
	for range maxLinks {
		node, found := g.tree.nodes[name]
		if !found {
			return nil
		}
		if node.target == "" {
			return copyFile(filepath.Join(g.tree.scratch, filepath.FromSlash(name)), filepath.Join(directory, "licences", owner, "copyright"))
		}
		name = merged(path.Join(path.Dir(name), node.target))
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fs.FileMode(0o644))
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
