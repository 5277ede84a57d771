package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// WriteClusterFile writes a cluster file whole or not at all. A link stays one; the file keeps its mode and, under sudo, its
// owner, and one that may not be written to is not replaced either. A new one is its owner's
// alone.
func WriteClusterFile(path string, data []byte) error {
	by := callerOfSudo()
	path = followed(path)
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return fmt.Errorf("write the cluster file: %w", err)
	}
	mode := fs.FileMode(0o600)
	if !fresh {
		info, err := file.Stat()
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write the cluster file: %w", err)
		}
		mode = info.Mode().Perm()
	}
	give := by.keepOwner(path)
	err = writeOwned(path, data, func(file *os.File) error {
		return errors.Join(give(file), file.Chmod(mode))
	})
	if err != nil {
		return fmt.Errorf("write the cluster file: %w", err)
	}
	return nil
}
