package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// cacheVersion changes when what an entry means does.
const cacheVersion = 1

// cache keeps what was made, under a key of everything that it was made from. An entry
// is a directory that appears whole, by a rename, and never changes after it.
type cache struct{ root string }

// entryFile is an entry's own description of itself.
const entryFile = "entry.json"

// key hashes everything that decides what an entry will be.
func key(inputs any) (string, error) {
	content, err := json.Marshal(struct {
		Version int
		Inputs  any
	}{cacheVersion, inputs})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}

// path is where the entry of those inputs is, or would be.
func (c cache) path(kind, name string, inputs any) (string, error) {
	id, err := key(inputs)
	if err != nil {
		return "", fmt.Errorf("make the cache key of %s %s: %w", kind, name, err)
	}
	return filepath.Join(c.root, kind, name+"-"+id[:24]), nil
}

// entry gives the directory of the entry, and reads its description into found; where
// there is none it has make fill a new directory and return the description first.
func entry[T any](c cache, kind, name string, inputs any, make func(directory string) (T, error)) (directory string, found T, hit bool, err error) {
	if directory, err = c.path(kind, name, inputs); err != nil {
		return "", found, false, err
	}
	if found, err = readEntry[T](directory); err == nil {
		now := time.Now()
		_ = os.Chtimes(directory, now, now) // last used; only ever a hint to whoever cleans up
		return directory, found, true, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", found, false, fmt.Errorf("read the cache: %w", err)
	}
	found, err = makeEntry(directory, make)
	return directory, found, false, err
}

func readEntry[T any](directory string) (found T, err error) {
	content, err := os.ReadFile(filepath.Join(directory, entryFile))
	if err != nil {
		return found, err
	}
	if err := json.Unmarshal(content, &found); err != nil {
		return found, fmt.Errorf("read %s: %w", filepath.Join(directory, entryFile), err)
	}
	return found, nil
}

func makeEntry[T any](directory string, make func(directory string) (T, error)) (made T, err error) {
	if err := os.MkdirAll(filepath.Dir(directory), 0o755); err != nil {
		return made, fmt.Errorf("make the cache: %w", err)
	}
	temporary, err := os.MkdirTemp(filepath.Dir(directory), ".new-")
	if err != nil {
		return made, fmt.Errorf("make the cache: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	if made, err = make(temporary); err != nil {
		return made, err
	}
	content, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		return made, fmt.Errorf("describe a cache entry: %w", err)
	}
	if err := os.WriteFile(filepath.Join(temporary, entryFile), content, 0o644); err != nil {
		return made, fmt.Errorf("fill the cache: %w", err)
	}
	if err := syncTree(temporary); err != nil {
		return made, fmt.Errorf("fill the cache: %w", err)
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return made, fmt.Errorf("fill the cache: %w", err)
	}
	err = os.Rename(temporary, directory)
	if errors.Is(err, fs.ErrExist) || isNotEmpty(directory, err) {
		return readEntry[T](directory) // somebody else made the same at the same time
	}
	return made, err
}

func isNotEmpty(directory string, err error) bool {
	if err == nil {
		return false
	}
	_, statErr := os.Stat(filepath.Join(directory, entryFile))
	return statErr == nil
}

// syncTree makes the files durable before the rename makes them visible.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !(d.Type().IsRegular() || d.IsDir()) {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
}

// hashFile gives a file's digest and size.
func hashFile(path string) (digest string, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	if size, err = io.Copy(hash, file); err != nil {
		return "", 0, fmt.Errorf("read %s: %w", path, err)
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), size, nil
}
