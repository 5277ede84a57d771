package api

import (
	"io"

	"github.com/slipway-k8s/slipway/hosts"
)

// Snapshots is where snapshots of etcd are kept on the operator's machine.
type Snapshots interface {
	// Begin makes a place for a snapshot of so many bytes; where there is no room, it fails.
	Begin(size int64) (Snapshot, error)
}

// Snapshot is one that is being taken. Nobody but the operator may read it: it holds Secrets.
type Snapshot interface {
	io.Writer
	// Blob is what was written, durable and as it travels to a host.
	Blob() (hosts.Blob, error)
	// Keep gives it the name by which it is found, once it is known that it restores: with what is
	// in it, and the Kubernetes version that ran. It tells the path.
	Keep(about hosts.Snapshot, version string) (path string, err error)
	// Discard removes it, unless it was kept.
	Discard()
}
