package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	return c.reconfigure(ctx, op, 0, progress, func(ctx context.Context, r *roster) (bool, error) {
		for _, s := range r.seats {
			if s.Name == action.Name || slices.Contains(s.PeerURLs, action.Peer) {
				return true, nil
			}
		}
		return false, c.etcd.tell(ctx, r, 0, func(ctx context.Context, client *clientv3.Client) error {
			_, err := client.MemberAddAsLearner(ctx, []string{action.Peer})
			return err
		})
	})
}

// memberPromote gives a learner its vote as soon as it is in sync with the leader.
func (c *Client) memberPromote(ctx context.Context, action plan.MemberPromote, progress func(hosts.Progress)) (hosts.Outcome, error) {
	limit := time.Duration(action.Timeout) * time.Second
	if limit <= 0 {
		limit = defaultWait
	}
	op := "promote etcd member " + action.Name
	return c.reconfigure(ctx, op, limit, progress, func(ctx context.Context, r *roster) (bool, error) {
		learner := r.find(func(s *seat) bool { return s.Name == action.Name && s.IsLearner })
		switch {
		case learner != nil:
			return false, c.etcd.tell(ctx, r, learner.ID, func(ctx context.Context, client *clientv3.Client) error {
				_, err := client.MemberPromote(ctx, learner.ID)
				return err
			})
		case r.find(func(s *seat) bool { return s.Name == action.Name }) != nil:
			return true, nil
		case r.find(func(s *seat) bool { return s.Name == "" }) == nil:
			return false, errors.New("etcd has no such member, nor one that is yet to start")
		}
		return false, &laterError{errors.New(notStarted)} // it tells its name when it does
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
	return c.reconfigure(ctx, op, 0, progress, func(ctx context.Context, r *roster) (bool, error) {
		switch {
		case r.find(func(s *seat) bool { return s.ID == id }) == nil:
			return true, nil
		case len(r.seats) == 1:
			return false, errors.New("it is etcd's last member, and the data would go with it")
		}
		return false, c.etcd.tell(ctx, r, id, func(ctx context.Context, client *clientv3.Client) error {
			_, err := client.MemberRemove(ctx, id)
			return err
		})
	})
}

// moveLeader makes the voting member that is furthest the leader, where From is it now.
func (c *Client) moveLeader(ctx context.Context, action plan.MoveLeader, progress func(hosts.Progress)) (hosts.Outcome, error) {
	var heir *seat
	done, err := c.reconfigure(ctx, "move etcd's leadership from "+action.From, 0, progress, func(ctx context.Context, r *roster) (bool, error) {
		id := r.leader()
		leader := r.find(func(s *seat) bool { return s.ID == id })
		switch {
		case leader == nil:
			return false, &laterError{errNoQuorum}
		case leader.Name != action.From:
			return true, nil
		}
		if heir = c.etcd.choose(ctx, r, id); heir == nil {
			return false, &laterError{errors.New("no other voting member answers")}
		}
		target := heir.ID
		if leader.word == nil {
			c.etcd.askAfar(ctx, r)
		}
		if leader.word == nil {
			return false, &laterError{errors.New(leader.why)}
		}
		return false, leader.word.door.ask(ctx, c.etcd.pace.change, func(ctx context.Context, client *clientv3.Client) error {
			_, err := client.MoveLeader(ctx, target)
			return err
		})
	})
	if err == nil && done.Result == hosts.Changed && heir != nil {
		done.Detail = heir.Name + " leads now"
	}
	return done, err
}

// quorumHolds refuses where etcd would have no quorum any more without a member that is
// about to leave, or to be stopped for a moment. Who does not answer just now is asked again for a while.
func (c *Client) quorumHolds(ctx context.Context, action plan.QuorumHolds, progress func(hosts.Progress)) (hosts.Outcome, error) {
	return c.reconfigure(ctx, "keep etcd's quorum without "+action.Without, 0, progress, func(ctx context.Context, r *roster) (bool, error) {
		c.etcd.askAfar(ctx, r)
		rest, well := 0, 0
		for _, s := range r.seats {
			if s.IsLearner || s.Name == action.Without {
				continue
			}
			rest++
			if answers, _ := s.well(); answers {
				well++
			}
		}
		voters := rest
		if action.Stays {
			voters++
		}
		need := voters/2 + 1
		if well >= need {
			return true, nil
		}
		silent := r.those(func(s *seat) bool {
			answers, _ := s.well()
			return !answers && !s.IsLearner && s.Name != action.Without
		})
		return false, &laterError{fmt.Errorf("of the %d other members %d would have to answer, and %d do%s", rest, need, well, silent)}
	})
}

// find is the first member that is meant; nil where there is none.
func (r *roster) find(meant func(*seat) bool) *seat {
	if i := slices.IndexFunc(r.seats, meant); i >= 0 {
		return r.seats[i]
	}
	return nil
}

// choose finds the voting member that is furthest, one excepted; nil where none is well.
func (e *etcd) choose(ctx context.Context, r *roster, except uint64) *seat {
	best := r.furthest(except)
	if best == nil {
		e.askAfar(ctx, r)
		best = r.furthest(except)
	}
	return best
}

func (r *roster) furthest(except uint64) *seat {
	var best *seat
	for _, s := range r.seats {
		if well, _ := s.well(); !well || s.IsLearner || s.ID == except {
			continue
		}
		if best == nil || s.word.status.RaftAppliedIndex > best.word.status.RaftAppliedIndex {
			best = s
		}
	}
	return best
}

// tell has a voting member carry out a change that is about another: the leader, where it
// can, who need not pass it on and says best why not.
func (e *etcd) tell(ctx context.Context, r *roster, about uint64, change func(context.Context, *clientv3.Client) error) error {
	teller := e.choose(ctx, r, about)
	leads := r.leader()
	if leader := r.find(func(s *seat) bool { return s.ID == leads && leads != about && s.word != nil }); leader != nil {
		teller = leader
	}
	if teller == nil {
		return &laterError{errors.New("no other voting member of etcd answers")}
	}
	return teller.word.door.ask(ctx, e.pace.change, change)
}

// laterError is a state of etcd in which a change cannot be made yet.
type laterError struct{ err error }

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// change is a change of etcd's members on its way to being made.
type change struct {
	op  string
	try func(context.Context, *roster) (there bool, err error)
	// tried tells whether etcd was asked for it, so that it may be there by that; last is the
	// roster that was had last.
	tried bool
	last  *roster
}

// reconfigure tries a change of etcd's members until it is made, etcd refuses it for good,
// or the time is up. A try compares first, and tells whether all is there already.
func (c *Client) reconfigure(ctx context.Context, op string, limit time.Duration, progress func(hosts.Progress),
	try func(context.Context, *roster) (there bool, err error),
) (hosts.Outcome, error) {
	if c.etcd == nil {
		return hosts.Outcome{}, fmt.Errorf("%s: %w", op, errNoEtcd)
	}
	if limit == 0 {
		limit = c.etcd.pace.patience
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	wanted := &change{op: op, try: try}
	told := ""
	var seen error // what a try that had its time ended with
	for {
		there, err := wanted.once(within, c.etcd)
		if err == nil {
			return outcome(!there, ""), nil
		}
		if ctx.Err() != nil {
			return hosts.Outcome{}, fmt.Errorf("%s: %w", op, context.Cause(ctx))
		}
		if within.Err() == nil || seen == nil {
			seen = err
			if errors.Is(seen, context.DeadlineExceeded) {
				seen = &laterError{errors.New("no member of etcd answers")}
			}
		}
		failure := wanted.refused(seen)
		if within.Err() == nil && !passingChange(err) {
			return hosts.Outcome{}, failure
		}
		if note := "waiting: " + brief(failure.Err); note != told {
			told = note
			progress(hosts.Progress{Note: note})
		}
		if pause(within, c.breath(err)) != nil && ctx.Err() == nil {
			failure.Err = fmt.Errorf("not within %s: %w", limit, failure.Err)
			return hosts.Outcome{}, failure
		}
	}
}

// once compares, and asks etcd for the change where it is not there. What is there after
// etcd was asked for it, though the answer was lost, was not there before.
func (w *change) once(ctx context.Context, e *etcd) (there bool, err error) {
	r, err := e.roster(ctx, false)
	if err != nil {
		return false, err
	}
	w.last = r
	if !r.quorum {
		return false, &laterError{errNoQuorum}
	}
	there, err = w.try(ctx, r)
	there = there && !w.tried
	if later := (*laterError)(nil); !errors.As(err, &later) {
		w.tried = true
	}
	return there, err
}

// breath is how long is waited before the next try.
func (c *Client) breath(err error) time.Duration {
	if errors.Is(err, rpctypes.ErrMemberLearnerNotReady) {
		return c.pace.poll
	}
	return c.pace.retry
}

// spoke tells whether an error is a member's own answer.
func spoke(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	if known := (rpctypes.EtcdError{}); errors.As(err, &known) {
		return true
	}
	switch grpcstatus.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return false
	default:
		return true
	}
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
	var later *laterError
	var transport *transportError
	if errors.As(err, &later) || errors.As(err, &transport) {
		return true
	}
	if slices.ContainsFunc(laterChanges, func(known error) bool { return errors.Is(err, known) }) {
		return true
	}
	if known := (rpctypes.EtcdError{}); errors.As(err, &known) {
		return known.Code() == codes.Unavailable
	}
	// What a member has passed on to the leader comes back without a code of its own.
	said, is := grpcstatus.FromError(err)
	return is && said.Code() == codes.Unknown
}

// refused is a change that etcd did not make, in plain words, with what to do about it.
func (w *change) refused(err error) *hosts.Error {
	told := &hosts.Error{Kind: hosts.KindBroken, Op: w.op, Err: err}
	r := w.last
	switch {
	case errors.Is(err, rpctypes.ErrUnhealthy):
		told.Err = fmt.Errorf("etcd changes no member before enough of them have been connected for 5 s%s", r.those(func(s *seat) bool { return s.word == nil }))
		told.Fix = "bring back the members that do not answer, or remove those of dead hosts: slipway remove NAME --offline"
	case errors.Is(err, rpctypes.ErrMemberNotEnoughStarted):
		told.Err = fmt.Errorf("etcd changes no member before enough of them have started%s", r.those(func(s *seat) bool { return s.Name == "" }))
		told.Fix = "finish the join of those that have not started, or remove them: slipway join --remove-stale"
	case errors.Is(err, rpctypes.ErrTooManyLearners):
		told.Err = fmt.Errorf("etcd has a learner already that has no vote yet%s", r.those(func(s *seat) bool { return s.IsLearner }))
		told.Fix = "finish its join, or remove it: slipway join --remove-stale"
	case errors.Is(err, rpctypes.ErrMemberLearnerNotReady):
		told.Err = errors.New("it is not in sync with etcd's leader yet")
		told.Fix = "see that etcd runs there and reaches the other control planes on port 2380"
	case errors.Is(err, rpctypes.ErrNoLeader), errors.Is(err, errNoQuorum):
		told.Err = fmt.Errorf("%w%s", errNoQuorum, r.those(func(s *seat) bool { return s.word == nil }))
		told.Fix = "bring back control planes until most of etcd's members run"
	}
	return told
}

// those lists members, as the end of a sentence.
func (r *roster) those(meant func(*seat) bool) string {
	if r == nil {
		return ""
	}
	var names []string
	for _, s := range r.seats {
		if !meant(s) {
			continue
		}
		name := s.Name
		if name == "" {
			name = strings.Join(s.PeerURLs, ", ")
		}
		if s.why != "" && (s.asked || s.Name == "") {
			name += " (" + s.why + ")"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, "; ")
}
