package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts/ssh"
	"github.com/slipway-k8s/slipway/workflow"
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
	return readOnce(path, memory, time.Now())
})

// digestMemory is what is noted of a binary that was read: its digest, and which file in
// which state it is the digest of.
type digestMemory struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// settled is how old a file's last change has to be for its time to tell it from the next:
// most kernels' ctime goes by their tick, some file systems' by the second.
const settled = 2 * time.Second

// readOnce makes a Binary of a file, and reads it only where the memory, a file as well, does
// not know it: to hash some 80 MB takes processor time from every command's first handshakes,
// a quarter of a second where the processor has no instruction for it. Nothing fails for
// what the memory cannot keep.
func readOnce(path, memory string, now time.Time) (ssh.Binary, error) {
	state, size, changed := fileState(path)
	var known digestMemory
	if data, err := os.ReadFile(memory); err == nil && json.Unmarshal(data, &known) == nil && known.of(state) {
		return ssh.Binary{SHA256: known.SHA256, Size: size, Open: func() (io.ReadCloser, error) { return os.Open(path) }}, nil
	}
	binary, err := ssh.BinaryFile(path)
	if err != nil {
		return ssh.Binary{}, err
	}
	if after, _, _ := fileState(path); memory != "" && after != "" && after == state && now.Sub(changed) > settled {
		_ = remember(memory, digestMemory{File: state, SHA256: binary.SHA256})
	}
	return binary, nil
}

// of tells whether what is noted is the digest of a file in this state.
func (m digestMemory) of(state string) bool {
	digest, err := hex.DecodeString(m.SHA256)
	return state != "" && m.File == state && err == nil && len(digest) == sha256.Size
}

// fileState is a file's identity and the last change of its content or status, by the
// kernel's clock, which nobody sets back on a file; empty where it cannot be told.
func fileState(path string) (state string, size int64, changed time.Time) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return "", 0, time.Time{}
	}
	changed = time.Unix(s.Ctim.Unix())
	return fmt.Sprintf("%d:%d %d bytes, changed %d", s.Dev, s.Ino, s.Size, changed.UnixNano()), s.Size, changed
}

func remember(memory string, known digestMemory) error {
	data, err := json.Marshal(known)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(memory), 0o700); err != nil {
		return err
	}
	return workflow.WritePrivate(memory, data)
}
