package ssh

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	keepaliveInterval = 5 * time.Second
	keepalivePatience = 15 * time.Second
)

// connection is an SSH connection that notices when its other end is gone.
type connection struct {
	*ssh.Client
	watched *watchedConn
	ended   chan struct{} // closed when nothing more can come
	cause   error         // why, once it has ended
	once    sync.Once
	pacer   pacer // of content that is sent over it
}

const (
	// The first pause before a login that was turned away is tried again, and the longest.
	firstPause = 250 * time.Millisecond
	maxPause   = 2 * time.Second
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
	watched := &watchedConn{Conn: raw}
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

// keepAlive asks for a sign of life now and then, and ends a connection that gives none:
// TCP alone would wait for a quarter of an hour.
func (c *connection) keepAlive(interval, patience time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-c.ended:
			return
		case <-ticker.C:
		}
		if silence, asks := c.pacer.silence(); asks {
			// Its questions are signs of life too, and another one would stand behind them.
			if silence > patience {
				_ = c.Close()
			}
			continue
		}
		giveUp := time.AfterFunc(patience, func() { _ = c.Close() })
		_, _, err := c.SendRequest("keepalive@openssh.com", true, nil)
		giveUp.Stop()
		if err != nil {
			return
		}
	}
}

// Close ends the connection; doing so again is no error.
func (c *connection) Close() error {
	var err error
	c.once.Do(func() { err = c.Client.Close() })
	return err
}

// lost tells whether an error came of the connection's end.
func (c *connection) lost(err error) bool {
	var missing *ssh.ExitMissingError
	if errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.As(err, &missing) {
		return true
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed) {
		select {
		case <-c.ended:
			return true
		default:
			return false
		}
	}
	patience := time.NewTimer(time.Second) // the news may take another way
	defer patience.Stop()
	select {
	case <-c.ended:
		return true
	case <-patience.C:
		return false
	}
}

// lostBy puts into an error how the connection ended: what the host said when it hung up,
// and a proxyCommand's last words. That it ended shows in the error itself.
func (c *connection) lostBy(err error) error {
	select {
	case <-c.ended:
	default:
		return fmt.Errorf("the connection was lost: %w", err)
	}
	var said string
	if proxy, ok := c.watched.Conn.(*proxyConn); ok {
		said = proxy.lastWords(exitPatience)
	}
	if c.cause != nil && !errors.Is(c.cause, io.EOF) && !errors.Is(err, c.cause) && !errors.Is(c.cause, net.ErrClosed) {
		said = fmt.Sprintf(" (%v)%s", c.cause, said)
	}
	return fmt.Errorf("the connection was lost: %w%s", err, said)
}

// sessionPatience is how long sshd may take to notice that a session has ended.
const sessionPatience = time.Second

// insist opens a session in spite of a limit on their number that one which has just
// ended may still count against.
func insist[S any](open func() (S, error)) (S, error) {
	deadline := time.Now().Add(sessionPatience)
	for pause := time.Millisecond; ; pause *= 2 {
		session, err := open()
		var full *ssh.OpenChannelError
		switch {
		case err == nil, !errors.As(err, &full):
			return session, err
		case time.Now().After(deadline):
			return session, &hosts.Error{
				Kind: hosts.KindBroken, Op: "open a session", Err: err,
				Fix: "let sshd on the host allow sessions: MaxSessions in /etc/ssh/sshd_config has to be 1 or more",
			}
		}
		time.Sleep(pause)
	}
}

// maxAnswer is how much a command's output may be: those of ours say a few lines, and login
// shells a little more.
const maxAnswer = 64 << 10

// run runs a command and gives what it wrote to stdout.
func (c *connection) run(ctx context.Context, command string) (string, error) {
	return c.feed(ctx, command, nil)
}

// feed runs a command with a stdin.
func (c *connection) feed(ctx context.Context, command string, in io.Reader) (string, error) {
	session, err := insist(c.NewSession)
	if err != nil {
		return "", err
	}
	defer session.Close()
	defer context.AfterFunc(ctx, func() { _ = session.Close() })()
	stdout := &answer{full: func() { _ = session.Close() }}
	stderr := &tail{}
	session.Stdin, session.Stdout, session.Stderr = in, stdout, stderr
	if err := session.Run(command); err != nil || stdout.over {
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case stdout.over:
			err = fmt.Errorf("the host says more than %d bytes where a few lines were asked for", maxAnswer)
		}
		return stdout.String(), fmt.Errorf("%w%s", oneLine{err}, stderr.said("it"))
	}
	return stdout.String(), nil
}

// oneLine is an error whose text the host may have written, as that of a command which a
// signal ended.
type oneLine struct{ error }

func (e oneLine) Error() string { return hosts.CleanLine(e.error.Error()) }
func (e oneLine) Unwrap() error { return e.error }

// answer is a command's output, up to maxAnswer; full is called when it is more.
type answer struct {
	kept bytes.Buffer // not embedded: it would be read into without asking Write
	over bool
	full func()
}

func (a *answer) String() string { return a.kept.String() }

func (a *answer) Write(p []byte) (int, error) {
	if a.kept.Len()+len(p) > maxAnswer {
		a.over = true
		a.full()
		return 0, errTooMuch
	}
	return a.kept.Write(p)
}

var errTooMuch = errors.New("too much output")

// watchedConn keeps the first line that the other end says, for when nothing follows it.
type watchedConn struct {
	net.Conn
	keyed  atomic.Bool // the host has shown its key
	broken atomic.Bool // it has ended
	mutex  sync.Mutex
	first  []byte
	whole  bool
}

// busyWords are what an ssh that is a proxyCommand says of an sshd that turned it away, or
// that sshd itself in the place of its version.
var busyWords = regexp.MustCompile(`(?i)connection closed|closed by|reset by|connection reset|maxstartups|exchange_identification|banner exchange|not allowed at this time`)

// turnedAway tells of a failed handshake that sshd hung up before it had begun, and nobody
// says that it was for another reason.
func (c *watchedConn) turnedAway(err error) bool {
	if !hungUp(err) || c.keyed.Load() {
		return false
	}
	proxy, ok := c.Conn.(*proxyConn)
	if !ok {
		return true
	}
	said := proxy.stderr.String()
	return said == "" || busyWords.MatchString(said)
}

// maxFirst is as much of the first line as is kept.
const maxFirst = 200

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.broken.Store(true)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if n > 0 && !c.whole {
		line, _, end := bytes.Cut(p[:n], []byte("\n"))
		c.first = append(c.first, line...)
		c.whole = end || len(c.first) > maxFirst
	}
	return n, err
}

func (c *watchedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

// seen says how far the other end came. A proxyCommand is given some time to come to its
// last words.
func (c *watchedConn) seen(patience time.Duration) string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var said string
	if proxy, ok := c.Conn.(*proxyConn); ok {
		said = proxy.lastWords(patience)
	}
	first := strings.TrimSpace(string(c.first[:min(len(c.first), maxFirst)]))
	if first == "" {
		return ": connected, but the host sent nothing" + said
	}
	return fmt.Sprintf(": it said %q and then nothing more of use%s", first, said)
}
