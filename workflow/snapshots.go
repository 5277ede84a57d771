package workflow

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine/api"
)

// snapshots keeps snapshots of etcd in the state folder, in a folder for each cluster beside that of its
// keys: they hold Secrets as well, and outlive a reset of all hosts. One that is not proved yet has a
// name with a leading dot; what a killed run has left of such goes with the next.
type snapshots struct {
	cluster string
	folder  func() *store.Folder // of the cluster's keys; known when they are
	kept    string               // the path of the last that was kept
}

const (
	snapshotsFolder = "snapshots"
	unproved        = ".unproved-"
)

// Begin makes a file that nobody else reads.
func (s *snapshots) Begin(size int64) (api.Snapshot, error) {
	folder := s.path()
	if folder == "" {
		return nil, errors.New("there is no state folder of the cluster to keep it in")
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of snapshots: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(folder, unproved+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return nil, fmt.Errorf("remove what an interrupted run has left: %w", err)
	}
	if free := freeBelow(folder); free > 0 && free < size {
		return nil, &hosts.Error{
			Kind: hosts.KindDiskFull, Op: "keep a snapshot of etcd on this machine",
			Err: fmt.Errorf("it takes %s, and %s is free in %s", hosts.Size(size), hosts.Size(free), folder),
		}
	}
	file, err := os.CreateTemp(folder, unproved) // with mode 0600
	if err != nil {
		return nil, fmt.Errorf("keep a snapshot of etcd: %w", err)
	}
	return &snapshotFile{File: file, of: s, sum: sha256.New()}, nil
}

// path is the folder of the cluster's snapshots; empty where the cluster has no state folder.
func (s *snapshots) path() string {
	keys := s.folder()
	if keys == nil {
		return ""
	}
	root, own := filepath.Split(keys.Path())
	return filepath.Join(root, snapshotsFolder, own)
}

// freeBelow is what is free where a path lies, or will lie, in bytes; 0 where that is not known.
func freeBelow(path string) int64 {
	for {
		var stat unix.Statfs_t
		err := unix.Statfs(path, &stat)
		if err == nil {
			return int64(stat.Bavail) * int64(stat.Bsize)
		}
		if !errors.Is(err, os.ErrNotExist) || path == filepath.Dir(path) {
			return 0
		}
		path = filepath.Dir(path)
	}
}

// room is what is free for a snapshot; 0 where that is not known.
func (s *snapshots) room() int64 {
	if folder := s.folder(); folder != nil {
		return freeBelow(folder.Path())
	}
	root, err := store.DefaultRoot()
	if err != nil {
		return 0
	}
	return freeBelow(root)
}

// snapshotFile is a snapshot that is being taken.
type snapshotFile struct {
	*os.File
	of   *snapshots
	sum  hash.Hash
	size int64
}

func (f *snapshotFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.sum.Write(p[:n]) // a hash never fails
	f.size += int64(n)
	return n, err
}

// Blob is what was written so far, once it is durable.
func (f *snapshotFile) Blob() (hosts.Blob, error) {
	if err := f.Sync(); err != nil {
		return hosts.Blob{}, err
	}
	digest := hex.EncodeToString(f.sum.Sum(nil))
	return hosts.Blob{
		Ref: "sha256:" + digest, SHA256: digest, Size: f.size,
		Open: func() (io.ReadCloser, error) { return os.Open(f.Name()) },
	}, nil
}

// Keep names the snapshot by cluster, time, revision and version, and puts its SHA-256 beside it, as
// sha256sum reads it.
func (f *snapshotFile) Keep(about hosts.Snapshot, version string) (string, error) {
	name := strings.Join([]string{
		"etcd", f.of.cluster, time.Now().UTC().Format("20060102T150405Z"), fmt.Sprintf("revision-%d", about.Revision), version,
	}, "-")
	folder := filepath.Dir(f.Name())
	path := filepath.Join(folder, strings.TrimSuffix(name, "-")+".db")
	sums := fmt.Sprintf("%x  %s\n", f.sum.Sum(nil), filepath.Base(path))
	err := errors.Join(os.WriteFile(path+".sha256", []byte(sums), 0o600), os.Rename(f.Name(), path))
	if err == nil {
		err = syncFolder(folder)
	}
	if err != nil {
		return "", fmt.Errorf("keep the snapshot: %w", err)
	}
	f.of.kept = path
	return path, nil
}

// Discard closes the file, and removes it if it still has the name of one that is not proved.
func (f *snapshotFile) Discard() {
	_ = f.Close()
	_ = os.Remove(f.Name())
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
