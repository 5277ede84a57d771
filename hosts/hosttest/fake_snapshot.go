package hosttest

import (
	"bytes"
	"fmt"

	"github.com/slipway-k8s/slipway/hosts"
)

// Etcd is what a made-up snapshot of etcd begins with.
var Etcd = []byte("a snapshot of etcd")

// proveSnapshot takes what begins with Etcd for a snapshot: its revision is its size, and it has a key.
func (o *opened) proveSnapshot(a hosts.ProveSnapshot) (hosts.Outcome, error) {
	f := o.machine
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.holder != nil && f.holder != o {
		return hosts.Outcome{}, &hosts.Error{Kind: hosts.KindLease, Err: f.lease}
	}
	content, there := f.store[a.Content]
	delete(f.store, a.Content)
	switch {
	case !there:
		return hosts.Outcome{}, fmt.Errorf("the snapshot %s is not in the store", a.Content)
	case !bytes.HasPrefix(content, Etcd):
		return hosts.Outcome{}, fmt.Errorf("%s snapshot status: invalid database", a.Tool)
	}
	return hosts.Outcome{Result: hosts.Changed, Snapshot: &hosts.Snapshot{Revision: int64(len(content)), Keys: 1}}, nil
}
