package workflow

import (
	"context"
	"fmt"
	"net/netip"
	"os"

	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// Candidate is a host that the operator's machine knows, and that may be meant for a cluster.
type Candidate = ssh.Candidate

// Candidates are the hosts of the operator's ~/.ssh/config and ~/.ssh/known_hosts: see ssh.Candidates.
func Candidates() ([]Candidate, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fmt.Errorf("look for hosts in ~/.ssh: %w", err)
	}
	all, err := ssh.Candidates(home)
	if err != nil {
		return nil, fmt.Errorf("look for hosts in ~/.ssh: %w", err)
	}
	return all, nil
}

// DialFunc connects, as net.Dialer's DialContext does.
type DialFunc = ssh.DialFunc

// FindHosts tells the addresses of a range where somebody listens on TCP port 22, one at a time and in no
// order: see ssh.Find. A range that is too large is a UsageError; else the error is the context's.
func FindHosts(ctx context.Context, prefix netip.Prefix, dial DialFunc, found func(netip.Addr)) error {
	err := ssh.Find(ctx, prefix, dial, found)
	if err != nil && ctx.Err() == nil {
		return &UsageError{err}
	}
	return err
}
