//go:build linux

package local

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// syncWrites of syncSize are what etcd's log writes when it is busy, each made durable
	// before the next: the measure of etcd's own hardware guide, which has fio write
	// blocks of 2300 bytes with fdatasync after each.
	syncWrites = 50
	syncSize   = 2300
	// syncTimeout ends measuring on a disk that is slow: few writes say so as well.
	syncTimeout = 300 * time.Millisecond
	// syncTries is how often it is measured until one measurement is not above syncPoor.
	syncTries = 3
	syncPoor  = 500 * time.Millisecond
	// syncPattern names the file; one that is older than syncStale was left by a process
	// that was killed.
	syncPrefix  = ".slipway-sync-"
	syncPattern = syncPrefix + "*"
	syncStale   = time.Minute
)

// observeSync measures the disk that a folder lies on, or will.
func (h *Host) observeSync(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	_, err := os.Stat(h.at(filepath.Join(query.Sync, "member")))
	if err == nil {
		return nil // etcd has its data there already: measuring would disturb it
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	place, err := nearestFolder(h.at(query.Sync))
	if err != nil {
		return err
	}
	facts.Sync, err = bestSync(ctx, place)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EROFS) {
		return nil // not measured: other checks find that nothing can be written
	}
	return err
}

// bestSync is the best of a few measurements: a disk is not slow because somebody else was
// busy with it just then.
func bestSync(ctx context.Context, folder string) (time.Duration, error) {
	var best time.Duration
	for range syncTries {
		took, err := measureSync(ctx, folder, syncTimeout)
		if err != nil {
			return 0, err
		}
		if measured := percentile99(took); best == 0 || measured < best {
			best = measured
		}
		if best <= syncPoor {
			break
		}
	}
	return best, nil
}

// nearestFolder is a folder or, where that is not there yet, the nearest above it.
func nearestFolder(path string) (string, error) {
	for {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			return path, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			return "", err
		}
		path = filepath.Dir(path)
	}
}

// measures tells whether a file has the name of a measurement's, which does not count among
// what lies in a folder.
func measures(name string) bool { return strings.HasPrefix(name, syncPrefix) }

// measureSync writes as etcd does, into space that was set aside as etcd's is, and tells
// how long each write took to be durable. It begins no write after the time limit.
func measureSync(ctx context.Context, folder string, limit time.Duration) ([]time.Duration, error) {
	if err := removeStale(folder); err != nil {
		return nil, err
	}
	// The file keeps its name while it is written: some file systems skip the work for one
	// that has none.
	dir, err := openFolder(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	name := syncPrefix + rand.Text()
	file, err := dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Remove(name) }()
	defer file.Close()
	fd := int(file.Fd())
	if err := unix.Fallocate(fd, 0, 0, syncWrites*syncSize); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return nil, os.NewSyscallError("fallocate", err)
	}
	if err := file.Sync(); err != nil { // the file itself and its space are not what is measured
		return nil, err
	}
	block := make([]byte, syncSize)
	var took []time.Duration
	for began := time.Now(); len(took) < syncWrites && (len(took) == 0 || time.Since(began) < limit); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		if _, err := file.Write(block); err != nil {
			return nil, err
		}
		if err := unix.Fdatasync(fd); err != nil {
			return nil, os.NewSyscallError("fdatasync", err)
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

// removeStale removes the files of measurements that were cut.
func removeStale(folder string) error {
	left, err := filepath.Glob(filepath.Join(folder, syncPattern))
	if err != nil {
		return err
	}
	for _, path := range left {
		info, err := os.Lstat(path)
		if err != nil || time.Since(info.ModTime()) < syncStale {
			continue
		}
		if err := removeFile(path); err != nil {
			return err
		}
	}
	return nil
}

// percentile99 is the time that 99 of 100 do not exceed; 0 of none.
func percentile99(took []time.Duration) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[(len(sorted)*99+99)/100-1]
}
