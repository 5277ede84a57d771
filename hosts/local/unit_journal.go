//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// Journal reads the last lines of a unit's journal with journalctl and, with follow, those that come.
func (h *Host) Journal(ctx context.Context, unit string, lines int, follow bool) (io.ReadCloser, error) {
	op := "read the journal of " + unit
	if err := h.enter(); err != nil {
		return nil, failure(op, err)
	}
	defer h.calls.Done()
	if err := errors.Join(ctx.Err(), hosts.CheckJournal(unit, lines)); err != nil {
		return nil, failure(op, err)
	}
	program := h.journalctl
	if program == "" {
		var err error
		if program, err = found("journalctl"); err != nil {
			return nil, failure(op, err)
		}
	}
	arguments := []string{"--unit=" + unit, "--lines=" + strconv.Itoa(lines), "--output=short-iso", "--no-hostname", "--no-pager", "--quiet"}
	if follow {
		arguments = append(arguments, "--follow")
	}
	said, err := h.streams.open(program, arguments...)
	if err != nil {
		return nil, failure(op, err)
	}
	return said, nil
}

// streams are the programs whose output is being read.
type streams struct {
	mu       sync.Mutex
	closed   bool
	programs map[*stream]struct{}
}

// stream is what a program writes, as it comes: what is not read holds the program up. The program
// ends with Close, and with the agent, however that ends.
type stream struct {
	out    *os.File
	kill   context.CancelFunc
	closed atomic.Bool
	forget func()
	over   chan struct{} // closed when the program has ended
	err    error         // how it ended; known when it has
}

// open starts a program.
func (s *streams) open(program string, arguments ...string) (*stream, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	within, kill := context.WithCancel(context.Background())
	one := &stream{out: out, kill: kill, over: make(chan struct{})}
	one.forget = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.programs, one)
	}
	command := exec.CommandContext(within, program, arguments...)
	command.Dir, command.Env, command.Stdout = "/", commandEnvironment, in
	started := make(chan error, 1)
	go one.run(command, in, started)
	if err := <-started; err != nil {
		kill()
		_ = out.Close()
		return nil, err
	}
	s.mu.Lock()
	late := s.closed
	if s.programs == nil {
		s.programs = map[*stream]struct{}{}
	}
	s.programs[one] = struct{}{}
	s.mu.Unlock()
	if late {
		return nil, errors.Join(errClosed, one.Close())
	}
	return one, nil
}

// close ends all programs.
func (s *streams) close() {
	s.mu.Lock()
	s.closed = true
	var all []*stream
	for one := range s.programs {
		all = append(all, one)
	}
	s.mu.Unlock()
	for _, one := range all {
		_ = one.Close()
	}
}

// run runs the program. The kernel kills it with the thread that has started it, which therefore stays.
func (s *stream) run(command *exec.Cmd, in *os.File, started chan error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var complaint firstBytes
	command.Stderr = &complaint
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = outputGrace
	err := command.Start()
	_ = in.Close()
	started <- err
	if err != nil {
		return
	}
	if err := command.Wait(); err != nil {
		s.err = failure("run "+command.Path, fmt.Errorf("%w: %s", err, hosts.CleanLine(string(complaint.kept))))
	}
	close(s.over)
}

// Read gives what was written, and at the end why the program failed, where it did.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.out.Read(p)
	if n == 0 && errors.Is(err, io.EOF) {
		if <-s.over; s.err != nil && !s.closed.Load() {
			err = s.err
		}
	}
	return n, err
}

// Close kills the program, and waits for its end: not for long, since a disk may hold it.
func (s *stream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.kill()
	err := s.out.Close()
	s.forget()
	select {
	case <-s.over:
	case <-time.After(outputGrace):
	}
	return err
}
