package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
)

var (
	errNoEtcd   = errors.New("no way to etcd is known")
	errNoQuorum = errors.New("etcd has no leader: too few of its members reach each other")
)

// memberAdd adds a member as a learner, unless it is there.
func (c *Client) memberAdd(ctx context.Context, action plan.MemberAdd, progress func(hosts.Progress)) (hosts.Outcome, error) {
	op := "add etcd member " + action.Name
	return c.reconfigure(ctx, op, 0, progress, func(ctx context.Context, m *membership) (bool, error) {
		same := func(one *member) bool { return one.Name == action.Name || slices.Contains(one.PeerURLs, action.Peer) }
		if m.find(same) != nil {
			return true, nil
		}
		return false, c.etcd.change(ctx, m, 0, func(ctx context.Context, client *clientv3.Client) error {
			_, err := client.MemberAddAsLearner(ctx, []string{action.Peer})
			return err
		})
	})
}

// memberPromote gives a learner its vote as soon as it is in sync with the leader.
func (c *Client) memberPromote(ctx context.Context, action plan.MemberPromote, progress func(hosts.Progress)) (hosts.Outcome, error) {
	limit := cmp.Or(time.Duration(action.Timeout)*time.Second, defaultWait)
	op := "promote etcd member " + action.Name
	return c.reconfigure(ctx, op, limit, progress, func(ctx context.Context, m *membership) (bool, error) {
		wanted := m.find(func(one *member) bool { return one.Name == action.Name })
		switch {
		case wanted != nil && !wanted.IsLearner:
			return true, nil
		case wanted != nil:
			return false, c.etcd.change(ctx, m, wanted.ID, func(ctx context.Context, client *clientv3.Client) error {
				_, err := client.MemberPromote(ctx, wanted.ID)
				return err
			})
		case m.find(func(one *member) bool { return one.Name == "" }) == nil:
			return false, errors.New("etcd has no such member, nor one that is yet to start")
		}
		return false, later(notStarted) // it tells its name when it does
	})
}

// memberRemove removes a member, through another one.
func (c *Client) memberRemove(ctx context.Context, action plan.MemberRemove, progress func(hosts.Progress)) (hosts.Outcome, error) {
	op := "remove etcd member " + action.ID
	if action.Name != "" {
		op = fmt.Sprintf("remove etcd member %s (%s)", action.Name, action.ID)
	}
	id, err := strconv.ParseUint(action.ID, 16, 64)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("%s: its id is no hexadecimal number", op)
	}
	return c.reconfigure(ctx, op, 0, progress, func(ctx context.Context, m *membership) (bool, error) {
		switch {
		case m.find(func(one *member) bool { return one.ID == id }) == nil:
			return true, nil
		case len(m.members) == 1:
			return false, errors.New("it is etcd's last member, and the data would go with it")
		}
		return false, c.etcd.change(ctx, m, id, func(ctx context.Context, client *clientv3.Client) error {
			_, err := client.MemberRemove(ctx, id)
			return err
		})
	})
}

// moveLeader makes the voting member that is furthest the leader, where From is it now.
func (c *Client) moveLeader(ctx context.Context, action plan.MoveLeader, progress func(hosts.Progress)) (hosts.Outcome, error) {
	var target *member
	done, err := c.reconfigure(ctx, "move etcd's leadership from "+action.From, 0, progress, func(ctx context.Context, m *membership) (bool, error) {
		leader := m.leader()
		switch {
		case leader == nil:
			return false, later("%w", errNoQuorum)
		case leader.Name != action.From:
			return true, nil
		}
		if target = c.etcd.choose(ctx, m, leader.ID); target == nil {
			return false, later("no other voting member answers")
		}
		if leader.report == nil {
			c.etcd.askByURL(ctx, m)
		}
		if leader.report == nil {
			return false, later("%s", leader.why)
		}
		return false, leader.report.client.ask(ctx, c.etcd.pace.change, func(ctx context.Context, client *clientv3.Client) error {
			_, err := client.MoveLeader(ctx, target.ID)
			return err
		})
	})
	if err == nil && done.Result == hosts.Changed && target != nil {
		done.Detail = target.Name + " leads now"
	}
	return done, err
}

// quorumHolds refuses where etcd would have no quorum any more without a member that is about
// to leave, or to be stopped for a moment. A member that does not answer is asked again for a while.
func (c *Client) quorumHolds(ctx context.Context, action plan.QuorumHolds, progress func(hosts.Progress)) (hosts.Outcome, error) {
	return c.reconfigure(ctx, "keep etcd's quorum without "+action.Without, 0, progress, func(ctx context.Context, m *membership) (bool, error) {
		c.etcd.askByURL(ctx, m)
		other := func(one *member) bool { return !one.IsLearner && one.Name != action.Without }
		silent := func(one *member) bool { well, _ := one.well(); return other(one) && !well }
		others := m.count(other)
		well, voters := others-m.count(silent), others
		if action.Stays {
			voters++
		}
		need := hosts.Quorum(voters)
		if well >= need {
			return true, nil
		}
		return false, later("of the %d other members %d would have to answer, and %d do%s", others, need, well, m.names(silent))
	})
}

// choose finds the voting member that is furthest, one excepted; nil where none is well.
func (e *etcd) choose(ctx context.Context, m *membership, except uint64) *member {
	if best := m.furthest(except); best != nil {
		return best
	}
	e.askByURL(ctx, m)
	return m.furthest(except)
}

// change has a voting member carry out a change that is about another: the leader, where it
// can. It need not pass the change on, and says best why it refuses.
func (e *etcd) change(ctx context.Context, m *membership, about uint64, change func(context.Context, *clientv3.Client) error) error {
	through := e.choose(ctx, m, about)
	if leader := m.leader(); leader != nil && leader.ID != about && leader.report != nil {
		through = leader
	}
	if through == nil {
		return later("no other voting member of etcd answers")
	}
	return through.report.client.ask(ctx, e.pace.change, change)
}

// reconfigure tries a change of etcd's members until it is made, etcd refuses it for good,
// or the time is up. A try compares first, and tells whether all is there already.
func (c *Client) reconfigure(ctx context.Context, op string, limit time.Duration, progress func(hosts.Progress),
	try func(context.Context, *membership) (there bool, err error),
) (hosts.Outcome, error) {
	if c.etcd == nil {
		return hosts.Outcome{}, fmt.Errorf("%s: %w", op, errNoEtcd)
	}
	limit = cmp.Or(limit, c.etcd.pace.patience)
	var last *membership
	var asked, changed bool  // asked: etcd was asked for the change, so that it may be there by that
	var failure *hosts.Error // what the last try that had its time ended with
	err := repeat(ctx, limit, progress, func(ctx context.Context) (retry, error) {
		m, err := c.etcd.membership(ctx)
		if err == nil {
			last = m
			var there bool
			there, err = m.try(ctx, try)
			changed = asked || !there
			asked = asked || !isLater(err)
		}
		if err == nil {
			return retry{}, nil
		}
		if ctx.Err() == nil || failure == nil {
			failure = refused(op, err, last)
		}
		if !passingChange(err) {
			return retry{}, failure
		}
		next := retry{c.pace.retry, "waiting: " + brief(failure.Err)}
		if errors.Is(err, rpctypes.ErrMemberLearnerNotReady) {
			next.after = c.pace.poll
		}
		return next, nil
	})
	var stuck *plan.StuckError
	switch {
	case err == nil:
		return outcome(changed, ""), nil
	case errors.As(err, &stuck) && failure != nil:
		failure.Err = fmt.Errorf("%w: %w", stuck, failure.Err)
		return hosts.Outcome{}, failure
	case errors.Is(err, errTimeUp):
		failure.Err = fmt.Errorf("not within %s: %w", limit, failure.Err)
		return hosts.Outcome{}, failure
	case ctx.Err() != nil:
		return hosts.Outcome{}, fmt.Errorf("%s: %w", op, err)
	}
	return hosts.Outcome{}, err
}

// try makes a try where etcd has a quorum.
func (m *membership) try(ctx context.Context, try func(context.Context, *membership) (bool, error)) (there bool, err error) {
	if !m.quorum {
		return false, later("%w", errNoQuorum)
	}
	return try(ctx, m)
}

func isLater(err error) bool {
	var known *laterError
	return errors.As(err, &known)
}

// laterChanges are the refusals by which etcd means that it is not ready yet, or those that
// the next look at its members explains.
var laterChanges = []error{
	rpctypes.ErrMemberNotEnoughStarted, rpctypes.ErrMemberLearnerNotReady, rpctypes.ErrNotLeader,
	rpctypes.ErrTooManyRequests, rpctypes.ErrBadLeaderTransferee,
	rpctypes.ErrMemberExist, rpctypes.ErrPeerURLExist, rpctypes.ErrMemberNotFound, rpctypes.ErrMemberNotLearner,
}

// passingChange tells whether a later try may do what this one could not.
func passingChange(err error) bool {
	var transport *transportError
	if isLater(err) || errors.As(err, &transport) {
		return true
	}
	if slices.ContainsFunc(laterChanges, func(known error) bool { return errors.Is(err, known) }) {
		return true
	}
	if known := (rpctypes.EtcdError{}); errors.As(err, &known) {
		return known.Code() == codes.Unavailable
	}
	// What a member has passed on to the leader comes back without a code of its own.
	status, is := grpcstatus.FromError(err)
	return is && status.Code() == codes.Unknown
}

// refused is a change that etcd did not make, in plain words, with what to do about it.
func refused(op string, err error, m *membership) *hosts.Error {
	failure := &hosts.Error{Kind: hosts.KindBroken, Op: op, Err: err}
	silent := func(one *member) bool { return one.report == nil }
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		failure.Err = later("no member of etcd answers")
	case errors.Is(err, rpctypes.ErrUnhealthy):
		failure.Err = fmt.Errorf("etcd changes no member before enough of them have been connected for 5 s%s", m.names(silent))
		failure.Fix = "bring back the members that do not answer, or remove those of dead hosts: slipway remove NAME --offline"
	case errors.Is(err, rpctypes.ErrMemberNotEnoughStarted):
		failure.Err = fmt.Errorf("etcd changes no member before enough of them have started%s", m.names(func(one *member) bool { return one.Name == "" }))
		failure.Fix = "finish the join of those that have not started, or remove them: slipway join --remove-stale"
	case errors.Is(err, rpctypes.ErrTooManyLearners):
		failure.Err = fmt.Errorf("etcd has a learner already that has no vote yet%s", m.names(func(one *member) bool { return one.IsLearner }))
		failure.Fix = "finish its join, or remove it: slipway join --remove-stale"
	case errors.Is(err, rpctypes.ErrMemberLearnerNotReady):
		failure.Err = errors.New("it is not in sync with etcd's leader yet")
		failure.Fix = "see that etcd runs there and reaches the other control planes on port 2380"
	case errors.Is(err, rpctypes.ErrNoLeader), errors.Is(err, errNoQuorum):
		failure.Err = fmt.Errorf("%w%s", errNoQuorum, m.names(silent))
		failure.Fix = "bring back control planes until most of etcd's members run"
	}
	return failure
}
