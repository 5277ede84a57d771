package plan

import (
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

var _ = register(MemberAdd{}, MemberPromote{}, MemberRemove{}, MoveLeader{}, QuorumHolds{}, EtcdDowngrade{}, SnapshotEtcd{})

// MemberAdd adds a member to etcd as a learner, before it is started. A member that is
// there with this name or peer already is left as it is.
type MemberAdd struct {
	Name string `json:"name"`
	Peer string `json:"peer"` // URL
}

func (a MemberAdd) describe() hosts.Description {
	return hosts.Description{Kind: "member-add", Deed: "add etcd member " + a.Name + " (" + a.Peer + ") as a learner"}
}

// MemberPromote waits until a learner is in sync with the leader, and gives it its vote.
type MemberPromote struct {
	Name    string `json:"name"`
	Timeout int    `json:"timeoutSeconds"`
	Patience
}

func (a MemberPromote) describe() hosts.Description {
	return hosts.Description{Kind: "member-promote", Deed: "promote etcd member " + a.Name + " when it is in sync"}
}

// MemberRemove removes a member from etcd; its absence is no error.
type MemberRemove struct {
	ID   string `json:"id"`   // as hosts.Member has it
	Name string `json:"name"` // for people: one that never started has none
}

func (a MemberRemove) describe() hosts.Description {
	return hosts.Description{
		Kind: "member-remove", Deed: "remove etcd member " + strings.TrimSpace(a.Name+" ("+a.ID+")"),
	}
}

// MoveLeader makes another member of etcd the leader where this one is.
type MoveLeader struct {
	From string `json:"from"` // the member's name
}

func (a MoveLeader) describe() hosts.Description {
	return hosts.Description{Kind: "move-leader", Deed: "move etcd's leadership away from " + a.From}
}

// QuorumHolds fails unless etcd has a quorum and would keep it without a member: other members
// may have failed since the plan was made.
type QuorumHolds struct {
	Without string `json:"without"` // the member's name
	// Stays: the member only restarts. It still counts among the members of which a quorum is needed.
	Stays bool `json:"stays,omitempty"`
}

func (a QuorumHolds) describe() hosts.Description {
	without := " without " + a.Without
	if a.Stays {
		without = " while " + a.Without + " starts anew"
	}
	return hosts.Description{Kind: "quorum-holds", Deed: "see that etcd has a quorum" + without}
}

// EtcdDowngrade has etcd store its data as an older minor version does, so that its members can be of
// that version one after another. Without a version it ends that: members of it may come no more.
type EtcdDowngrade struct {
	Version string `json:"version,omitempty"` // as etcd writes a minor version: 3.6
	// Try: a member that does not answer does not count, and where it cannot be done, that is no error:
	// a host is put back all the same.
	Try bool `json:"try,omitempty"`
}

func (a EtcdDowngrade) describe() hosts.Description {
	deed := "have etcd store its data as " + a.Version + " does"
	if a.Version == "" {
		deed = "end etcd's downgrade"
	}
	return hosts.Description{Kind: "etcd-downgrade", Deed: deed}
}

// SnapshotEtcd takes a snapshot of etcd from a host's member to the operator's machine, and has that
// host prove that it restores: only then it is kept.
type SnapshotEtcd struct {
	From    string `json:"from"`              // the control plane
	Tool    string `json:"tool"`              // the path of etcdutl there
	Version string `json:"version,omitempty"` // the Kubernetes version that runs, for the snapshot's name
}

func (a SnapshotEtcd) describe() hosts.Description {
	return hosts.Description{Kind: "snapshot-etcd", Deed: "take a snapshot of etcd from " + a.From + ", and prove there that it restores"}
}
