package ssh

import (
	"bufio"
	"cmp"
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

// startPatience is how long a started agent may take to say hello.
const startPatience = 30 * time.Second

// place is what the scripts found out about a host.
type place struct {
	directory string  // of the agent
	inbox     string  // that the login user writes to
	uid       string  // the login user's
	there     bool    // the binary is in its place
	unsafe    finding // what others may write to; nothing was done then
	locked    bool    // sudo does not let the user in
	platform  Platform
}

// finding is a path that is not safe, and why.
type finding struct{ path, why string }

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
		if err := h.checkPlatform(); err != nil {
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

// checkPlatform refuses a host that no agent runs on, before anything is sent.
func (h *host) checkPlatform() error {
	if h.place.platform.OS == "linux" {
		return nil
	}
	return &hosts.Error{
		Kind: hosts.KindPlatform, Op: "look at the host",
		Err: fmt.Errorf("it runs %s; hosts have to run Linux", h.place.platform.OS),
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

// command is what has the host's shell run a script, by the login user.
func command(script string, args ...string) string {
	words := []string{"sh", "-c", quote(script), "sh"}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	return strings.Join(words, " ")
}

// rootCommand is command by root.
func (h *host) rootCommand(script string, args ...string) string {
	if h.place.uid == "0" {
		return command(script, args...)
	}
	return "sudo -n -- " + command(script, args...)
}

// tryStart runs startScript. Where it starts no agent and there is no error, the binary
// is not on the host.
func (h *host) tryStart(ctx context.Context, binary Binary) (started bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	stop := context.AfterFunc(bounded, func() { _ = h.connection.Close() }) // frees whoever waits
	p, err := h.spawn(command(startScript, binary.SHA256, h.options.Directory, h.options.Inbox, rootScript))
	if err != nil {
		if !stop() {
			err = h.noWord(ctx)
		}
		return false, err
	}
	h.place, err = p.look()
	if !stop() && err != nil {
		_ = p.session.Close()
		return false, h.noWord(ctx)
	}
	if err != nil {
		_ = p.session.Close()
		return false, h.explainStart(p, err)
	}
	if h.place.unsafe != (finding{}) {
		_ = p.session.Close() // it is over
		return false, h.unsafePlace(h.place.unsafe, binary)
	}
	if h.place.locked {
		_ = p.session.Close() // it is over
		return false, h.noPrivilege(errors.New(cmp.Or(p.said(), "sudo does not let the user in without a password")))
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

// parseAbsent reads what rootScript says after absentWord: system, machine, directory.
func (p *place) parseAbsent(line string) error {
	words := strings.SplitN(line, " ", 3)
	if len(words) != 3 {
		return fmt.Errorf("the host describes itself as %q", hosts.CleanLine(line))
	}
	p.platform, p.directory = platform(hosts.CleanLine(words[0]), hosts.CleanLine(words[1])), words[2]
	return nil
}

// unsafePlace refuses a directory that others could have put something of their own into.
// What it holds besides, a host's record for one, is not to be lost.
func (h *host) unsafePlace(found finding, binary Binary) error {
	where, typed := found.path, word(found.path)
	ours := func(dir string) bool { return dir != "" && (where == dir || strings.HasPrefix(where, dir+"/")) }
	owner := "root"
	if ours(path.Dir(h.place.inbox)) {
		owner = h.options.User
	}
	fix := fmt.Sprintf("see who can write there (ls -ld %s); then, as root: chown %s %s && chmod go-w %s", typed, word(owner), typed, typed)
	switch {
	case strings.Contains(where, binary.SHA256), where == h.place.inbox, ours(h.options.Directory + "/agent"):
		fix = fmt.Sprintf("see who put what there (ls -la %s); then, as root: rm -r %s", typed, typed)
	case where == h.options.Directory:
		fix = fmt.Sprintf("see who put what there (ls -la %s); then, as root: rm -rf %s/agent %s/inbox && chown root %s && chmod go-w %s",
			typed, typed, typed, typed, typed)
	}
	return &hosts.Error{
		Kind: hosts.KindForeign, Op: "look at where the agent and its inbox lie",
		Err: fmt.Errorf("%s %s, and what lies below it is run, or taken, by root", where, found.why), Fix: fix,
	}
}

// explainStart says why an agent ended before it said a word.
func (h *host) explainStart(p *process, err error) error {
	said := p.said()
	kind, fix := hosts.KindAuth, h.turnedAway(said)
	switch {
	case fix != "":
	case strings.Contains(said, "unable to execute"), p.status() == 126:
		kind = hosts.KindBroken
		fix = fmt.Sprintf("the file system of %s may be mounted noexec, which the agent cannot do with: see findmnt -T %s", h.options.Directory, h.options.Directory)
	case strings.Contains(said, "sudo"), strings.Contains(said, "sorry, you must have a tty"):
		return h.noPrivilege(errors.New(said))
	case said != "":
		kind = hosts.KindBroken
		fix = fmt.Sprintf("see what it says when you ask yourself: ssh -p %d %s@%s true", h.options.Port, h.options.User, h.options.Host)
	default:
		return fmt.Errorf("run the agent: %w", err)
	}
	return &hosts.Error{Kind: kind, Op: "run the agent", Err: err, Fix: fix}
}

// otherUser is how cloud images answer the user that nobody is to log in as.
var otherUser = regexp.MustCompile(`(?i)log ?in as the user "?([a-z_][a-z0-9_.-]*)"? rather than`)

// turnedAway is what to do about an account that is let in and runs no commands, where it
// says why; empty where it does not.
func (h *host) turnedAway(said string) string {
	user, low := h.options.User, strings.ToLower(said)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(low, word) })
	}
	if other := otherUser.FindStringSubmatch(said); other != nil {
		return fmt.Sprintf("set ssh.user: %s in the cluster file", other[1])
	}
	switch {
	case has("account is currently not available", "account is not available", "nologin"):
		return fmt.Sprintf("give %s a shell on the host: usermod --shell /bin/bash %s; or set another ssh.user in the cluster file", user, user)
	case has("password has expired", "password change required", "required to change your password", "change your password"):
		return fmt.Sprintf("its password has expired, though a key is used: as root on the host: chage -M -1 -d $(date +%%F) %s; or log in once by hand", user)
	case has("account has expired", "account expired"):
		return fmt.Sprintf("as root on the host: chage -E -1 %s; or set another ssh.user in the cluster file", user)
	case has("sftp connections only", "sftp only"):
		return fmt.Sprintf("%s may only use SFTP there (ForceCommand or its shell): let it run commands, or set another ssh.user in the cluster file", user)
	case has("system is booting up", "pam_nologin", "system is going down"):
		return "wait until the host has booted, then run the same command again"
	}
	return ""
}

// process is a command on the host.
type process struct {
	connection *connection
	session    *ssh.Session
	stdin      stdin
	stdout     *bufio.Reader
	stderr     *tail
	noise      *tail       // what came on stdout before anything of ours
	passed     int         // bytes of stdout up to here
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
	p := &process{connection: h.connection, session: session, stderr: &tail{}, noise: &tail{}, exited: make(chan struct{})}
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
	for p.passed = 0; p.passed < maxNoise; {
		start, err := p.stdout.Peek(1)
		if err != nil {
			return found, p.explain(err)
		}
		if start[0] == '{' && found.there {
			return found, nil
		}
		part, err := p.stdout.ReadSlice('\n')
		p.passed += len(part)
		word, rest, _ := strings.Cut(strings.TrimRight(string(part), "\r\n"), " ")
		switch {
		case word == inboxWord:
			found.uid, found.inbox, _ = strings.Cut(rest, " ")
		case word == thereWord:
			found.there, found.directory = true, rest
		case word == absentWord:
			return found, found.parseAbsent(rest)
		case word == unsafeWord:
			why, at, _ := strings.Cut(rest, "\t")
			found.unsafe = finding{path: hosts.Clean(at), why: cmp.Or(hosts.Clean(why), "is not safe")}
			return found, nil
		case word == lockedWord:
			found.locked = true
			return found, p.settled()
		default:
			_, _ = p.noise.Write(part)
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return found, p.explain(err)
			}
		}
	}
	return found, &hosts.Error{
		Kind: hosts.KindBroken, Op: "run the agent",
		Err: fmt.Errorf("the login shell prints so much that the agent was not heard%s", told("it", p.said())),
		Fix: fixNoise,
	}
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
		return fmt.Errorf("the agent closed its output%s", told("it", p.said()))
	}
	var missing *ssh.ExitMissingError
	var exit *ssh.ExitError
	switch {
	case p.exit == nil:
		return fmt.Errorf("the agent ended%s", told("it", p.said()))
	case errors.As(p.exit, &missing):
		return fmt.Errorf("the connection to the host broke%s", told("the agent", p.said()))
	case errors.As(p.exit, &exit) && exit.Signal() != "":
		return fmt.Errorf("the agent was killed by signal %s%s", hosts.CleanLine(exit.Signal()), told("it", p.said()))
	case errors.As(p.exit, &exit):
		return fmt.Errorf("the agent ended with status %d%s", exit.ExitStatus(), told("it", p.said()))
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

// fixNoise is what to do about a shell that prints in between.
const fixNoise = "silence the shell's start files for sessions without a terminal: as the first line of ~/.bashrc, " +
	"or of the file that prints: case $- in *i*) ;; *) return;; esac"

// said is what the host said of its own accord, on stdout and then on stderr.
func (p *process) said() string {
	var parts []string
	for _, part := range []string{p.noise.String(), p.stderr.String()} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

// settled waits for the process's end, which is near, so that all that it said is there.
func (p *process) settled() error {
	patience := time.NewTimer(exitPatience)
	defer patience.Stop()
	select {
	case <-p.exited:
	case <-patience.C:
	}
	return nil
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// word is a text as somebody would type it into a shell.
func word(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return quote(text)
}

// quote makes one word for a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
