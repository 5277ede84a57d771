package store

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-k8s/slipway/certs"
)

// Exposed is a secret that others than its owner may read or change.
type Exposed struct {
	Path string
	Mode fs.FileMode
}

func (e *Exposed) Error() string {
	return fmt.Sprintf("other users can read or change %s (mode %04o): who has read it can take over the cluster; find out who had access, then: chmod -R go-rwx %s",
		e.Path, e.Mode.Perm(), e.Path)
}

// testOnlyFault lets tests end an operation in the middle, as a crash would.
var testOnlyFault func(operation, path string) error

func fault(operation, path string) error {
	if testOnlyFault == nil {
		return nil
	}
	return testOnlyFault(operation, path)
}

// private refuses what others may read or change.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return &Exposed{path, info.Mode()}
	}
	return nil
}

// readFile reads a secret, and refuses one that is no secret any more.
func readFile(path string) ([]byte, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// makeFolder makes a private folder where there is none; one that is there must be its
// owner's alone to change.
func makeFolder(path string) error {
	if err := makeFolders(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return &Exposed{path, info.Mode()}
	}
	return nil
}

// makeFolders makes a folder and those above it, each synced.
func makeFolders(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	parent := filepath.Dir(path)
	if err := makeFolders(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, modeFolder); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// writeFile puts a file in place whole or not at all, and synced.
func writeFile(path string, content []byte) error {
	folder := filepath.Dir(path)
	if err := makeFolders(folder); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".new-") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // nothing to remove once it is renamed
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(modeFile), file.Sync(), file.Close(), fault("rename", path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// lock waits for a lock, which the kernel frees when the process ends: it is held for
// milliseconds.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, modeFile)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}

// joinPair writes a certificate and its key as one file, so that no crash parts them.
func joinPair(pair certs.Pair) []byte {
	return append(append([]byte{}, pair.Cert...), pair.Key...)
}

func splitPair(content []byte) certs.Pair {
	var pair certs.Pair
	for rest := content; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return pair
		}
		encoded := pem.EncodeToMemory(block)
		if bytes.HasSuffix([]byte(block.Type), []byte("PRIVATE KEY")) {
			pair.Key = append(pair.Key, encoded...)
		} else {
			pair.Cert = append(pair.Cert, encoded...)
		}
	}
}
