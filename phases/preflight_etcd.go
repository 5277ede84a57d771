package phases

import (
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// How long 99 of 100 of etcd's writes may take to be durable. The first is what etcd's
// hardware guide asks for; the second is its election time-out: with a disk that is slower
// than that, members elect one leader after another.
const (
	syncWarning = 10 * time.Millisecond
	syncError   = time.Second
)

// checkSync holds the disk that etcd is to write to against what etcd needs.
func checkSync(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	const fix = "give etcd a disk of its own that is faster: mount it at " + manifests.EtcdData
	const text = "99 of 100 writes to the disk below %s take up to %s to be durable; etcd wants %s"
	took := facts.Sync.Round(100 * time.Microsecond)
	switch {
	case !host.HasRole(cluster.RoleControlPlane) || !in.Cluster.StackedEtcd() || facts.Sync <= syncWarning:
		return nil
	case facts.Sync > syncError:
		return []Problem{problem("disk", host, fix, text+", and cannot keep a leader when it takes so long", manifests.EtcdData, took, syncWarning)}
	}
	return []Problem{warning("disk", host, fix, text, manifests.EtcdData, took, syncWarning)}
}

// evenProblems warns of an even number of control planes, where each has a vote in etcd.
func (in Input) evenProblems() []Problem {
	n := len(in.Pool())
	if !in.Cluster.StackedEtcd() || n == 0 || n%2 == 1 {
		return nil
	}
	return []Problem{{
		Check: "control-planes", Severity: SeverityWarning,
		Detail: fmt.Sprintf("etcd will have %d members, of which a quorum is %d: it survives the loss of %s, no more than with %d, and has one more to lose",
			n, hosts.Quorum(n), lossOf(n), n-1),
		Fix: "take an odd number of control planes",
	}}
}
