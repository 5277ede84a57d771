package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

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
