package build

import (
	"archive/tar"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// debTree is what several Debian packages would put onto one file system, with /bin,
// /sbin, /lib and /lib64 merged into /usr. Paths have no leading slash.
type debTree struct {
	scratch string // where the content of the files lies, under the same paths
	nodes   map[string]debNode
}

// debNode is one file or link of a package.
type debNode struct {
	owner  string // package
	mode   fs.FileMode
	target string // of a symbolic link
}

// merged puts a path of a package to its place under /usr.
func merged(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	for _, top := range []string{"bin/", "sbin/", "lib/", "lib64/", "libx32/", "lib32/"} {
		if strings.HasPrefix(name, top) {
			return "usr/" + name
		}
	}
	return name
}

// add reads a package. dpkg-deb unpacks it to a tar; where things go is decided here.
func (t *debTree) add(ctx context.Context, file, owner string) (err error) {
	command := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", file)
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("unpack %s: %w", owner, err)
	}
	readErr := t.read(tar.NewReader(out), owner)
	_, drainErr := io.Copy(io.Discard, out) // else dpkg-deb waits for a reader
	if err := errors.Join(readErr, drainErr, command.Wait()); err != nil {
		return fmt.Errorf("unpack %s: %w", owner, err)
	}
	return nil
}

func (t *debTree) read(reader *tar.Reader, owner string) error {
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := merged(header.Name)
		switch header.Typeflag {
		case tar.TypeSymlink:
			t.nodes[name] = debNode{owner: owner, target: header.Linkname}
		case tar.TypeLink:
			t.nodes[name] = debNode{owner: owner, target: "/" + merged(header.Linkname)}
		case tar.TypeReg:
			if err := t.write(name, reader); err != nil {
				return err
			}
			t.nodes[name] = debNode{owner: owner, mode: header.FileInfo().Mode().Perm()}
		}
	}
}

func (t *debTree) write(name string, content io.Reader) (err error) {
	file := filepath.Join(t.scratch, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return errors.Join(err, out.Close())
}

// program finds a program of a package by its name.
func (t *debTree) program(name string) (string, error) {
	for _, folder := range []string{"usr/sbin/", "usr/bin/"} {
		if node, found := t.nodes[folder+name]; found && node.target == "" {
			return folder + name, nil
		}
	}
	return "", fmt.Errorf("no package that was fetched has a program %s", name)
}

// maxLinks is where a chain of symbolic links counts as a loop.
const maxLinks = 20

// selection is a set of paths of the tree that is complete: what its programs load is in
// it, and what its links point to.
type selection struct {
	tree      *debTree
	libraries string // the folder of shared libraries
	paths     map[string]bool
	missing   map[string]bool // shared libraries that no package so far has
}

func (t *debTree) newSelection(libraries string) *selection {
	return &selection{tree: t, libraries: libraries, paths: map[string]bool{}, missing: map[string]bool{}}
}

// add takes a path and, for a link, what it points to, and, for a program or a library,
// what its ELF header asks for.
func (s *selection) add(name string) error {
	for range maxLinks {
		node, found := s.tree.nodes[name]
		if !found {
			s.missing[name] = true
			return nil
		}
		if s.paths[name] {
			return nil
		}
		s.paths[name] = true
		if node.target == "" {
			return s.addNeeds(name)
		}
		if path.IsAbs(node.target) {
			name = merged(node.target)
		} else {
			name = merged(path.Join(path.Dir(name), node.target))
		}
	}
	return fmt.Errorf("follow %s: too many links", name)
}

func (s *selection) addNeeds(name string) error {
	file, err := elf.Open(filepath.Join(s.tree.scratch, filepath.FromSlash(name)))
	var notELF *elf.FormatError
	if errors.As(err, &notELF) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what %s loads: %w", name, err)
	}
	defer file.Close() //nolint:errcheck // only read from
	libraries, err := file.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("read what %s loads: %w", name, err)
	}
	for _, library := range libraries {
		if err := s.add(path.Join(s.libraries, library)); err != nil {
			return err
		}
	}
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_INTERP {
			continue
		}
		loader, err := io.ReadAll(segment.Open())
		if err != nil {
			return fmt.Errorf("read the loader of %s: %w", name, err)
		}
		if err := s.add(merged(strings.TrimRight(string(loader), "\x00"))); err != nil {
			return err
		}
	}
	return nil
}
