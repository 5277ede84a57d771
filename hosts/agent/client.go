package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// ConnectOptions say how to connect.
type ConnectOptions struct {
	Version string // Slipway's
	Life    Life
	// Explain may put why the session ended into better words; nil leaves it. It is
	// called once, and not for an end by Close.
	Explain func(cause error) error
}

// Client is the operator's end of a session. It is a hosts.Host, but that blobs larger
// than a frame have to be put into the agent's inbox by other means and Ingested.
type Client struct {
	*session
	hello Hello
	in    io.Closer
	out   io.Closer

	met    chan struct{} // closed once the agent has said hello
	over   chan struct{} // closed once nothing of the session is left
	places chan struct{} // one for each call that may be in hand

	sending chan struct{} // held by the one that sends a request: ids are in order on the wire
	last    uint64        // id

	answers share // of the budget

	calling sync.Mutex // guards calls
	calls   map[uint64]*pending
}

// pending is a request that was not answered yet.
type pending struct {
	progress chan hosts.Progress // keeps the latest
	answer   chan frame          // gets one frame
}

var _ hosts.Host = (*Client)(nil)

// Connect introduces itself to the agent at the other end of in and out and waits for
// its hello until ctx is done. If it fails, or the agent is lost later, it closes both;
// that must free whoever reads or writes them.
func Connect(ctx context.Context, in io.ReadCloser, out io.WriteCloser, opts ConnectOptions) (*Client, error) {
	c := &Client{
		session: newSession(in, maxAnswerFrame, opts.Life),
		in:      in,
		out:     out,
		met:     make(chan struct{}),
		over:    make(chan struct{}),
		places:  make(chan struct{}, maxCalls),
		sending: make(chan struct{}, 1),
		calls:   map[uint64]*pending{},
	}
	c.session.in.share = &share{over: c.ended}
	c.answers.over = c.ended
	c.handle = c.take
	c.explain = opts.Explain
	stopBeat := make(chan struct{})
	go c.write(out)
	go c.read()
	go c.beat(stopBeat)
	go c.mourn(stopBeat)
	if err := c.greet(ctx, opts.Version); err != nil {
		c.end(err)
		<-c.over
		return nil, err
	}
	return c, nil
}

func (c *Client) greet(ctx context.Context, version string) error {
	hello, err := encodeBody(kindHello, 0, Hello{Protocol: Protocol, Version: version})
	if err != nil {
		return err
	}
	if err := c.send(ctx, hello); err != nil {
		return fmt.Errorf("greet the agent: %w", err)
	}
	select {
	case <-c.met:
		return compare(c.hello, version)
	case <-c.ended:
		return fmt.Errorf("greet the agent: %w", c.why())
	case <-ctx.Done():
		return fmt.Errorf("greet the agent: %w", ctx.Err())
	}
}

// Done is closed when the session is over, for whatever reason.
func (c *Client) Done() <-chan struct{} { return c.ended }

// mourn clears up once the session has ended.
func (c *Client) mourn(stopBeat chan<- struct{}) {
	<-c.ended
	var breach *protocolError
	if errors.As(c.why(), &breach) {
		c.finishWriting() // it should hear why
	}
	c.silence()
	_ = c.in.Close() // first: it frees a Write that waits for the other end
	_ = c.out.Close()
	close(stopBeat)
	c.answers.end()
	close(c.over)
}

// Close tells the agent that nothing more will come, and waits until it has finished
// what it has in hand and gone. One that does not go in time is cut off. Closing a session
// that was lost is no error.
func (c *Client) Close() error {
	select {
	case <-c.ended:
		<-c.over
		return nil
	default:
	}
	c.closing.Store(true)
	cut := time.AfterFunc(closePatience, func() {
		c.end(fmt.Errorf("%w: it was cut off after %s, and ends what it has in hand by itself", errLingers, closePatience))
		c.silence()
	})
	defer cut.Stop()
	c.finishWriting()
	_ = c.out.Close() // the end of the session will tell
	<-c.over
	if cause := c.why(); !errors.Is(cause, io.EOF) {
		return lost("close", cause)
	}
	return nil
}

// take takes one frame from the agent. What it returns ends the session.
func (c *Client) take(f frame) error {
	greeted := c.greeted()
	switch {
	case f.Kind == kindHello && !greeted:
		hello, err := decodeHello(f)
		if err != nil {
			return err
		}
		c.hello = hello
		close(c.met)
		return nil
	case !greeted:
		return breach("the first frame is %q and not hello", f.Kind)
	case f.Kind == kindDone || f.Kind == kindFailed:
		return c.answered(f)
	case f.Kind == kindProgress:
		return c.progressed(f)
	default:
		return breach("the agent sent a frame of kind %q", f.Kind)
	}
}

func (c *Client) greeted() bool {
	select {
	case <-c.met:
		return true
	default:
		return false
	}
}

func (c *Client) answered(f frame) error {
	c.calling.Lock()
	defer c.calling.Unlock()
	p := c.calls[f.ID]
	if p == nil {
		return breach("an answer to request %d, which is not in hand", f.ID)
	}
	delete(c.calls, f.ID)
	p.answer <- f
	<-c.places
	return nil
}

func (c *Client) progressed(f frame) error {
	progress, err := decodeBody[hosts.Progress](f)
	if err != nil {
		return err
	}
	progress.Note = hosts.CleanLine(progress.Note)
	c.calling.Lock()
	defer c.calling.Unlock()
	p := c.calls[f.ID]
	if p == nil {
		return breach("progress of request %d, which is not in hand", f.ID)
	}
	select {
	case <-p.progress: // the caller is slow; this one is newer
	default:
	}
	p.progress <- progress
	return nil
}
