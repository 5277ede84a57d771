package agent

import (
	"errors"
	"io"
	"sync"
)

// source is content that is read as it is sent. Where it cannot be read any further, or the call is over, what is
// sent ends early, which the agent takes for a call that was broken off: the session goes on.
type source struct {
	in   io.Reader
	open *openBody // of the call

	reading sync.Mutex // held while in is read
	over    bool       // in is its owner's again
	err     error      // why it could not be read
}

// giveBack returns when nobody reads from in any more, with why it could not be read, if so: net/http may go on
// reading beyond the end of a call that was cut.
func (s *source) giveBack() error {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.over = true
	return s.err
}

func (s *source) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.over {
		return 0, io.EOF
	}
	select {
	case <-s.open.ended:
		return 0, io.EOF
	default:
	}
	n, err := s.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
		_ = s.open.Close()
		err = io.EOF
	}
	return n, err
}
