package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// ownBinary is this very executable; it is read once.
var ownBinary = sync.OnceValues(func() (ssh.Binary, error) {
	path, err := os.Executable()
	if err != nil {
		return ssh.Binary{}, fmt.Errorf("find Slipway's own binary: %w", err)
	}
	return ssh.BinaryFile(path)
})

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
