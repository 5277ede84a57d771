//go:build linux

package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

// treeDigestLimit is the size up to which the files of a tree are hashed: what matters of a tree
// is which files it has, and etcd's data are in one.
const treeDigestLimit = 1 << 20

func (h *Host) observeFiles(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	files := map[string]hosts.File{}
	for _, path := range query.Paths {
		file, err := h.lookAt(ctx, path, 0)
		if isAbsent(err) {
			continue
		}
		if err != nil {
			return err
		}
		files[path] = file
	}
	for _, folder := range query.Entries {
		if err := h.lookIn(ctx, folder, files); err != nil {
			return err
		}
	}
	for _, tree := range query.Trees {
		if err := h.lookBelow(ctx, tree, files); err != nil {
			return err
		}
	}
	facts.Files = files
	return nil
}

// lookAt describes what lies at a path; regular files are hashed up to a limit, 0 for any.
func (h *Host) lookAt(ctx context.Context, path string, limit int64) (hosts.File, error) {
	at := h.at(path)
	lookingAt(ctx, path)
	info, err := os.Lstat(at)
	if err != nil {
		return hosts.File{}, err
	}
	attr := attributesOf(info)
	file := hosts.File{Type: typeOf(info), Mode: attr.mode, UID: attr.uid, GID: attr.gid}
	switch file.Type {
	case hosts.TypeFile:
		file.Size = info.Size()
		if limit == 0 || file.Size <= limit {
			file.Digest, err = h.digests.of(ctx, at)
		}
	case hosts.TypeSymlink:
		file.Target, err = os.Readlink(at)
	}
	return file, err
}

// lookIn describes what lies directly in a folder, be that there itself or by a link.
func (h *Host) lookIn(ctx context.Context, folder string, files map[string]hosts.File) error {
	lookingAt(ctx, folder)
	entries, err := os.ReadDir(h.at(folder))
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if measures(entry.Name()) {
			continue
		}
		path := filepath.Join(folder, entry.Name())
		if _, seen := files[path]; seen {
			continue
		}
		file, err := h.lookAt(ctx, path, treeDigestLimit)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		files[path] = file
	}
	return nil
}

// lookBelow describes a tree, on its own file system; what goes away meanwhile is not
// there. A link that leads to a directory is told as that directory, with its Target: what
// is below it is below the tree's path.
func (h *Host) lookBelow(ctx context.Context, tree string, files map[string]hosts.File) error {
	lookingAt(ctx, tree)
	start, err := filepath.EvalSymlinks(h.at(tree))
	if isAbsent(err) {
		start, err = h.at(tree), nil // a link that leads nowhere is one all the same
	}
	if err != nil {
		return err
	}
	root, err := os.Lstat(start)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	device := root.Sys().(*syscall.Stat_t).Dev
	return filepath.WalkDir(start, func(at string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(start, at)
		if err != nil {
			return err
		}
		path := filepath.Join(tree, inside)
		file, err := h.lookAt(ctx, path, treeDigestLimit)
		if path == tree && file.Type == hosts.TypeSymlink && root.IsDir() {
			attr := attributesOf(root)
			file = hosts.File{Type: hosts.TypeDirectory, Mode: attr.mode, UID: attr.uid, GID: attr.gid, Target: file.Target}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		files[path] = file
		if entry.IsDir() {
			info, err := os.Lstat(at)
			if err == nil && info.Sys().(*syscall.Stat_t).Dev != device {
				return fs.SkipDir
			}
		}
		return nil
	})
}

func (h *Host) observeContents(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	contents := map[string][]byte{}
	facts.Contents = contents
	return h.eachFile(ctx, slices.Concat(query.Contents, query.Secrets), func(path string, data []byte) { contents[path] = data })
}

// eachFile reads those of the files that are there.
func (h *Host) eachFile(ctx context.Context, paths []string, use func(path string, data []byte)) error {
	for _, path := range paths {
		lookingAt(ctx, path)
		data, err := readIfThere(h.at(path))
		if err != nil {
			return err
		}
		if data != nil {
			use(path, data)
		}
	}
	return nil
}

func (h *Host) observeCertificates(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	certificates := map[string]hosts.Certificate{}
	for _, asked := range query.Certificates {
		lookingAt(ctx, asked.Cert)
		cert, err := readIfThere(h.at(asked.Cert))
		if err != nil {
			return err
		}
		if cert == nil {
			continue
		}
		var key []byte
		if asked.Key != "" {
			if key, err = readIfThere(h.at(asked.Key)); err != nil {
				return err
			}
		}
		certificates[asked.Cert] = hosts.JudgeCertificate(cert, key)
	}
	facts.Certificates = certificates
	return nil
}

func (h *Host) observeKubeconfigs(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	facts.Kubeconfigs = map[string]hosts.Kubeconfig{}
	return h.eachFile(ctx, query.Kubeconfigs, func(path string, data []byte) {
		file, err := hosts.ParseKubeconfig(data)
		if err != nil {
			facts.Kubeconfigs[path] = hosts.Kubeconfig{Invalid: err.Error()}
			return
		}
		facts.Kubeconfigs[path] = file.Judge(func(name string) []byte {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(path), name)
			}
			data, _ := os.ReadFile(h.at(name)) // absent: there is none
			return data
		}, hosts.KeyMatches)
	})
}
