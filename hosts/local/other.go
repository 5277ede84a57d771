//go:build !linux

package local

import (
	"fmt"
	"runtime"

	"github.com/slipway-k8s/slipway/hosts"
)

// Host is this machine, if it runs Linux.
type Host struct{ hosts.Host }

// New says that this machine cannot be a host of a cluster: an operator may work from it.
func New(Options) (*Host, error) {
	return nil, &hosts.Error{
		Kind: hosts.KindPlatform,
		Op:   "open the local host",
		Err:  fmt.Errorf("it runs %s, and hosts run Linux", runtime.GOOS),
	}
}
