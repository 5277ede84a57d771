package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
// than a request have to be put into the agent's inbox by other means and Ingested.
type Client struct {
	link    *link
	http    *http.ClientConn
	out     io.Closer
	places  chan struct{} // one for each call that may be in hand
	streams chan struct{} // one for each connection that may be open
	memory  share         // of the budget

	quick     context.Context // of all calls but actions: Close does not wait for them
	stopQuick context.CancelFunc
}

var _ hosts.Host = (*Client)(nil)

// Connect hears who the agent at the other end of in and out is and introduces itself, until
// ctx is done. If it fails, or the agent is lost later, it closes both; that must free whoever
// reads or writes them.
func Connect(ctx context.Context, in io.ReadCloser, out io.WriteCloser, opts ConnectOptions) (*Client, error) {
	reader := bufio.NewReaderSize(in, maxHello)
	l := newLink(reader, out, opts.Life)
	c := &Client{
		link: l, out: out,
		places: make(chan struct{}, maxCalls), streams: make(chan struct{}, maxStreams),
		memory: share{over: l.ended},
	}
	l.farewell = farewell
	c.quick, c.stopQuick = context.WithCancel(context.Background())
	if opts.Explain != nil {
		l.explain = c.unlessClosing(opts.Explain)
	}
	l.release = func() {
		_ = in.Close() // first: it frees a Write that waits for the other end
		_ = out.Close()
		c.memory.end()
		c.stopQuick()
	}
	stop := context.AfterFunc(ctx, func() { l.end(ctx.Err()) })
	err := c.greet(ctx, reader, opts.Version)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		l.end(err)
		if known := new(hosts.Error); errors.As(err, &known) {
			return nil, err
		}
		return nil, fmt.Errorf("greet the agent: %w", l.why())
	}
	go l.watch()
	return c, nil
}

// unlessClosing leaves the end that Close has brought about as it is.
func (c *Client) unlessClosing(explain func(error) error) func(error) error {
	return func(cause error) error {
		if c.link.closing.Load() {
			return cause
		}
		return explain(cause)
	}
}

func (c *Client) greet(ctx context.Context, in *bufio.Reader, version string) error {
	if err := http2On("http2client"); err != nil {
		return err
	}
	if err := readHello(in, version); err != nil {
		return err
	}
	if err := writeHello(c.link, version); err != nil {
		return err
	}
	protocols, config := c.link.life.http2()
	transport := &http.Transport{
		Protocols: protocols, HTTP2: config, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return c.link, nil },
	}
	var err error
	c.http, err = transport.NewClientConn(ctx, "http", authority)
	return err
}

// authority stands in every request, and means nothing: there is one agent at the other end.
const authority = "agent:80"

// Done is closed when the session is over, for whatever reason.
func (c *Client) Done() <-chan struct{} { return c.link.ended }

// Close tells the agent that nothing more will come once it has finished what it has in hand,
// and waits until it is gone. One that does not go in time is cut off. Closing a session that
// was lost is no error.
func (c *Client) Close() error {
	if c.link.over() || !c.link.closing.CompareAndSwap(false, true) {
		<-c.link.ended
		return nil
	}
	cut := time.AfterFunc(closePatience, func() {
		c.link.end(fmt.Errorf("%w: it was cut off after %s, and ends what it has in hand by itself", errLingers, closePatience))
	})
	defer cut.Stop()
	defer time.AfterFunc(quickPatience, c.stopQuick).Stop()
	for range maxCalls { // then none is in hand, and none begins any more
		select {
		case c.places <- struct{}{}:
		case <-c.link.ended:
		}
	}
	_ = c.out.Close() // the end of the session will tell
	// HTTP/2 stops reading where it still wants to write, as it does of a connection that was just closed.
	// Not at once: it would miss what is taken from it, and complain on the standard error.
	defer time.AfterFunc(drainAfter, c.link.drain).Stop()
	<-c.link.ended
	if cause := c.link.why(); !errors.Is(cause, io.EOF) {
		return lost("close", cause)
	}
	return nil
}
