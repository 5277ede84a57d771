package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// connect brings a connection up to the end of the handshake, within the timeout. A busy
// sshd, the host's or a jump host's, turns away who comes while too many are logging in:
// then it is tried again. The wait for a turn is not counted, nor is a try while others are let in.
func connect(ctx context.Context, o Options) (*connection, error) {
	known, err := readKnownHosts(o)
	if err != nil {
		return nil, err
	}
	left := o.ConnectTimeout
	var turn *turn
	for tries, pause := 1, firstPause; ; tries, pause = tries+1, min(2*pause, maxPause) {
		if turn, err = o.Gate.login(ctx, o, turn); err != nil {
			return nil, unreachable(ctx, o, "", err)
		}
		o.tell("logging in")
		c, end := login(ctx, left, o, known)
		if others := turn.over(end.err == nil, end.busy); end.busy && others {
			end.left = left + pause // it is the others' turn, and the host is there
		}
		switch left = end.left - pause; {
		case end.again && left > 0: // the host hung up while the operator was asked
			left += pause
			continue
		case end.err == nil, !end.busy, left <= 0:
			return c, afterTries(end.err, end.busy, tries)
		}
		jitter := time.Duration(rand.Int64N(int64(pause))) // those who were turned away together come back apart
		if err := hosts.Pause(ctx, pause/2+jitter/2); err != nil {
			return nil, unreachable(ctx, o, "", err)
		}
	}
}

// afterTries says of a login that was turned away again and again what may be done.
func afterTries(err error, busy bool, tries int) error {
	var known *hosts.Error
	if !busy || !errors.As(err, &known) {
		return err
	}
	told := *known
	told.Err = fmt.Errorf("%w (tried %d times)", known.Err, tries)
	told.Fix = fixTurnedAway(known.Err.Error()) + "; " + known.Fix
	return &told
}

// loginEnd is how a try to log in has ended.
type loginEnd struct {
	left  time.Duration // of the time that the host has
	busy  bool          // it was turned away before the host had shown its key, as by an sshd that too many log in to
	again bool          // it may be tried again at once
	err   error
}

// login is one try.
func login(ctx context.Context, left time.Duration, o Options, known *knownHosts) (*connection, loginEnd) {
	clock := newPatience(ctx, left)
	c, end := loginWithin(ctx, clock, o, known)
	end.left = clock.end()
	return c, end
}

func loginWithin(ctx context.Context, clock *patience, o Options, known *knownHosts) (*connection, loginEnd) {
	keys, err := findKeys(clock, o, clock.pause)
	if err != nil && ctx.Err() != nil {
		err = unreachable(ctx, o, "", ctx.Err())
	}
	if err != nil {
		return nil, loginEnd{err: err}
	}
	defer keys.Close()
	auth := &authentication{ctx: clock, clock: clock, options: o, keys: keys, asked: map[string]int{}}
	if err := auth.prime(); err != nil {
		if ctx.Err() != nil {
			err = unreachable(ctx, o, "", ctx.Err())
		}
		return nil, loginEnd{err: err}
	}
	raw, err := dial(clock, o, clock)
	if err != nil {
		return nil, loginEnd{err: unreachable(ctx, o, "", cmp.Or(clock.Err(), err))}
	}
	watched := &watchedConn{Conn: raw, greeted: func() { clock.atLeast(o.greeted) }}
	auth.conn = watched
	stop := context.AfterFunc(clock, func() { _ = raw.Close() })
	client, err := handshake(watched, o, known, auth)
	if !stop() && err == nil {
		_ = client.Close()
		err = clock.Err()
	}
	if err != nil {
		_ = raw.Close()
		auth.ended(err)
		end := loginEnd{err: explainHandshake(ctx, clock, o, watched, keys, err)}
		end.busy = clock.Err() == nil && watched.turnedAway(err)
		end.again = clock.Err() == nil && (auth.waited && hungUp(err) || known.otherType(err))
		if known.mismatch != nil && strings.Contains(err.Error(), "no common algorithm for host key") {
			end.err = known.mismatch // it has no key of another type
		}
		return nil, end
	}
	auth.accepted()
	c := &connection{Client: client, watched: watched, ended: make(chan struct{})}
	go func() {
		c.cause = client.Wait()
		close(c.ended)
	}()
	go c.keepAlive(cmp.Or(o.alive, keepaliveInterval), cmp.Or(o.alivePatience, keepalivePatience))
	return c, loginEnd{}
}

// clientVersion is how we introduce ourselves.
const clientVersion = "SSH-2.0-Slipway"

func handshake(conn *watchedConn, o Options, known *knownHosts, auth *authentication) (*ssh.Client, error) {
	config := &ssh.ClientConfig{
		User: o.User, AuthCallback: auth.method,
		HostKeyCallback: func(address string, remote net.Addr, key ssh.PublicKey) error {
			conn.keyed.Store(true)
			return known.check(address, remote, key)
		},
		HostKeyAlgorithms: known.algorithms(),
		ClientVersion:     clientVersion,
	}
	c, channels, requests, err := ssh.NewClientConn(conn, o.address(), config)
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}

// explainHandshake says what a failed handshake means to the user.
func explainHandshake(ctx context.Context, bounded *patience, o Options, conn *watchedConn, keys *keys, err error) error {
	var known *hosts.Error
	switch {
	case errors.As(err, &known): // what the check of the host key found
		return known
	case ctx.Err() == nil && bounded.Err() != nil && keys.unsigned(o) != nil:
		return keys.unsigned(o)
	case bounded.Err() != nil:
		o.ConnectTimeout = (o.ConnectTimeout + bounded.added).Round(time.Millisecond)
		return unreachable(ctx, o, conn.seen(0), bounded.Err())
	case tooManyFailures(err):
		return keys.tooMany(o)
	default:
		return unreachable(ctx, o, conn.seen(exitPatience), err)
	}
}

// unreachable is the error of a host that did not come as far as a session.
func unreachable(ctx context.Context, o Options, seen string, err error) error {
	var known *hosts.Error
	if errors.As(err, &known) && ctx.Err() == nil {
		return known // a jump host's
	}
	fix := fmt.Sprintf("see that the host is up and that sshd listens on %s", o.address())
	switch {
	case o.ProxyCommand != "":
		fix = "see that the host is up, and that the proxyCommand reaches it"
	case len(o.Jump) > 0:
		fix = fmt.Sprintf("see that the host is up, and that the jump host %s reaches %s", o.Jump[len(o.Jump)-1], o.address())
	}
	switch {
	case ctx.Err() != nil:
		err, fix = ctx.Err(), ""
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer after %s%s", o.ConnectTimeout, seen)
	case hungUp(err):
		err = fmt.Errorf("the connection was closed%s", seen)
	case seen != "":
		err = fmt.Errorf("%w%s", err, seen)
	}
	return &hosts.Error{Kind: hosts.KindUnreachable, Op: "connect to " + o.address(), Err: err, Fix: fix}
}

// hungUp tells that the other end closed the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
