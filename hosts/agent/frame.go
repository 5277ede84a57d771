package agent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// kind says what a frame is.
type kind string

const (
	// Both ways.
	kindHello kind = "hello"
	kindPing  kind = "ping"
	kindBye   kind = "bye" // why this end stops

	// To the agent. Each but cancel is answered by one done or failed.
	kindObserve kind = "observe"
	kindDo      kind = "do"
	kindHave    kind = "have"
	kindPut     kind = "put"
	kindIngest  kind = "ingest"
	kindDial    kind = "dial" // its id then names the stream
	kindCancel  kind = "cancel"

	// From the agent.
	kindDone     kind = "done"
	kindFailed   kind = "failed"
	kindProgress kind = "progress"

	// Both ways, of a stream.
	kindData   kind = "data"
	kindWindow kind = "window" // N more bytes may be sent
	kindEOF    kind = "eof"    // no more data from this end
	kindClose  kind = "close"  // this end is done with the stream
)

// frame is one line of the protocol.
type frame struct {
	Kind kind            `json:"kind"`
	ID   uint64          `json:"id,omitempty"`
	N    int             `json:"n,omitempty"`
	Data []byte          `json:"data,omitempty"`
	Body json.RawMessage `json:"body,omitempty"`
}

// A protocolError is the other end's breach of the protocol; it ends the session.
type protocolError struct{ reason string }

func (e *protocolError) Error() string { return "protocol: " + e.reason }

func breach(format string, args ...any) error {
	return &protocolError{reason: fmt.Sprintf(format, args...)}
}

// frameReader reads frames of at most max bytes each.
type frameReader struct {
	in    *bufio.Reader
	max   int
	share *share // of the budget, for a long frame until the next is read; nil: there is no budget
}

func newFrameReader(in io.Reader, max int) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(in, 64<<10), max: max}
}

// read gives the next frame: io.EOF between frames, a protocolError on anything that is
// none, io.ErrUnexpectedEOF where the stream ends inside one.
func (r *frameReader) read() (frame, error) {
	r.giveBack()
	line, err := r.line()
	if err != nil {
		return frame{}, err
	}
	var f frame
	if err := strict(line, &f); err != nil {
		return frame{}, breach("malformed frame: %v", err)
	}
	if f.Kind == "" {
		return frame{}, breach("malformed frame: it has no kind")
	}
	return f, nil
}

// line reads up to the next newline; what it returns is valid until the next call.
func (r *frameReader) line() ([]byte, error) {
	var long []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if len(long)+len(part) > r.max {
			return nil, breach("a frame of more than %d bytes", r.max)
		}
		switch {
		case err == nil && long == nil:
			return part, nil
		case err == nil:
			return append(long, part...), nil
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			if err := r.makeRoom(len(long)); err != nil {
				return nil, err
			}
		case errors.Is(err, io.EOF) && len(long)+len(part) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// makeRoom makes room for so much of a line, with what it grows by, and its body.
func (r *frameReader) makeRoom(line int) error {
	if r.share == nil {
		return nil
	}
	return r.share.atLeast(3 * int64(line))
}

func (r *frameReader) giveBack() {
	if r.share != nil {
		r.share.giveBack()
	}
}

// strict decodes one JSON value, refusing unknown fields and anything after it.
func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

func encodeFrame(f frame) ([]byte, error) {
	line, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode %s frame: %w", f.Kind, err)
	}
	return append(line, '\n'), nil
}

// encodeBody makes a frame out of its kind, id and body.
func encodeBody(k kind, id uint64, body any) (frame, error) {
	f := frame{Kind: k, ID: id}
	if body == nil {
		return f, nil
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return frame{}, fmt.Errorf("encode %s frame: %w", k, err)
	}
	f.Body = raw
	return f, nil
}
