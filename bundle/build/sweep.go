package build

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How the cache stays small. What was used within recentUse is never taken away, since another
// build may be at it.
const (
	keptEntries = 3 // of each name
	recentUse   = time.Hour
	abandoned   = 24 * time.Hour // for what a killed build left half-made
)

// sweep removes what killed builds left, and the oldest entries of each name.
func (c cache) sweep(now time.Time) error {
	kinds, err := os.ReadDir(c.root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if !kind.IsDir() {
			continue
		}
		if strings.HasPrefix(kind.Name(), ".") {
			if err := removeOlder(c.root, kind, now.Add(-abandoned)); err != nil {
				return err
			}
			continue
		}
		if err := sweepKind(filepath.Join(c.root, kind.Name()), now); err != nil {
			return err
		}
	}
	return nil
}

func sweepKind(folder string, now time.Time) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	byName := map[string][]fs.DirEntry{}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			if err := removeOlder(folder, entry, now.Add(-abandoned)); err != nil {
				return err
			}
		} else if dash := strings.LastIndex(entry.Name(), "-"); entry.IsDir() && dash > 0 {
			byName[entry.Name()[:dash]] = append(byName[entry.Name()[:dash]], entry)
		}
	}
	for _, same := range byName {
		slices.SortFunc(same, func(a, b fs.DirEntry) int { return lastUsed(b).Compare(lastUsed(a)) })
		for _, old := range same[min(keptEntries, len(same)):] {
			if err := removeOlder(folder, old, now.Add(-recentUse)); err != nil {
				return err
			}
		}
	}
	return nil
}

func removeOlder(folder string, entry fs.DirEntry, than time.Time) error {
	if !lastUsed(entry).Before(than) {
		return nil
	}
	return os.RemoveAll(filepath.Join(folder, entry.Name()))
}

// lastUsed is when an entry was made, or found in the cache; one that is gone by now
// counts as used, for somebody else took care of it.
func lastUsed(entry fs.DirEntry) time.Time {
	info, err := entry.Info()
	if err != nil {
		return time.Now()
	}
	return info.ModTime()
}
