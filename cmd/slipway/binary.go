package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// ownBinary is this very executable.
var ownBinary = sync.OnceValues(func() (ssh.Binary, error) {
	path, err := os.Executable()
	if err != nil {
		return ssh.Binary{}, fmt.Errorf("find Slipway's own binary: %w", err)
	}
	memory := ""
	if base, err := os.UserCacheDir(); err == nil {
		memory = filepath.Join(base, "slipway", "own-binary.json")
	}
	return readOnce(path, memory)
})

// digestMemory is what is noted of a binary that was read: its digest, and which file in
// which state it is the digest of.
type digestMemory struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// readOnce makes a Binary of a file, and reads it only where the memory, a file as well, does
// not know it: to hash some 80 MB takes processor time from every command's first handshakes,
// a quarter of a second where the processor has no instruction for it. Nothing fails for
// what the memory cannot keep.
func readOnce(path, memory string) (ssh.Binary, error) {
	state, size := fileState(path)
	var known digestMemory
	if data, err := os.ReadFile(memory); err == nil && json.Unmarshal(data, &known) == nil && state != "" && known.File == state {
		return ssh.Binary{SHA256: known.SHA256, Size: size, Open: func() (io.ReadCloser, error) { return os.Open(path) }}, nil
	}
	binary, err := ssh.BinaryFile(path)
	if err != nil {
		return ssh.Binary{}, err
	}
	if after, _ := fileState(path); memory != "" && after != "" && after == state {
		_ = remember(memory, digestMemory{File: state, SHA256: binary.SHA256})
	}
	return binary, nil
}

// fileState is a file's identity and the last change of its content or status, by the
// kernel's clock, which nobody sets back on a file; empty where it cannot be told.
func fileState(path string) (state string, size int64) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return "", 0
	}
	return fmt.Sprintf("%d:%d %d bytes, changed %d.%09d", s.Dev, s.Ino, s.Size, s.Ctim.Sec, s.Ctim.Nsec), s.Size
}

func remember(memory string, known digestMemory) error {
	data, err := json.Marshal(known)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(memory), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(memory), ".own-binary-")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), memory)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// agentBinary is what runs on a host as the agent: this executable where system and
// architecture are the host's, else the bundle's.
func (s *session) agentBinary(ctx context.Context, platform ssh.Platform) (ssh.Binary, error) {
	if platform.OS == runtime.GOOS && platform.Arch == runtime.GOARCH {
		return ownBinary()
	}
	if s.archive == nil || s.bill.Platform != (bundle.Platform{OS: platform.OS, Arch: platform.Arch}) {
		return ssh.Binary{}, fmt.Errorf("find an agent for %s: this command has a binary for %s/%s only; name a bundle for %s", platform, runtime.GOOS, runtime.GOARCH, platform)
	}
	set, ok := s.bill.Set(bundle.SetSlipway)
	if !ok || len(set.Files) == 0 {
		return ssh.Binary{}, fmt.Errorf("find an agent for %s: the bundle has no Slipway in it", platform)
	}
	file := set.Files[0]
	return ssh.Binary{
		SHA256: strings.TrimPrefix(file.Digest, "sha256:"),
		Size:   file.Size,
		Open:   func() (io.ReadCloser, error) { return s.archive.OpenFile(ctx, file) },
	}, nil
}
