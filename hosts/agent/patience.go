package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// How long a call may go on without a sign that it moves. The host's word is not needed
// for any of them: a host that says nothing, or only that it lives, is given up all the
// same. A call that tells its progress may take longer, up to callLimit.
const (
	// The record, the looks and keeping what was hashed have deadlines of their own, each
	// far below; a look that reads large files tells that it moves.
	observePatience = 150 * time.Second
	blobPatience    = 2 * time.Minute
	dialPatience    = 30 * time.Second
	actionPatience  = 2 * time.Minute
	// leasePatience: a lease is one lock, which the host itself gives up on after seconds, and
	// one host is asked after another.
	leasePatience = 15 * time.Second
	// slowPatience is for what may wait for others on the host: systemd gives a unit 90 s
	// to start and as long to stop, a Pod has its grace, a tree has its million files, a slow disk
	// has gigabytes of swap, and containerd tells nothing while it unpacks a layer or removes it, nor etcdutl while it restores.
	slowPatience = 10 * time.Minute

	// commandPatience is how much longer than its limit a command may take to be ended.
	commandPatience = 30 * time.Second

	// callLimit is how long a call may take that moves: a host may say that it does for ever.
	// A disk that writes 5 MiB in a second takes 36 GiB in that time.
	callLimit = 2 * time.Hour

	// cancelPatience is how long a host may take to say what became of a call that was
	// cancelled. Who pressed Ctrl-C does not wait longer; the action ends by itself.
	cancelPatience = time.Second
	// closePatience is how long Close waits for what is in hand.
	closePatience = 5 * time.Second
	// quickPatience is how long Close waits for a call that is no action, before it cancels it.
	quickPatience = 500 * time.Millisecond
	// drainAfter is how long Close leaves reading to HTTP/2.
	drainAfter = 200 * time.Millisecond
	// windPatience is how long the agent, before it ends, waits for an action that it has
	// cancelled. One that waits for a disk or a network does not hear of it.
	windPatience = 10 * time.Second
)

// patienceFor is how long an action may go on without progress.
func patienceFor(action hosts.Action) time.Duration {
	switch action := action.(type) {
	case hosts.RunCommand:
		return time.Duration(action.Timeout)*time.Second + commandPatience
	case hosts.SetUnit, hosts.StopUnits, hosts.StopPods, hosts.DisableSwap, hosts.SetNTP, hosts.OpenFirewall, hosts.LoadPolicyModule, hosts.Restore, hosts.RemovePath, hosts.Forget, hosts.LoadImage, hosts.NameImage, hosts.UnloadImage, hosts.ProveSnapshot:
		return slowPatience
	case hosts.TakeLease, hosts.ReleaseLease:
		return leasePatience
	default:
		return actionPatience
	}
}

// fixStuck is what to do about a host that is there and does not do what it is asked.
const fixStuck = "see what it waits for: on the host, `ps -eo pid,stat,wchan:32,args | awk '$2 ~ /D/'` lists what hangs in a disk or a network file system, and `dmesg | tail` often says which"

// unanswered is the error of a call that was given up, and why.
func unanswered(ctx context.Context, op, why string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: the host did not answer in time: %w", op, err)
	}
	return &hosts.Error{Kind: hosts.KindStuck, Op: op, Err: errors.New(why), Fix: fixStuck}
}

func noAnswer(patience time.Duration) string {
	return fmt.Sprintf("no answer in %s, though the connection lives", patience)
}

// errLingers is why a session was cut that would not end.
var errLingers = errors.New("the agent does not end")
