package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
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
}

// connect brings a connection up to the end of the handshake, within the timeout.
func connect(ctx context.Context, o Options) (*connection, error) {
	known, err := readKnownHosts(o)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, o.ConnectTimeout)
	defer cancel()
	keys, err := findKeys(bounded, o)
	if err != nil && ctx.Err() != nil {
		err = unreachable(ctx, o, "", ctx.Err())
	}
	if err != nil {
		return nil, err
	}
	defer keys.Close()
	raw, err := dial(bounded, o)
	if err != nil {
		return nil, unreachable(ctx, o, "", err)
	}
	watched := &watchedConn{Conn: raw}
	stop := context.AfterFunc(bounded, func() { _ = raw.Close() })
	client, err := handshake(watched, o, known, keys)
	if !stop() && err == nil {
		_ = client.Close()
		err = bounded.Err()
	}
	if err != nil {
		_ = raw.Close()
		return nil, explainHandshake(ctx, bounded, o, watched, keys, err)
	}
	c := &connection{Client: client, watched: watched, ended: make(chan struct{})}
	go func() {
		c.cause = client.Wait()
		close(c.ended)
	}()
	go c.keepAlive()
	return c, nil
}

func handshake(conn net.Conn, o Options, known *knownHosts, keys *keys) (*ssh.Client, error) {
	config := &ssh.ClientConfig{
		User:              o.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(keys.signers...)},
		HostKeyCallback:   known.check,
		HostKeyAlgorithms: known.algorithms(),
		ClientVersion:     "SSH-2.0-Slipway",
	}
	c, channels, requests, err := ssh.NewClientConn(conn, o.address(), config)
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}

// explainHandshake says what a failed handshake means to the user.
func explainHandshake(ctx, bounded context.Context, o Options, conn *watchedConn, keys *keys, err error) error {
	var known *hosts.Error
	switch {
	case errors.As(err, &known): // what the check of the host key found
		return known
	case ctx.Err() == nil && bounded.Err() != nil && keys.unsigned(o) != nil:
		return keys.unsigned(o)
	case bounded.Err() != nil:
		return unreachable(ctx, o, conn.seen(0), bounded.Err())
	case strings.Contains(err.Error(), "unable to authenticate"),
		strings.Contains(err.Error(), "Too many authentication failures"):
		return keys.refused(o, err)
	default:
		return unreachable(ctx, o, conn.seen(exitPatience), err)
	}
}

// unreachable is the error of a host that did not come as far as a session.
func unreachable(ctx context.Context, o Options, seen string, err error) error {
	fix := fmt.Sprintf("see that the host is up and that sshd listens on %s", o.address())
	if o.ProxyCommand != "" {
		fix = "see that the host is up, and that the proxyCommand reaches it"
	}
	switch {
	case ctx.Err() != nil:
		err, fix = ctx.Err(), ""
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer after %s%s", o.ConnectTimeout, seen)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		err = fmt.Errorf("the connection was closed%s", seen)
	case seen != "":
		err = fmt.Errorf("%w%s", err, seen)
	}
	return &hosts.Error{Kind: hosts.KindUnreachable, Op: "connect to " + o.address(), Err: err, Fix: fix}
}

// keepAlive asks for a sign of life now and then, and ends a connection that gives none:
// TCP alone would wait for a quarter of an hour.
func (c *connection) keepAlive() {
	ticker := time.NewTicker(keepaliveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-c.ended:
			return
		case <-ticker.C:
		}
		giveUp := time.AfterFunc(keepalivePatience, func() { _ = c.Close() })
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
				Fix: "let sshd on the host allow at least two sessions in one connection: MaxSessions in /etc/ssh/sshd_config",
			}
		}
		time.Sleep(pause)
	}
}

// run runs a command and gives what it wrote to stdout.
func (c *connection) run(ctx context.Context, command string) (string, error) {
	session, err := insist(c.NewSession)
	if err != nil {
		return "", err
	}
	defer session.Close()
	defer context.AfterFunc(ctx, func() { _ = session.Close() })()
	var stdout bytes.Buffer
	stderr := &tail{}
	session.Stdout, session.Stderr = &stdout, stderr
	if err := session.Run(command); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return stdout.String(), fmt.Errorf("%w%s", err, stderr.said("it"))
	}
	return stdout.String(), nil
}

// watchedConn keeps the first line that the other end says, for when nothing follows it.
type watchedConn struct {
	net.Conn
	mutex sync.Mutex
	first []byte
	whole bool
}

// maxFirst is as much of the first line as is kept.
const maxFirst = 200

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if n > 0 && !c.whole {
		line, _, end := bytes.Cut(p[:n], []byte("\n"))
		c.first = append(c.first, line...)
		c.whole = end || len(c.first) > maxFirst
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
		return ": connected, but it never said a word" + said
	}
	return fmt.Sprintf(": it said %q and then nothing more of use%s", first, said)
}
