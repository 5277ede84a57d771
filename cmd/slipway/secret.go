package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muesli/cancelreader"
	"golang.org/x/term"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// prompts ask for what must not be seen, one question at a time.
type prompts struct {
	turn chan struct{}
	open func() (*os.File, func(), error) // the terminal
}

// newPrompts ask on standard input where that is a terminal, else on the process's own terminal, as ssh does: the
// cluster file may come by standard input.
func newPrompts(in *os.File) *prompts {
	return &prompts{turn: make(chan struct{}, 1), open: func() (*os.File, func(), error) {
		if term.IsTerminal(int(in.Fd())) {
			return in, func() {}, nil
		}
		tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err != nil {
			return nil, nil, err
		}
		return tty, func() { _ = tty.Close() }, nil
	}}
}

func (p *prompts) ask(ctx context.Context, question workflow.Secret) (string, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	tty, done, err := p.open()
	if err != nil {
		return "", nobodyTypes("there is no terminal", question)
	}
	defer done()
	answer, err := readSecret(ctx, tty, question)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", fmt.Errorf("read what is typed: %w", err)
	case answer == "":
		return "", errors.New("nothing was typed")
	}
	return answer, nil
}

// readSecret asks, and reads a line. Nothing is echoed from before the question is there. The terminal is left as it was,
// also where the user interrupts, and nobody reads from it any more: the next line is for the next question.
func readSecret(ctx context.Context, tty *os.File, question workflow.Secret) (string, error) {
	before, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return "", err
	}
	restore := sync.OnceValue(func() error { return term.Restore(int(tty.Fd()), before) })
	defer restore()
	keyboard, err := cancelreader.NewReader(tty)
	if err != nil {
		return "", err
	}
	defer keyboard.Close()
	type typed struct {
		line string
		err  error
	}
	lines := make(chan typed, 1)
	go func() {
		line, err := prompted(terminalOf{keyboard, tty}, question)
		lines <- typed{line, err}
	}()
	select {
	case got := <-lines:
		if errors.Is(got.err, io.EOF) { // Ctrl-C, which is no signal meanwhile, or Ctrl-D
			_ = restore()
			return "", interrupt(ctx)
		}
		return got.line, got.err
	case <-ctx.Done():
		if keyboard.Cancel() {
			<-lines
		}
		return "", ctx.Err()
	}
}

var errNotTyped = errors.New("interrupted")

// mostForSignal is how long the process's own signal may be under way until it has cancelled the context.
const mostForSignal = 5 * time.Second

// interrupt ends the command as Ctrl-C does elsewhere. It returns when that is known: else whoever asked would go
// on without a secret, and end as if the host had refused it.
func interrupt(ctx context.Context) error {
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		return errors.Join(err, errNotTyped)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(mostForSignal): // nobody listens to the signal
		return errNotTyped
	}
}

// terminalOf is a terminal that is read by way of something else.
type terminalOf struct {
	io.Reader
	io.Writer
}

// prompted reads a line from a terminal that echoes nothing by itself.
func prompted(tty io.ReadWriter, question workflow.Secret) (string, error) {
	if question.Said != "" {
		said := strings.ReplaceAll(hosts.Clean(question.Said), "\n", "\r\n")
		fmt.Fprint(tty, said+"\r\n")
	}
	prompt := fmt.Sprintf("%s (%s): ", hosts.CleanLine(question.Text), hosts.CleanLine(question.About))
	screen := term.NewTerminal(tty, "")
	if !question.Shown {
		return screen.ReadPassword(prompt)
	}
	screen.SetPrompt(prompt)
	return screen.ReadLine()
}

// nobodyTypes says what to do where nobody can be asked.
func nobodyTypes(why string, question workflow.Secret) error {
	kind, fix := hosts.KindAuth, "name a file that has it: --password-file FILE, or ssh.passwordFile in the cluster file; or let a key in"
	switch {
	case question.Host == "":
		fix = "give the key to ssh-agent: ssh-add " + workflow.Quoted(question.About)
	case question.Become:
		kind, fix = hosts.KindPrivilege, "name a file that has it: --become-password-file FILE, or ssh.becomePasswordFile in the cluster file; or let sudo ask for none"
	}
	return &hosts.Error{Kind: kind, Op: "ask for: " + hosts.CleanLine(question.Text), Err: fmt.Errorf("%w: %s", workflow.ErrNobody, why), Fix: fix}
}
