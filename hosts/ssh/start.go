package ssh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// startScript runs the agent where its binary is there already, and else says what kind
// of host this is: one command either way. $1 is the binary's digest, $2 the directory
// unless it is the usual one.
//
// sudo is settled here, once. One that asks for a password would get it by stdin ahead
// of the first frame (sudo -S), in the place of `sudo -n`.
//
// What it runs becomes root. So nobody but the login user may have had a hand in the
// directories that it lies in, nor in the inbox: a link counts as what it leads to.
const startScript = `LC_ALL=C; export LC_ALL; u=$(id -u); d=$2; ` +
	`if [ -z "$d" ]; then if [ "$u" = 0 ]; then d=/var/lib/slipway; else d=$HOME/.cache/slipway; fi; fi; ` +
	`s=; [ "$u" = 0 ] || s="sudo -n --"; a=$d/agent/$1/slipway; ` +
	`for p in "$d" "$d/agent" "$d/agent/$1" "$a" "$d/inbox"; do [ -e "$p" ] || continue; ` +
	`w=; [ -O "$p" ] || w="does not belong to $(id -un)"; ` +
	`case $(ls -ldL "$p") in ?????w*|????????w*) w="may be written to by others";; [-d]*) ;; *) w="does not show who may write to it";; esac; ` +
	`[ -z "$w" ] || { echo "` + unsafeWord + ` $p $w"; exit 1; }; done; ` +
	`if [ -f "$a" ]; then echo "` + thereWord + ` $d"; exec $s "$a" agent serve --inbox "$d/inbox"; fi; ` +
	`r=0; [ "$u" = 0 ] || $s true || r=$?; ` +
	`echo "` + absentWord + ` $r $(uname -s) $(uname -m) $d"`

// What startScript's own lines begin with.
const (
	thereWord  = "slipway-agent-there"
	absentWord = "slipway-agent-absent"
	unsafeWord = "slipway-agent-unsafe"
)

// startPatience is how long a started agent may take to say hello.
const startPatience = 30 * time.Second

// place is what startScript found out about a host.
type place struct {
	directory string
	there     bool   // the binary is in its place
	unsafe    string // what others may write to, and why; nothing was done then
	// Of a host that lacks the binary:
	sudo     bool // may be had, where it is needed
	platform Platform
}

// guessBinary is the agent for a host like the operator's machine, which most are.
func guessBinary(ctx context.Context, o Options) Binary {
	guess, err := o.binary(ctx, Platform{OS: "linux", Arch: runtime.GOARCH})
	if err != nil {
		return Binary{SHA256: "none"} // the host may be of another kind
	}
	return guess
}

// start brings the agent up: at once where its binary is on the host, else after putting
// it there.
func (h *host) start(ctx context.Context, guess Binary) error {
	started, err := h.tryStart(ctx, guess)
	if started || err != nil && !h.isBroken(ctx, err, guess) {
		return err
	}
	binary := guess
	if !h.place.there {
		if err := h.checkPlace(); err != nil {
			return err
		}
		if binary, err = h.options.binary(ctx, h.place.platform); err != nil {
			return &hosts.Error{
				Kind: hosts.KindPlatform, Op: "find the agent for " + h.place.platform.String(), Err: err,
				Fix: "use a bundle that was built for this platform",
			}
		}
	}
	if binary.SHA256 != guess.SHA256 {
		if started, err = h.tryStart(ctx, binary); started || err != nil {
			return err
		}
	}
	if err := h.deploy(ctx, binary); err != nil {
		return err
	}
	if started, err = h.tryStart(ctx, binary); !started && err == nil {
		err = fmt.Errorf("the agent was put into %s and is not there", h.place.directory)
	}
	return err
}

// isBroken tells whether a binary that is there but did not start is not what was put
// there: a host may have lost its power at the wrong moment.
func (h *host) isBroken(ctx context.Context, err error, binary Binary) bool {
	var known *hosts.Error
	if !h.place.there || ctx.Err() != nil || errors.As(err, &known) && known.Kind != hosts.KindBroken {
		return false
	}
	intact, err := h.verify(ctx, h.place.binary(binary), binary)
	return err == nil && !intact
}

// binary is where a binary lies on the host.
func (p place) binary(b Binary) string { return path.Join(p.directory, "agent", b.SHA256, "slipway") }

func (o Options) binary(ctx context.Context, p Platform) (Binary, error) {
	if o.Binary == nil {
		return Binary{}, errors.New("no binary was given")
	}
	return o.Binary(ctx, p)
}

// checkPlace refuses a host that the agent cannot be root on, before anything is sent.
func (h *host) checkPlace() error {
	switch {
	case h.place.platform.OS != "linux":
		return &hosts.Error{
			Kind: hosts.KindPlatform, Op: "look at the host",
			Err: fmt.Errorf("it runs %s; hosts have to run Linux", h.place.platform.OS),
		}
	case !h.place.sudo:
		return h.noPrivilege(errors.New("sudo does not let the user in without a password"))
	default:
		return nil
	}
}

func (h *host) noPrivilege(err error) error {
	user := h.options.User
	return &hosts.Error{
		Kind: hosts.KindPrivilege, Op: "become root as " + user, Err: err,
		Fix: fmt.Sprintf("as root on the host: printf '%%s\\n' '%s ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/%s && chmod 0440 /etc/sudoers.d/%s; or log in as root",
			sudoersUser(user), sudoersName(user), sudoersName(user)),
	}
}

var (
	sudoersMeans   = regexp.MustCompile(`[@!=:,()\\%+#]`)
	notInFileNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
)

// sudoersUser is a login name as sudoers(5) writes it: what means something there is escaped.
func sudoersUser(user string) string {
	return sudoersMeans.ReplaceAllString(user, `\$0`)
}

// sudoersName avoids what makes sudo pass over a file, dots, and what no file's name has.
func sudoersName(user string) string {
	return "slipway-" + notInFileNames.ReplaceAllString(user, "-")
}

// tryStart runs startScript. Where it starts no agent and there is no error, the binary
// is not on the host.
func (h *host) tryStart(ctx context.Context, binary Binary) (started bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	p, err := h.spawn("sh -c " + quote(startScript) + " sh " + quote(binary.SHA256) + " " + quote(h.options.Directory))
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(bounded, p.kill)
	h.place, err = p.look()
	if !stop() && err != nil {
		_ = p.session.Close()
		return false, h.noWord(ctx)
	}
	if err != nil {
		_ = p.session.Close()
		return false, h.explainStart(p, err)
	}
	if h.place.unsafe != "" {
		_ = p.session.Close() // it is over
		return false, h.unsafePlace(h.place.unsafe, binary)
	}
	if !h.place.there {
		_ = p.session.Close() // it may be over already
		return false, nil
	}
	h.agent, err = agent.Connect(bounded, p, &p.stdin, agent.ConnectOptions{
		Version: h.options.Version, Life: h.options.Life, Explain: p.explain,
	})
	return err == nil, err
}

// noWord is the error of an agent that was given up waiting for.
func (h *host) noWord(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &hosts.Error{
		Kind: hosts.KindUnreachable, Op: "start the agent",
		Err: fmt.Errorf("no word from it in %s", startPatience),
		Fix: "see what keeps the host, or the shell or sudo of " + h.options.User + ", from answering",
	}
}

// parseAbsent reads what startScript says after absentWord: sudo's exit code, system,
// machine, directory.
func parseAbsent(line string) (place, error) {
	words := strings.SplitN(line, " ", 4)
	if len(words) != 4 {
		return place{}, fmt.Errorf("the host describes itself as %q", line)
	}
	return place{sudo: words[0] == "0", platform: platform(words[1], words[2]), directory: words[3]}, nil
}

// unsafePlace refuses a directory that others could have put an agent of their own into.
// What the directory above holds besides, a host's record for one, is not to be lost.
func (h *host) unsafePlace(finding string, binary Binary) error {
	where, _, _ := strings.Cut(finding, " ")
	fix := fmt.Sprintf("see who put what there (ls -la %s); then, as root: rm -r %s", where, where)
	below := strings.Contains(where, binary.SHA256) || slices.Contains([]string{"agent", "inbox"}, path.Base(where))
	if !below {
		fix = fmt.Sprintf("see who put what there (ls -la %s); then, as root: rm -rf %s/agent %s/inbox && chown %s %s && chmod go-w %s",
			where, where, where, h.options.User, where, where)
	}
	return &hosts.Error{
		Kind: hosts.KindForeign, Op: "look at where the agent lies",
		Err: fmt.Errorf("%s, and what lies there is run as root", finding), Fix: fix,
	}
}

// explainStart says why an agent ended before it said a word.
func (h *host) explainStart(p *process, err error) error {
	said := p.stderr.String()
	switch {
	case strings.Contains(said, "unable to execute"), p.status() == 126:
		return &hosts.Error{
			Kind: hosts.KindBroken, Op: "run the agent", Err: err,
			Fix: "the file system that it lies on may be mounted noexec: log in as a user whose home is not, or as root",
		}
	case strings.Contains(said, "sudo"), strings.Contains(said, "sorry, you must have a tty"):
		return h.noPrivilege(errors.New(said))
	default:
		return fmt.Errorf("run the agent: %w", err)
	}
}

// process is a command on the host.
type process struct {
	connection *connection
	session    *ssh.Session
	stdin      stdin
	stdout     *bufio.Reader
	stderr     *tail
	atEnd      atomic.Bool // of stdout
	exited     chan struct{}
	exit       error // once exited
}

// stdin is a process's standard input. Unlike a pipe of the kernel's, a session's may not
// be closed while it is written to: x/crypto/ssh notes the end in a variable that a write
// reads, and guards it by nothing. A write that waits for the other end, which a close
// would wait for in turn, is freed by closing the process first.
type stdin struct {
	turn sync.Mutex
	pipe io.WriteCloser
}

func (s *stdin) Write(b []byte) (int, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.pipe.Write(b)
}

func (s *stdin) Close() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.pipe.Close()
}

// errHungUp is a connection that ended before a command could be run on it. The library
// says so in several ways, as it happens.
var errHungUp = fmt.Errorf("the host hung up: %w", io.EOF)

func (h *host) spawn(command string) (*process, error) {
	session, err := insist(h.connection.NewSession)
	var known *hosts.Error
	switch {
	case errors.As(err, &known):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("open a session: %w", errHungUp) // there is no other way to fail
	}
	p := &process{connection: h.connection, session: session, stderr: &tail{}, exited: make(chan struct{})}
	session.Stderr = p.stderr
	stdout, err := session.StdoutPipe()
	if err == nil {
		p.stdin.pipe, err = session.StdinPipe()
	}
	if err == nil {
		err = session.Start(command)
	}
	if err != nil {
		_ = session.Close()
		return nil, fmt.Errorf("start a command: %w", err)
	}
	p.stdout = bufio.NewReaderSize(stdout, 64<<10)
	go func() {
		p.exit = session.Wait()
		close(p.exited)
	}()
	return p, nil
}

// maxNoise is how much a login shell may print before what was asked for.
const maxNoise = 64 << 10

// look reads what startScript has to say, up to a hello, which it leaves to be read. It
// passes over what login shells print by themselves.
func (p *process) look() (place, error) {
	var found place
	for noise := 0; noise < maxNoise; {
		start, err := p.stdout.Peek(1)
		if err != nil {
			return found, p.explain(err)
		}
		if start[0] == '{' && found.there {
			return found, nil
		}
		part, err := p.stdout.ReadSlice('\n')
		noise += len(part)
		line := strings.TrimRight(string(part), "\r\n")
		if directory, there := strings.CutPrefix(line, thereWord+" "); there {
			found = place{there: true, directory: directory}
		} else if rest, absent := strings.CutPrefix(line, absentWord+" "); absent {
			return parseAbsent(rest)
		} else if rest, unsafe := strings.CutPrefix(line, unsafeWord+" "); unsafe {
			return place{unsafe: rest}, nil
		} else if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return found, p.explain(err)
		}
	}
	return found, errors.New("the login shell prints so much that the agent was not heard: silence its .bashrc for commands")
}

func (p *process) Read(b []byte) (int, error) {
	n, err := p.stdout.Read(b)
	if errors.Is(err, io.EOF) {
		p.atEnd.Store(true)
	}
	return n, err
}

// Close ends the session where the process has said its last, and else the connection
// under it, which frees whoever waits for it.
func (p *process) Close() error {
	if !p.atEnd.Load() {
		p.kill()
	}
	return p.session.Close()
}

func (p *process) kill() { _ = p.connection.Close() }

// exitPatience is how long after the end of its output a process's exit is waited for.
const exitPatience = time.Second

// explain says how the process ended instead of that its output did.
func (p *process) explain(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	patience := time.NewTimer(exitPatience)
	defer patience.Stop()
	select {
	case <-p.exited:
	case <-patience.C:
		return fmt.Errorf("the agent closed its output%s", p.stderr.said("it"))
	}
	var missing *ssh.ExitMissingError
	var exit *ssh.ExitError
	switch {
	case p.exit == nil:
		return fmt.Errorf("the agent ended%s", p.stderr.said("it"))
	case errors.As(p.exit, &missing):
		return fmt.Errorf("the connection to the host broke%s", p.stderr.said("the agent"))
	case errors.As(p.exit, &exit) && exit.Signal() != "":
		return fmt.Errorf("the agent was killed by signal %s%s", exit.Signal(), p.stderr.said("it"))
	case errors.As(p.exit, &exit):
		return fmt.Errorf("the agent ended with status %d%s", exit.ExitStatus(), p.stderr.said("it"))
	default:
		return p.exit
	}
}

// status is the exit status, -1 where there is none.
func (p *process) status() int {
	select {
	case <-p.exited:
	default:
		return -1
	}
	var exit *ssh.ExitError
	if errors.As(p.exit, &exit) {
		return exit.ExitStatus()
	}
	return -1
}

// quote makes one word for a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
