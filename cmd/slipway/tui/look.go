package tui

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// look is what is known of a host.
type look struct {
	state lookState
	what  string // what is being done
	facts hosts.Facts
	err   error
	key   *workflow.HostKey // the host's key, which is not known yet
	tried cluster.Host      // how it was reached
	tries int               // how often: an older answer does not count
}

// lookState is how far the look at a host is.
type lookState int

// The states of a look.
const (
	lookNone lookState = iota
	lookTries
	lookWell
	lookFailed
	lookKey // its key is to be compared
)
