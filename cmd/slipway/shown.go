package main

import (
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/slipway-k8s/slipway/hosts"
)

// shown is a writer for people and for what they pipe into: whoever a text came from, no
// control character of it reaches the terminal, and none is lost: hosts.Escape has the
// codes. What carries bytes that are not text (lab exec, lab dial, the agent, kubectl)
// does without.
type shown struct {
	mu   sync.Mutex
	out  io.Writer
	rest []byte // the begin of a character whose end was not written yet
}

func newShown(out io.Writer) *shown {
	if already, ok := out.(*shown); ok {
		return already
	}
	return &shown{out: out}
}

func (s *shown) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := append(s.rest, data...)
	end := len(text)
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if tail := text[len(text)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				end = len(text) - back
			}
			break
		}
	}
	s.rest = append([]byte(nil), text[end:]...)
	if _, err := io.WriteString(s.out, hosts.Escape(string(text[:end]))); err != nil {
		return 0, err
	}
	return len(data), nil
}

// finish writes what was held back for the rest of a character that does not come any more.
func (s *shown) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.out, hosts.Escape(string(s.rest))) // it is the end: who could be told?
	s.rest = nil
}

// terminal is the terminal that a writer leads to, nil where it leads elsewhere.
func terminal(out io.Writer) *os.File {
	if wrapped, ok := out.(*shown); ok {
		out = wrapped.out
	}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return nil
}
