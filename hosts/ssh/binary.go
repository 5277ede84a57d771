package ssh

import "io"

// Platform is a system and an architecture, in Go's words.
type Platform struct{ OS, Arch string }

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Binary is slipway-agent for one platform.
type Binary struct {
	SHA256 string // in hex
	Size   int64
	Open   func() (io.ReadCloser, error)
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
