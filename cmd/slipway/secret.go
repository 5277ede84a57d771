package main

import (
	"context"
	"errors"
	"fmt"
	"os"

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
	if question.Said != "" {
		fmt.Fprintln(tty, hosts.Clean(question.Said))
	}
	fmt.Fprintf(tty, "%s (%s): ", hosts.CleanLine(question.Text), hosts.CleanLine(question.About))
	answer, err := readSecret(ctx, tty, question.Shown)
	fmt.Fprintln(tty)
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

// readSecret reads a line. The terminal is left as it was, also where the user interrupts.
func readSecret(ctx context.Context, tty *os.File, shown bool) (string, error) {
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return "", err
	}
	type typed struct {
		line string
		err  error
	}
	lines := make(chan typed, 1)
	go func() {
		if shown {
			line, err := readLine(tty)
			lines <- typed{line, err}
			return
		}
		line, err := term.ReadPassword(int(tty.Fd()))
		lines <- typed{string(line), err}
	}()
	select {
	case got := <-lines:
		return got.line, got.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(int(tty.Fd()), before))
	}
}

// readLine reads no more than a line: what follows is another question's.
func readLine(tty *os.File) (string, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := tty.Read(one)
		switch {
		case n == 1 && one[0] == '\n':
			return string(line), nil
		case n == 1 && one[0] != '\r':
			line = append(line, one[0])
		case err != nil:
			return string(line), err
		}
	}
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
