package ssh

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// Platform is a system and an architecture, in Go's words.
type Platform struct{ OS, Arch string }

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Binary is Slipway's own executable for one platform.
type Binary struct {
	SHA256 string // in hex
	Size   int64
	Open   func() (io.ReadCloser, error)
}

// BinaryFile makes a Binary of a file. It reads all of it: keep the answer.
func BinaryFile(path string) (Binary, error) {
	file, err := os.Open(path)
	if err != nil {
		return Binary{}, fmt.Errorf("read the agent's binary: %w", err)
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err != nil {
		return Binary{}, fmt.Errorf("read the agent's binary: %w", err)
	}
	return Binary{
		SHA256: hex.EncodeToString(hash.Sum(nil)),
		Size:   size,
		Open:   func() (io.ReadCloser, error) { return os.Open(path) },
	}, nil
}

// platform puts what uname says into Go's words.
func platform(system, machine string) Platform {
	systems := map[string]string{"Linux": "linux"}
	machines := map[string]string{
		"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64",
		"armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
	}
	p := Platform{OS: system, Arch: machine}
	if known, ok := systems[system]; ok {
		p.OS = known
	}
	if known, ok := machines[machine]; ok {
		p.Arch = known
	}
	return p
}
