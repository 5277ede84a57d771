package ssh

import (
	"io"
	"testing"

	"golang.org/x/crypto/ssh"
)

// unguarded is a session's pipe as x/crypto/ssh has it.
type unguarded struct{ ended bool }

func (p *unguarded) Write(b []byte) (int, error) {
	if p.ended {
		return 0, io.EOF
	}
	return len(b), nil
}

func (p *unguarded) Close() error {
	p.ended = true
	return nil
}

// TestStdinIsNotClosedWhileItIsWrittenTo is for the race detector.
func TestStdinIsNotClosedWhileItIsWrittenTo(t *testing.T) {
	in := &stdin{pipe: &unguarded{}}
	written := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = in.Write([]byte("a line"))
		}
		written <- err
	}()
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if err := <-written; err != io.EOF {
		t.Errorf("after its end a write answers %v", err)
	}
}

// TestAProcessThatNobodyTellsTheEndOfIsALostConnection: also where the connection's own end has not come
// through yet.
func TestAProcessThatNobodyTellsTheEndOfIsALostConnection(t *testing.T) {
	p := &process{who: "the login shell", stderr: &tail{}, noise: &tail{}, exited: make(chan struct{}), exit: &ssh.ExitMissingError{}}
	close(p.exited)
	err := p.explain(io.EOF)
	if c := (&connection{ended: make(chan struct{})}); !c.lost(err) {
		t.Errorf("the connection is not said to be lost: %v", err)
	}
	if want := "the connection to the host broke"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
