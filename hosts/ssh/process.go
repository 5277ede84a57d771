package ssh

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// process is a command on the host.
type process struct {
	connection *connection
	session    *ssh.Session
	stdin      stdin
	stdout     *bufio.Reader
	stderr     *tail
	noise      *tail       // what came on stdout before anything of ours
	passed     int         // bytes of it
	who        string      // it is, for errors
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

// spawn runs a command on the host; heard, unless nil, hears what comes on its stderr.
func (h *host) spawn(command string, heard *asking) (*process, error) {
	session, err := insist(h.connection.NewSession)
	var known *hosts.Error
	switch {
	case errors.As(err, &known):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("open a session: %w", errHungUp) // there is no other way to fail
	}
	p := &process{
		connection: h.connection, session: session, who: "the login shell",
		stderr: &tail{}, noise: &tail{}, exited: make(chan struct{}),
	}
	session.Stderr = p.stderr
	if heard != nil {
		p.stderr.without, p.noise.without = heard.mark, heard.mark
		session.Stderr = io.MultiWriter(p.stderr, heard)
	}
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

// say gives a shell a line. Where that does not go any more, its end is told by who hears it.
func (p *process) say(line string) { _, _ = io.WriteString(&p.stdin, line) }

// maxNoise is how much a login shell may print before what was asked for.
const maxNoise = 64 << 10

// hear reads on to the next line of the scripts: its word, and what follows it. What login
// shells print by themselves is passed over.
func (p *process) hear() (word, rest string, err error) {
	for {
		part, err := p.stdout.ReadSlice('\n')
		text := strings.TrimRight(string(part), "\r\n")
		if err == nil && strings.HasPrefix(text, ourWords) {
			word, rest, _ = strings.Cut(text, " ")
			return word, rest, nil
		}
		if err := p.pass(part, err); err != nil {
			return "", "", err
		}
	}
}

// awaitHello reads on to the agent's hello, which it leaves to be read.
func (p *process) awaitHello() error {
	for {
		start, err := p.stdout.Peek(1)
		if err != nil {
			return p.explain(err)
		}
		if start[0] == '{' {
			return nil
		}
		if err := p.pass(p.stdout.ReadSlice('\n')); err != nil {
			return err
		}
	}
}

// pass notes what was read as nothing of ours.
func (p *process) pass(part []byte, err error) error {
	if p.passed += len(part); p.passed > maxNoise {
		return &hosts.Error{
			Kind: hosts.KindBroken, Op: "run the agent",
			Err: fmt.Errorf("the login shell prints so much that the agent was not heard%s", told("it", p.said())),
			Fix: fixNoise,
		}
	}
	_, _ = p.noise.Write(part)
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return p.explain(err)
	}
	return nil
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
		return fmt.Errorf("%s closed its output%s", p.who, told("it", p.said()))
	}
	var missing *ssh.ExitMissingError
	var exit *ssh.ExitError
	switch {
	case p.exit == nil:
		return fmt.Errorf("%s ended%s", p.who, told("it", p.said()))
	case errors.As(p.exit, &missing):
		return &brokenOff{said: told(p.who, p.said()), err: missing}
	case errors.As(p.exit, &exit) && exit.Signal() != "":
		return fmt.Errorf("%s was killed by signal %s%s", p.who, hosts.CleanLine(exit.Signal()), told("it", p.said()))
	case errors.As(p.exit, &exit):
		return fmt.Errorf("%s ended with status %d%s", p.who, exit.ExitStatus(), told("it", p.said()))
	default:
		return p.exit
	}
}

// brokenOff is a process whose end nobody tells: the connection went before.
type brokenOff struct {
	said string
	err  error
}

func (e *brokenOff) Error() string { return "the connection to the host broke" + e.said }

func (e *brokenOff) Unwrap() error { return e.err }

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

// awaitExit waits for the process's end, which is near, so that all that it said is there.
func (p *process) awaitExit() {
	patience := time.NewTimer(exitPatience)
	defer patience.Stop()
	select {
	case <-p.exited:
	case <-patience.C:
	}
}

const (
	tailBytes = 4096
	tailLines = 5
)

// tail keeps the end of what a process writes, and gives it cleaned.
type tail struct {
	without string // is taken out; it is set before anything is written
	mutex   sync.Mutex
	kept    []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - tailBytes; extra > 0 {
		t.kept = append([]byte(nil), t.kept[extra:]...)
	}
	return len(p), nil
}

// String is the last lines, joined by semicolons.
func (t *tail) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var lines []string
	kept := string(t.kept)
	if t.without != "" {
		kept = strings.ReplaceAll(kept, t.without, "")
	}
	for line := range strings.Lines(kept) {
		if line = hosts.CleanLine(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-tailLines):], "; ")
}

// said is what goes behind an error: nothing where nothing was said.
func (t *tail) said(who string) string { return told(who, t.String()) }

func told(who, text string) string {
	if text == "" {
		return ""
	}
	return " (" + who + " said: " + text + ")"
}
