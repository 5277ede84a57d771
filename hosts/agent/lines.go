package agent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/slipway-k8s/slipway/hosts"
)

// The lines of a call. What asks is a hosts.Query, an encoded action, or one of these.

type haveBody struct {
	Refs []string `json:"refs"`
}

// blobBody is a blob's name; in a put its content follows, in an ingest it lies in the inbox.
type blobBody struct {
	Ref    string `json:"ref"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Secret bool   `json:"secret,omitempty"`
}

// takeBody is a blob of which the content follows from an offset on.
type takeBody struct {
	blobBody
	Offset int64 `json:"offset,omitempty"`
}

// partialBody is how much of a blob is there.
type partialBody struct {
	Size int64 `json:"size"`
}

type dialBody struct {
	Network string `json:"network"`
	Address string `json:"address"`
}

type journalBody struct {
	Unit   string `json:"unit"`
	Lines  int    `json:"lines"`
	Follow bool   `json:"follow,omitempty"`
}

// answerLine has one of the three.
type answerLine struct {
	Progress *hosts.Progress `json:"progress,omitempty"`
	Done     json.RawMessage `json:"done,omitempty"`
	Failed   *wireError      `json:"failed,omitempty"`
}

// A protocolError is the other end's breach of the protocol; it ends the session.
type protocolError struct{ reason string }

func (e *protocolError) Error() string { return "protocol: " + e.reason }

func breach(format string, args ...any) error {
	return &protocolError{reason: fmt.Sprintf(format, args...)}
}

// lineReader reads lines of JSON of at most max bytes each. What follows the last one is left
// to be read from it.
type lineReader struct {
	*bufio.Reader
	max   int
	share *share // of the budget, for a long line that is coming; nil: there is no budget
}

func newLineReader(in io.Reader, max int, share *share) *lineReader {
	return &lineReader{Reader: bufio.NewReaderSize(in, 16<<10), max: max, share: share}
}

// decode reads the next line: a protocolError where it is not of this kind, io.ErrUnexpectedEOF
// where there is none.
func (r *lineReader) decode(into any) error {
	var taken int64
	defer func() {
		if taken > 0 {
			r.share.giveBack(taken)
		}
	}()
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(long)+len(part) > r.max {
			return breach("a line of more than %d bytes", r.max)
		}
		switch {
		case err == nil && long == nil:
			return strictly(part, into)
		case err == nil:
			return strictly(append(long, part...), into)
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			// What it grows by, and what of it is kept, are counted as well.
			if more := 3*int64(len(long)) - taken; r.share != nil {
				if err := r.share.take(more); err != nil {
					return err
				}
				taken += more
			}
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
}

func strictly(line []byte, into any) error {
	if err := strict(line, into); err != nil {
		return breach("malformed line: %v", err)
	}
	return nil
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

func encodeLine(body any) ([]byte, error) {
	line, err := json.Marshal(body)
	return append(line, '\n'), err
}
