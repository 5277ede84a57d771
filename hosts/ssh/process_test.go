package ssh

import (
	"io"
	"testing"
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
