package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
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
	keyed   atomic.Bool // the host has shown its key
	broken  atomic.Bool // it has ended
	greeted func()      // is called when the first line is there, and is sshd's
	mutex   sync.Mutex
	first   []byte
	whole   bool
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
		if c.whole && bytes.HasPrefix(c.first, []byte("SSH-")) {
			c.greeted()
		}
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
