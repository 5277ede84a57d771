package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// dial connects to the host: through a jump host, by the proxyCommand, or directly.
func dial(ctx context.Context, o Options, clock *patience) (net.Conn, error) {
	if len(o.Jump) > 0 {
		return dialThrough(ctx, o, clock)
	}
	if o.ProxyCommand == "" {
		dialer := net.Dialer{}
		if o.bindAddress != "" {
			from, err := net.ResolveTCPAddr(o.network(), net.JoinHostPort(o.bindAddress, "0"))
			if err != nil {
				return nil, fmt.Errorf("connect from the BindAddress of the configuration of ssh: %w", err)
			}
			dialer.LocalAddr = from
		}
		return dialer.DialContext(ctx, o.network(), o.address())
	}
	command, err := expand(o.ProxyCommand, o)
	if err != nil {
		return nil, fmt.Errorf("expand the proxyCommand: %w", err)
	}
	return startProxy(command)
}

// network is the family of addresses that is used.
func (o Options) network() string { return cmp.Or(o.family, "tcp") }

// plain is what may be put into a shell's line without quoting.
var plain = regexp.MustCompile(`^[A-Za-z0-9_.:%@\[\]][A-Za-z0-9_.:%@\[\]-]*$`)

// expand replaces the tokens of a proxyCommand, as OpenSSH does: without quoting, so
// what is put in may only be plain.
func expand(command string, o Options) (string, error) {
	tokens := map[byte]string{
		'h': o.Host, 'p': strconv.Itoa(o.Port), 'r': o.User, 'n': cmp.Or(o.typed, o.Name), '%': "%",
	}
	var out strings.Builder
	for i := 0; i < len(command); i++ {
		if command[i] != '%' {
			out.WriteByte(command[i])
			continue
		}
		if i++; i == len(command) {
			return "", errors.New("it ends in a lone %")
		}
		value, known := tokens[command[i]]
		if !known {
			return "", fmt.Errorf("%%%c is none of %%h, %%p, %%r, %%n and %%%%", command[i])
		}
		if command[i] != '%' && !plain.MatchString(value) {
			return "", fmt.Errorf("%%%c stands for %q, which does not belong into a shell's line", command[i], value)
		}
		out.WriteString(value)
	}
	return out.String(), nil
}

// proxyConn is a connection over the stdin and stdout of a command.
type proxyConn struct {
	in, out *os.File // what it writes, what it reads
	process *exec.Cmd
	stderr  *tail
	exited  chan struct{}
	once    sync.Once
}

// startProxy runs the command in a session of its own, so that a Ctrl-C meant for
// slipway does not cut the connection while it is stopping in good order.
func startProxy(command string) (*proxyConn, error) {
	in, childOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the proxyCommand: %w", err)
	}
	childIn, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the proxyCommand: %w", err), in.Close(), childOut.Close())
	}
	p := &proxyConn{
		in: in, out: out, stderr: &tail{}, exited: make(chan struct{}),
		process: exec.Command("sh", "-c", command),
	}
	p.process.Stdin, p.process.Stdout, p.process.Stderr = childIn, childOut, p.stderr
	p.process.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.process.WaitDelay = time.Second // for whoever inherits its stderr
	err = proxies.start(p)
	_ = childIn.Close() // the child has its own
	_ = childOut.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the proxyCommand: %w", err), in.Close(), out.Close())
	}
	go func() {
		_ = p.process.Wait() // how it ended shows in what it said
		close(p.exited)
	}()
	return p, nil
}

func (p *proxyConn) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *proxyConn) Write(b []byte) (int, error) { return p.out.Write(b) }

// lastWords is what the command wrote to stderr, once it has ended or patience has.
func (p *proxyConn) lastWords(patience time.Duration) string {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-p.exited:
	case <-timeout.C:
	}
	return p.stderr.said("the proxyCommand")
}

// Close ends the command: first by the end of its input, then by force.
func (p *proxyConn) Close() error {
	p.once.Do(func() {
		_ = p.out.Close()
		_ = p.in.Close()
		go func() {
			patience := time.NewTimer(time.Second)
			defer patience.Stop()
			select {
			case <-p.exited:
			case <-patience.C:
			}
			p.end()
		}()
	})
	return nil
}

// proxies are the commands that run, until their groups were ended.
var proxies = running{commands: map[*proxyConn]bool{}}

type running struct {
	mutex    sync.Mutex
	commands map[*proxyConn]bool
	over     bool // no more are started
}

var errEnding = errors.New("slipway is ending")

func (r *running) start(p *proxyConn) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.over {
		return errEnding
	}
	err := p.process.Start()
	if err == nil {
		r.commands[p] = true
	}
	return err
}

// end ends by force the command and those that it started and left behind: the group is
// its own. It is done once: later the group's number may be somebody else's.
func (p *proxyConn) end() {
	proxies.mutex.Lock()
	defer proxies.mutex.Unlock()
	p.kill()
}

// kill is end for who holds the mutex of proxies.
func (p *proxyConn) kill() {
	if proxies.commands[p] {
		delete(proxies.commands, p)
		_ = syscall.Kill(-p.process.Process.Pid, syscall.SIGKILL)
	}
}

// EndProxyCommands ends every proxyCommand that still runs, and has no more started. It is
// for a process that is about to exit: the commands have sessions of their own, and would
// live on. One whose connection was closed has a second to end by itself, which ends here.
func EndProxyCommands() {
	proxies.mutex.Lock()
	defer proxies.mutex.Unlock()
	proxies.over = true
	for p := range proxies.commands {
		select {
		case <-p.exited: // its number may be somebody else's by now
		default:
			p.kill()
		}
	}
}

func (p *proxyConn) LocalAddr() net.Addr  { return proxyAddr{} }
func (p *proxyConn) RemoteAddr() net.Addr { return proxyAddr{} }

func (p *proxyConn) SetDeadline(t time.Time) error {
	return errors.Join(p.in.SetReadDeadline(t), p.out.SetWriteDeadline(t))
}
func (p *proxyConn) SetReadDeadline(t time.Time) error  { return p.in.SetReadDeadline(t) }
func (p *proxyConn) SetWriteDeadline(t time.Time) error { return p.out.SetWriteDeadline(t) }

type proxyAddr struct{}

func (proxyAddr) Network() string { return "proxyCommand" }
func (proxyAddr) String() string  { return "proxyCommand" }
