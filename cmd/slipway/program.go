package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/slipway-k8s/slipway/workflow"
)

// program is what all commands of this process share.
type program struct {
	in      *os.File // where questions are answered
	secrets *prompts // where passwords are typed
	waits   *awaited
	dial    workflow.Dialer   // by SSH unless said
	knock   workflow.DialFunc // where hosts are looked for; the network's unless said
}

func newProgram() *program {
	return &program{in: os.Stdin, secrets: newPrompts(os.Stdin), waits: &awaited{watched: term.IsTerminal(int(os.Stderr.Fd())), say: func(line string) { fmt.Fprintln(os.Stderr, line) }}}
}

// clusterFlags are the flags of every command that needs a cluster file.
type clusterFlags struct {
	file   string
	bundle string
	login  workflow.Login
}

func (f *clusterFlags) add(command *cobra.Command) {
	command.Flags().StringVarP(&f.file, "file", "f", "", "the cluster file (- for standard input)")
	_ = command.MarkFlagFilename("file", "yaml", "yml")
	_ = command.MarkFlagRequired("file")
	f.addLogin(command)
}

// addLogin are the flags of every command that connects to hosts.
func (f *clusterFlags) addLogin(command *cobra.Command) {
	flags := command.Flags()
	flags.BoolVar(&f.login.AskPassword, "ask-pass", false, "ask for the password to log in with, once for all hosts")
	flags.BoolVar(&f.login.AskBecome, "ask-become-pass", false, "ask for the password of sudo or doas, once for all hosts")
	flags.StringVar(&f.login.PasswordFile, "password-file", "", "a file with the password to log in with, which you alone may read")
	flags.StringVar(&f.login.BecomePasswordFile, "become-password-file", "", "a file with the password of sudo or doas, which you alone may read")
	flags.BoolVar(&f.login.TrustOnFirstUse, "trust-on-first-use", false, "accept the keys of hosts that are not known yet, and say which; one that has changed is never accepted")
	command.PreRunE = func(*cobra.Command, []string) error { return f.login.Check() }
}

func (f *clusterFlags) addBundle(command *cobra.Command) {
	command.Flags().StringVar(&f.bundle, "bundle", "", "the bundle with all that the hosts will run")
	_ = command.MarkFlagFilename("bundle", "tar")
	_ = command.MarkFlagRequired("bundle")
}

// open reads what the flags name.
func (p *program) open(flags clusterFlags, front workflow.Frontend) (*workflow.Session, error) {
	data, err := p.read(flags.file)
	if err != nil {
		return nil, err
	}
	return workflow.Open(workflow.Options{
		File: flags.file, Data: data, Bundle: flags.bundle, Version: version, Agent: ownAgent, Login: flags.login, Dial: p.dial,
	}, front)
}

// read reads a cluster file; standard input for -.
func (p *program) read(path string) (data []byte, err error) {
	if path == "-" {
		data, err = io.ReadAll(p.in)
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usagef("read the cluster file: %w", err)
	}
	return data, nil
}

// confirm asks a question on the terminal; Ctrl-C is an answer too. Without a terminal
// there is nobody to ask: then it says which flag answers.
func (p *program) confirm(ctx context.Context, out io.Writer, question string) (bool, error) {
	if !term.IsTerminal(int(p.in.Fd())) {
		return false, usagef("nobody is here to answer %q: say --yes", question[strings.LastIndex(question, "\n")+1:])
	}
	fmt.Fprintf(out, "%s [y/N] ", question)
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(p.in).ReadString('\n') // an end without an answer is a no
		answers <- line
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(out)
		return false, ctx.Err()
	case answer := <-answers:
		answer = strings.ToLower(strings.TrimSpace(answer))
		return answer == "y" || answer == "yes", nil
	}
}
