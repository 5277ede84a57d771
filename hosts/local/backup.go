//go:build linux

package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// fileSetting is what the record calls the file that was at a path.
func fileSetting(path string) string { return "file/" + path }

// backUp keeps what lies at a path that is not Slipway's, and says how to put it back:
// "file 0644 0:0", with its bytes in the store; "symlink TARGET"; "directory 0755 0:0".
func (h *Host) backUp(ctx context.Context, path string, info os.FileInfo) (hosts.Prior, error) {
	attr := attributesOf(info)
	value := fmt.Sprintf("%s %04o %d:%d", typeOf(info), attr.mode, attr.uid, attr.gid)
	switch typeOf(info) {
	case hosts.TypeFile:
		source, err := os.Open(h.at(path))
		if err != nil {
			return hosts.Prior{}, err
		}
		defer source.Close()
		if err := replaceFile(ctx, h.backupPath(path), source, attributes{mode: 0o600}, modeState); err != nil {
			return hosts.Prior{}, err
		}
	case hosts.TypeSymlink:
		target, err := os.Readlink(h.at(path))
		if err != nil {
			return hosts.Prior{}, err
		}
		value = "symlink " + target
	case hosts.TypeDirectory:
	default:
		return hosts.Prior{}, fmt.Errorf("%s is neither a file, a link nor a directory", path)
	}
	return hosts.Prior{Setting: fileSetting(path), Value: value}, nil
}

// backupPath is where the bytes of the file that was at a path are kept.
func (h *Host) backupPath(path string) string {
	name := sha256.Sum256([]byte(path))
	return filepath.Join(h.store.dir, "backup", hex.EncodeToString(name[:]))
}

// putBack puts what was at a path back.
func (h *Host) putBack(ctx context.Context, path, value string) error {
	kind, rest, _ := strings.Cut(value, " ")
	if kind == string(hosts.TypeSymlink) {
		return replaceLink(h.at(path), rest)
	}
	var attr attributes
	if _, err := fmt.Sscanf(rest, "%o %d:%d", &attr.mode, &attr.uid, &attr.gid); err != nil {
		return fmt.Errorf("the record's value %q is not understood: %w", value, err)
	}
	switch hosts.FileType(kind) {
	case hosts.TypeDirectory:
		return correctDirectory(h.at(path), attr)
	case hosts.TypeFile:
		kept, err := os.Open(h.backupPath(path))
		if err != nil {
			return fmt.Errorf("read the file that was kept: %w", err)
		}
		defer kept.Close()
		return replaceFile(ctx, h.at(path), kept, attr, modeParents)
	default:
		return fmt.Errorf("the record's value %q is not understood", value)
	}
}
