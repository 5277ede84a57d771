package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// Jump is a host on the way to another one. What it does not say, the configuration of ssh says of it as one
// would type it at ssh.
type Jump struct {
	Host         string
	Port         int    // 22 unless said
	User         string // the operator's own login name unless said, as ssh has it
	IdentityFile string // the keys as for other hosts unless said
}

// String is how it is written: [user@]host[:port].
func (j Jump) String() string {
	text := j.Host
	if j.Port != 0 {
		text = net.JoinHostPort(j.Host, strconv.Itoa(j.Port))
	}
	if j.User != "" {
		text = j.User + "@" + text
	}
	return text
}

// parseJumps reads a chain of jump hosts, the first of which is connected to first.
func parseJumps(text string) ([]Jump, error) {
	var all []Jump
	for hop := range strings.SplitSeq(text, ",") {
		one, err := ParseJump(hop)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// ParseJump reads [user@]host[:port], or ssh://[user@]host[:port].
func ParseJump(text string) (Jump, error) {
	rest := strings.TrimSuffix(strings.TrimPrefix(text, "ssh://"), "/")
	var j Jump
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		j.User, rest = rest[:at], rest[at+1:]
		if j.User == "" {
			return j, fmt.Errorf("%q is no jump host such as ops@bastion.example.com:22", text)
		}
	}
	var err error
	if j.Host, j.Port, err = splitHostPort(rest); err != nil || !isHostName(j.Host) {
		return j, fmt.Errorf("%q is no jump host such as ops@bastion.example.com:22", text)
	}
	return j, nil
}

// jumps are the connections to jump hosts, each shared by all hosts behind it.
type jumps struct {
	mutex sync.Mutex
	open  map[string]*jumpHost
}

// jumpHost is a connection that lasts as long as somebody uses it.
type jumpHost struct {
	key   string
	stop  context.CancelFunc // of the connecting
	ready chan struct{}      // closed when it is known whether it came to be
	conn  *connection
	err   error
	users int
}

// jumpName is what a jump host is called in texts; empty for another host.
func (o Options) jumpName() string {
	if !o.forJump {
		return ""
	}
	return "the jump host " + o.address()
}

// toJump are the options that reach the last of the jump hosts: through those before it, or as the configuration
// of ssh says of the first. Keys of hosts may also stand in the cluster file's known_hosts file.
func (o Options) toJump(ctx context.Context) (Options, error) {
	last := o.Jump[len(o.Jump)-1]
	own := DefaultUser
	if me, err := user.Current(); err == nil {
		own = me.Username
	}
	j, err := resolve(ctx, Options{
		Name: o.Name, Host: last.Host, Port: last.Port, User: last.User, IdentityFile: last.IdentityFile, LoginName: own,
		ConfigFile: o.ConfigFile, IdentityAgent: o.IdentityAgent, KnownHostsFile: o.KnownHostsFile, Jump: o.Jump[:len(o.Jump)-1],
		ConnectTimeout: o.ConnectTimeout, greeted: o.greeted, Gate: o.Gate, Tell: o.Tell, Note: o.Note, Shared: o.Shared, TrustOnFirstUse: o.TrustOnFirstUse,
		forJump: true,
	})
	if err != nil {
		return j, err
	}
	if key := j.jumpKey(); slices.Contains(o.beyond, key) {
		return j, &hosts.Error{
			Kind: hosts.KindBroken, Op: "connect to " + o.address(), Err: fmt.Errorf("jump hosts lead in a circle, by way of %s", last),
			Fix: "say ProxyJump none for the jump host itself in ~/.ssh/config, above the lines that are about all hosts",
		}
	} else {
		j.beyond = append(slices.Clone(o.beyond), key)
	}
	return j, nil
}

// jumpKey is what is the same for all who may share a connection to a jump host.
func (o Options) jumpKey() string {
	return fmt.Sprint(o.User, "@", o.address(), o.IdentityFiles, o.identityFiles, o.KnownHostsFile, o.ProxyCommand)
}

// dialThrough connects to the host over the jump host's own connection.
func dialThrough(ctx context.Context, o Options, clock *patience) (net.Conn, error) {
	j, err := o.toJump(ctx)
	if err != nil {
		return nil, err
	}
	resume := clock.pause() // it has a time of its own
	o.tell("waiting for " + j.jumpName())
	shared := o.Shared
	host, err := shared.jumps.take(ctx, j)
	resume()
	if err != nil {
		return nil, j.asJump(err, o)
	}
	o.tell("logging in")
	conn, err := host.conn.DialContext(ctx, "tcp", o.address())
	if err != nil {
		shared.jumps.leave(host)
		return nil, j.noWay(err, o)
	}
	return &jumpedConn{Conn: conn, leave: sync.OnceFunc(func() { shared.jumps.leave(host) })}, nil
}

// jumpedConn is a connection through a jump host, which may be left once it is closed.
type jumpedConn struct {
	net.Conn
	leave func()
}

func (c *jumpedConn) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}

// take gives the connection to a jump host, and makes it where there is none that lives.
func (all *jumps) take(ctx context.Context, o Options) (*jumpHost, error) {
	key := o.jumpKey() + fmt.Sprint(o.Jump)
	all.mutex.Lock()
	host := all.open[key]
	fresh := host == nil || host.gone()
	if fresh {
		host = &jumpHost{key: key, ready: make(chan struct{})}
		all.open[key] = host
		var own context.Context // whoever asked first may give up, and the others not
		own, host.stop = context.WithCancel(context.WithoutCancel(ctx))
		go func() {
			host.conn, host.err = connect(own, o)
			close(host.ready)
		}()
	}
	host.users++
	all.mutex.Unlock()
	select {
	case <-host.ready:
	case <-ctx.Done():
		all.leave(host)
		return nil, ctx.Err()
	}
	if host.err != nil {
		all.leave(host)
		return nil, host.err
	}
	return host, nil
}

// gone tells that a connection has ended, or did not come to be.
func (h *jumpHost) gone() bool {
	select {
	case <-h.ready:
	default:
		return false
	}
	if h.err != nil {
		return true
	}
	select {
	case <-h.conn.ended:
		return true
	default:
		return false
	}
}

// leave closes a connection that nobody uses any more, or waits for.
func (all *jumps) leave(host *jumpHost) {
	all.mutex.Lock()
	host.users--
	last := host.users == 0
	if last && all.open[host.key] == host {
		delete(all.open, host.key)
	}
	all.mutex.Unlock()
	if !last {
		return
	}
	host.stop()
	<-host.ready // it is given up at once
	if host.conn != nil {
		_ = host.conn.Close() // which leaves the jump host before it
	}
}

// asJump says of an error that it is a jump host's.
func (o Options) asJump(err error, behind Options) error {
	var known *hosts.Error
	if !errors.As(err, &known) {
		return err
	}
	return &hosts.Error{Kind: known.Kind, Op: fmt.Sprintf("connect to %s through %s", behind.address(), o.jumpName()), Err: err, Fix: known.Fix}
}

// noWay says why a jump host did not connect.
func (o Options) noWay(err error, behind Options) error {
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) {
		return err
	}
	e := &hosts.Error{Kind: hosts.KindUnreachable, Op: fmt.Sprintf("connect to %s through %s", behind.address(), o.jumpName())}
	switch refused.Reason {
	case ssh.Prohibited, ssh.UnknownChannelType:
		e.Err = fmt.Errorf("it forbids TCP forwarding (%s)", hosts.CleanLine(cmp.Or(refused.Message, refused.Reason.String())))
		e.Fix = fmt.Sprintf("in sshd_config on the jump host, for %s: AllowTcpForwarding yes (or local), and PermitOpen %s or any; or reach the host another way by ssh.proxyCommand, such as %s nc %%h %%p",
			o.User, behind.address(), o.byHand("", ""))
	default:
		e.Err = fmt.Errorf("it cannot connect: %s", hosts.CleanLine(cmp.Or(refused.Message, refused.Reason.String())))
		e.Fix = fmt.Sprintf("see that the host is up, that sshd listens on %s, and that the jump host reaches it: %s",
			behind.address(), o.byHand("", fmt.Sprintf("nc -zv %s %d", behind.Host, behind.Port)))
	}
	return e
}
