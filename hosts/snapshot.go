package hosts

import (
	"fmt"
	"path"
)

var _ = register(ProveSnapshot{})

// EtcdLogRoom is what etcd's log takes beside restored data, in bytes: its first file is made in full.
const EtcdLogRoom = 64 << 20

// ProveSnapshot has etcdutl look through a snapshot of etcd and restore it into a folder that is
// removed again, with the snapshot, whatever came of it. The host must have room for its size once
// more; what is proved the Outcome's Snapshot tells. Nothing that runs takes notice.
type ProveSnapshot struct {
	Content string `json:"content"` // a Blob's Ref
	Size    int64  `json:"size"`
	Tool    string `json:"tool"` // etcdutl's path on the host
}

// describe names no blob that is needed: the content is not known when a plan is made.
func (a ProveSnapshot) describe() Description {
	return Description{Kind: "prove-snapshot", Deed: "prove that a snapshot of etcd restores", Detail: fmt.Sprintf(" (%s, by %s)", Size(a.Size), path.Base(a.Tool))}
}

// Snapshot is what is in a snapshot of etcd.
type Snapshot struct {
	Revision int64 `json:"revision"`
	Keys     int   `json:"totalKey"`
}
