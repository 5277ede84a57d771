package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// request is what is asked of the agent.
type request struct {
	op       string // the deed and its object, for errors
	path     string
	body     any
	content  []byte        // that follows the body
	source   *source       // that follows in place of content; nil: nothing does
	stream   io.ReadCloser // that follows, while something follows the answer; then the call's end is not awaited
	patience time.Duration // without an answer, and without progress
	progress func(hosts.Progress)
}

// answer is what the agent made of a request.
type answer struct {
	body json.RawMessage
	rest io.Reader // of a connection
	// response is complete once rest has ended.
	response *http.Response
	err      error
}

// call sends a request and waits for its answer. When ctx is cancelled it says so to the
// agent, and waits for a moment for what that makes of it. hangUp breaks the request off, with
// all that follows the answer.
func (c *Client) call(ctx context.Context, r request) (a answer, hangUp func(), err error) {
	if err := ctx.Err(); err != nil {
		return answer{}, nil, fmt.Errorf("%s: %w", r.op, err)
	}
	line, err := encodeLine(r.body)
	if err != nil {
		return answer{}, nil, fmt.Errorf("%s: %w", r.op, err)
	}
	if err := c.reserve(ctx, r); err != nil {
		return answer{}, nil, err
	}
	defer func() { <-c.places }()
	asked, hangUp := context.WithCancel(context.Background())
	body, cancel := r.stream, hangUp
	if body == nil {
		open := &openBody{ended: make(chan struct{})}
		body, cancel = open, func() { _ = open.Close() }
	}
	sent := io.MultiReader(bytes.NewReader(line), bytes.NewReader(r.content), body)
	if open, is := body.(*openBody); is && r.source != nil {
		r.source.open = open
		sent = io.MultiReader(bytes.NewReader(line), r.source, body)
	}
	e := &exchange{progress: make(chan hosts.Progress, 1), answer: make(chan answer, 1)}
	go c.exchange(asked, r.path, readCloser{sent, body}, e)
	defer context.AfterFunc(ctx, cancel)()
	if r.path != pathDo {
		defer context.AfterFunc(c.quick, cancel)()
	}
	if a, err = c.await(ctx, r, e); err != nil || r.stream == nil {
		hangUp()
	}
	if c.quick.Err() != nil && errors.Is(err, context.Canceled) && ctx.Err() == nil {
		err = lost(r.op, errClosed)
	}
	return a, hangUp, own(ctx, r.op, err)
}

type readCloser struct {
	io.Reader
	io.Closer
}

// openBody holds a request open until it is closed: its end cancels the call.
type openBody struct {
	once  sync.Once
	ended chan struct{}
}

func (b *openBody) Read([]byte) (int, error) {
	<-b.ended
	return 0, io.EOF
}

func (b *openBody) Close() error {
	b.once.Do(func() { close(b.ended) })
	return nil
}

// exchange is a request that is under way.
type exchange struct {
	progress chan hosts.Progress // keeps the latest
	answer   chan answer         // gets one
}

// exchange carries a request out: what does not go by the protocol ends the session.
func (c *Client) exchange(ctx context.Context, path string, body io.ReadCloser, e *exchange) {
	request := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: authority, Path: path}, Header: http.Header{}, Body: body,
	}
	response, err := c.http.RoundTrip(request.WithContext(ctx))
	if err == nil {
		// To cancel the context is not enough: a write that waits for the other end does not see
		// it, and what was not read stays counted against the connection.
		context.AfterFunc(ctx, func() { _ = response.Body.Close() })
		in := newLineReader(response.Body, maxAnswer, &c.memory)
		var a answer
		if a, err = readAnswer(in, e.progress); err == nil {
			a.rest, a.response = in, response
			e.answer <- a
			return
		}
	}
	if ctx.Err() == nil && !errors.Is(err, errNoRoom) && !errors.Is(err, errOver) {
		if known := new(protocolError); !errors.As(err, &known) {
			err = breach("%v", c.link.behind(err))
		}
		c.link.end(err)
	} else if c.link.over() && !errors.Is(err, errNoRoom) {
		err = errOver // the end of the session has cancelled the call
	}
	e.answer <- answer{err: err}
}

// readAnswer reads lines up to the one that answers.
func readAnswer(in *lineReader, progress chan hosts.Progress) (answer, error) {
	for {
		var line answerLine
		if err := in.decode(&line); err != nil {
			return answer{}, err
		}
		switch {
		case line.Progress != nil && line.Done == nil && line.Failed == nil:
			line.Progress.Note = hosts.CleanLine(line.Progress.Note)
			latest(progress, *line.Progress)
		case line.Progress == nil && line.Done != nil && line.Failed == nil:
			return answer{body: line.Done}, nil
		case line.Progress == nil && line.Done == nil && line.Failed != nil:
			return answer{err: decodeError(line.Failed)}, nil
		default:
			return answer{}, breach("a line that says not one thing")
		}
	}
}

// latest puts progress where one has room, for whoever is slow: this one is newer.
func latest(progress chan hosts.Progress, p hosts.Progress) {
	select {
	case <-progress:
	default:
	}
	progress <- p
}

// reserve takes a place among the calls in hand.
func (c *Client) reserve(ctx context.Context, r request) error {
	patience := time.NewTimer(r.patience)
	defer patience.Stop()
	select {
	case c.places <- struct{}{}:
		return nil
	case <-c.link.ended:
		return c.lost(r.op)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", r.op, ctx.Err())
	case <-patience.C:
		return unanswered(ctx, r.op, noAnswer(r.patience))
	}
}

// await waits for the answer for as long as the call moves.
func (c *Client) await(ctx context.Context, r request, e *exchange) (answer, error) {
	patience := time.NewTimer(r.patience)
	defer patience.Stop()
	limit := time.NewTimer(callLimit)
	defer limit.Stop()
	cancelled := ctx.Done()
	var last hosts.Progress
	for {
		select {
		case progress := <-e.progress:
			if progress != last && ctx.Err() == nil {
				patience.Reset(r.patience)
			}
			last = progress
			r.report(progress)
		case <-cancelled:
			cancelled = nil
			patience.Reset(cancelPatience)
		case <-patience.C:
			return answer{}, unanswered(ctx, r.op, noAnswer(r.patience))
		case <-limit.C:
			return answer{}, unanswered(ctx, r.op, fmt.Sprintf("it says that it moves, and has not ended in %s", callLimit))
		case a := <-e.answer:
			return c.conclude(r, e, a)
		case <-c.link.ended:
			select {
			case a := <-e.answer:
				return c.conclude(r, e, a)
			default:
				return answer{}, c.lost(r.op)
			}
		}
	}
}

func (r request) report(p hosts.Progress) {
	if r.progress != nil {
		r.progress(p)
	}
}

// conclude reports the last progress, if it was not yet, and tells an answer from what came
// instead of one.
func (c *Client) conclude(r request, e *exchange, a answer) (answer, error) {
	select {
	case progress := <-e.progress:
		r.report(progress)
	default:
	}
	known := new(protocolError)
	switch {
	case errors.As(a.err, &known), errors.Is(a.err, errOver):
		return answer{}, c.lost(r.op)
	case errors.Is(a.err, errNoRoom):
		return answer{}, noRoom(r.op, a.err)
	}
	return a, a.err
}

// lost is what a request fails with when the session ends under it.
func (c *Client) lost(op string) error { return lost(op, c.link.why()) }

// ask makes a call whose answer is an A.
func ask[A any](ctx context.Context, c *Client, r request) (A, error) {
	var made A
	a, _, err := c.call(ctx, r)
	if err != nil {
		return made, err
	}
	switch err := c.decode(ctx, a.body, &made); {
	case err == nil:
		return made, nil
	case errors.Is(err, errOver):
		return made, c.lost(r.op)
	case errors.Is(err, errNoRoom):
		return made, noRoom(r.op, err)
	default:
		return made, fmt.Errorf("%s: read the answer: %w", r.op, err)
	}
}

func noRoom(op string, err error) error {
	return &hosts.Error{Kind: hosts.KindBroken, Op: op, Err: fmt.Errorf("read the answer: %w", err), Fix: fixNoRoom}
}
