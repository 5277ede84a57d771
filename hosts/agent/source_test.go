package agent

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// TestContentThatIsGivenBackIsReadNoMore, whoever still asks for it: its owner closes it, and looks how much was read.
func TestContentThatIsGivenBackIsReadNoMore(t *testing.T) {
	in := bytes.NewReader([]byte("content"))
	s := &source{in: in, open: &openBody{ended: make(chan struct{})}}
	if n, err := s.Read(make([]byte, 3)); n != 3 || err != nil {
		t.Fatalf("%d bytes are read, %v", n, err)
	}
	if err := s.giveBack(); err != nil {
		t.Errorf("it could not be read: %v", err)
	}
	if n, err := s.Read(make([]byte, 3)); n != 0 || !errors.Is(err, io.EOF) || in.Len() != 4 {
		t.Errorf("then %d are read, %v; %d are left", n, err, in.Len())
	}
}
