package acks

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
)

// Writer is e2e/writer at work, however it is run: its log can be read meanwhile.
type Writer struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	out     buffer
	errors  bytes.Buffer
}

// Start runs a command that is, or leads to, e2e/writer.
func Start(command *exec.Cmd) (*Writer, error) {
	w := &Writer{command: command}
	command.Stdout, command.Stderr = &w.out, &w.errors
	var err error
	if w.stdin, err = command.StdinPipe(); err != nil {
		return nil, err
	}
	return w, command.Start()
}

// Log is what it has said so far.
func (w *Writer) Log() (Log, error) { return Parse(strings.NewReader(w.out.String())) }

// Stop ends it, and gives all that it has said.
func (w *Writer) Stop() (Log, error) {
	_ = w.stdin.Close()
	if err := w.command.Wait(); err != nil {
		return Log{}, fmt.Errorf("the writer: %w\n%s", err, &w.errors)
	}
	return w.Log()
}

// buffer is written by a process while it is read.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(data)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
