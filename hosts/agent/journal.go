package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/slipway-k8s/slipway/hosts"
)

// trailerFailed is the trailer that says why a journal has ended, where that is an error.
const trailerFailed = "Slipway-Failed"

// prepareJournal opens a unit's journal, and then sends its lines.
func (s *server) prepareJournal(body journalBody) call {
	var opened journalOf
	return call{
		run: func(ctx context.Context, _ func(hosts.Progress)) (any, error) {
			journal, err := s.host.Journal(ctx, body.Unit, body.Lines, body.Follow)
			if err == nil {
				err = opened.set(journal)
			}
			return nil, err
		},
		follow: func(ctx context.Context, _ io.Reader, out http.ResponseWriter) {
			defer context.AfterFunc(s.quick, opened.close)()
			defer context.AfterFunc(ctx, opened.close)()
			_, err := io.Copy(flushing{out, http.NewResponseController(out)}, opened.journal)
			if err == nil || ctx.Err() != nil || s.quick.Err() != nil {
				return
			}
			if failed, err := json.Marshal(encodeError(err)); err == nil {
				out.Header().Set(http.TrailerPrefix+trailerFailed, hosts.Escape(string(failed)))
			}
		},
		drop: opened.close,
	}
}

// journalOf is a journal that is open until it is let go, which may be before it was opened.
type journalOf struct {
	mutex   sync.Mutex
	journal io.ReadCloser
	closed  bool
}

func (j *journalOf) set(journal io.ReadCloser) error {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.closed { // it was opened too late
		_ = journal.Close()
		return context.Canceled
	}
	j.journal = journal
	return nil
}

func (j *journalOf) close() {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if !j.closed && j.journal != nil {
		_ = j.journal.Close()
	}
	j.closed = true
}

// journal is a unit's journal on the operator's side. What is not read waits at the other end.
type journal struct {
	op     string
	client *Client
	from   answer
	closed atomic.Bool
	end    func()
}

// Journal is that of the agent's host.
func (c *Client) Journal(ctx context.Context, unit string, lines int, follow bool) (io.ReadCloser, error) {
	op := "read the journal of " + unit
	if err := c.takeStream(op); err != nil {
		return nil, err
	}
	open := &openBody{ended: make(chan struct{})}
	a, hangUp, err := c.call(ctx, request{
		op: op, path: pathJournal, body: journalBody{Unit: unit, Lines: lines, Follow: follow}, stream: open, patience: dialPatience,
	})
	if err != nil {
		_ = open.Close()
		<-c.streams
		return nil, err
	}
	end := sync.OnceFunc(func() {
		_ = open.Close()
		hangUp()
		<-c.streams
	})
	return &journal{op: op, client: c, from: a, end: end}, nil
}

func (j *journal) Read(p []byte) (int, error) {
	n, err := j.from.rest.Read(p)
	switch {
	case err == nil:
		return n, nil
	case j.closed.Load():
		return n, io.ErrClosedPipe
	case !errors.Is(err, io.EOF):
		return n, lost(j.op, j.client.link.behind(err))
	}
	if why := j.failed(); why != nil {
		return n, why
	}
	return n, io.EOF
}

// failed is why the journal has ended, where that is an error.
func (j *journal) failed() error {
	text := j.from.response.Trailer.Get(trailerFailed)
	if text == "" {
		return nil
	}
	var failed wireError
	if err := strict([]byte(text), &failed); err != nil {
		return lost(j.op, breach("malformed trailer: %v", err))
	}
	return decodeError(&failed)
}

// Close ends the journal, at the other end as well.
func (j *journal) Close() error {
	j.closed.Store(true)
	j.end()
	return nil
}
