package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	dialTime = 10 * time.Second // bounds one attempt
	// dialHead is how long a host may take to answer before the next is asked as well.
	dialHead = 700 * time.Millisecond
)

var errNoHost = errors.New("no control plane is connected")

// theAPI is what most dialers lead to, for their errors.
const theAPI = "the API server on"

// dialer connects to the API server, or to what else it leads to, of whichever control
// plane answers, or by another way that was added; the one that served last first.
type dialer struct {
	what   string            // with the word that goes before a host's name
	labels map[string]string // what an added way leads to
	life   context.Context   // ends with close, and every attempt with it
	end    context.CancelFunc

	mu        sync.Mutex
	hosts     map[string]hosts.Host // to dial from, by the way's name: a control plane's is its own
	endpoints map[string]string     // what to dial
	coming    bool                  // further ways may come
	news      chan struct{}         // closed when one has, or none will
	order     []string
	open      map[*tracked]struct{}
	turns     int // how often another host was given preference
}

// tracked is a connection that the dialer can end.
type tracked struct {
	net.Conn
	host   string
	dialer *dialer
}

func (t *tracked) Close() error {
	t.dialer.mu.Lock()
	delete(t.dialer.open, t)
	t.dialer.mu.Unlock()
	return t.Conn.Close()
}

func newDialer(what string, all map[string]hosts.Host, endpoints map[string]string, names []string) *dialer {
	d := &dialer{
		what: what, hosts: all, endpoints: endpoints, labels: map[string]string{}, order: slices.Clone(names),
		open: map[*tracked]struct{}{}, news: make(chan struct{}),
	}
	d.life, d.end = context.WithCancel(context.Background())
	return d
}

// add gives the dialer further ways to the API, after those that it has.
func (d *dialer) add(ways []Way) {
	d.hosts, d.endpoints = cloned(d.hosts), cloned(d.endpoints)
	for _, way := range ways {
		name := way.Address + " from " + way.From
		d.hosts[name], d.endpoints[name], d.labels[name] = way.Host, way.Address, "the API at "+name
		d.order = append(d.order, name)
	}
}

func cloned[V any](m map[string]V) map[string]V {
	clone := map[string]V{}
	maps.Copy(clone, m)
	return clone
}

// choices is how many ways there are.
func (d *dialer) choices() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.hosts)
}

// label is what a way leads to, for an error; the caller holds the lock.
func (d *dialer) label(name string) string {
	if label, own := d.labels[name]; own {
		return label
	}
	return fmt.Sprintf("%s %s (%s)", d.what, name, d.endpoints[name])
}

type attempt struct {
	host string
	conn net.Conn
	err  error
}

// DialContext asks the hosts in turn: the next one when one has failed, or has not
// answered within dialHead. While further ways may come it waits for them before it gives
// up. The address is ignored: each host has its own.
func (d *dialer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	results := make(chan attempt)
	asked, pending := map[string]bool{}, 0
	defer func() { go discard(results, pending) }()
	begin := func() {
		if name, found := d.next(asked); found {
			asked[name] = true
			go d.try(ctx, name, results)
			pending++
		}
	}
	head := time.NewTimer(dialHead)
	defer head.Stop()
	var failures []error
	for begin(); ; {
		coming, news := d.awaited()
		if pending == 0 {
			begin() // one may have come just now
		}
		if pending == 0 && (!coming || ctx.Err() != nil) {
			return nil, noWay(failures)
		}
		done := ctx.Done()
		if pending > 0 {
			done = nil // each attempt ends by it, and says whose it was
		}
		select {
		case result := <-results:
			pending--
			if result.err == nil {
				return d.keep(result)
			}
			failures = append(failures, result.err)
			begin()
		case <-head.C:
			begin()
			head.Reset(dialHead)
		case <-news:
		case <-done:
		}
	}
}

// noWay is the error of a connection that no way led to.
func noWay(failures []error) error {
	if len(failures) == 0 {
		return errNoHost
	}
	return errors.Join(failures...)
}

// next is the first way, in the order of preference, that was not asked yet.
func (d *dialer) next(asked map[string]bool) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range d.order {
		if !asked[name] {
			return name, true
		}
	}
	return "", false
}

// await tells the dialer that further ways may come: by join, until settled.
func (d *dialer) await() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.coming = true
}

// awaited tells whether further ways may come, and when that has changed.
func (d *dialer) awaited() (coming bool, news <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.coming, d.news
}

// join adds a host to those that are there already, as the last choice.
func (d *dialer) join(name string, host hosts.Host, endpoint string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.hosts[name]; known {
		return
	}
	d.hosts, d.endpoints = cloned(d.hosts), cloned(d.endpoints) // others read them
	d.hosts[name], d.endpoints[name] = host, endpoint
	d.order = append(d.order, name)
	d.tell()
}

// settled tells that no further way will come.
func (d *dialer) settled() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.coming = false
	d.tell()
}

// tell wakes those who wait for news; the caller holds the lock.
func (d *dialer) tell() {
	close(d.news)
	d.news = make(chan struct{})
}

// preferred is what the way that is tried first leads to, for an error.
func (d *dialer) preferred() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.order) == 0 {
		return "the API"
	}
	return d.label(d.order[0])
}

func (d *dialer) try(ctx context.Context, name string, results chan<- attempt) {
	d.mu.Lock()
	host, endpoint, label := d.hosts[name], d.endpoints[name], d.label(name)
	d.mu.Unlock()
	began := time.Now()
	conn, err := host.Dial(ctx, "tcp", endpoint)
	if err != nil {
		err = fmt.Errorf("reach %w", orSilence(fmt.Errorf("%s: %w", label, err), label, began))
	}
	results <- attempt{name, conn, err}
}

// discard closes the connections of those who answered too late.
func discard(results <-chan attempt, pending int) {
	for range pending {
		if late := <-results; late.err == nil {
			_ = late.conn.Close()
		}
	}
}

// keep notes a connection, and prefers its host from now on.
func (d *dialer) keep(won attempt) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life.Err() != nil {
		_ = won.conn.Close()
		return nil, net.ErrClosed
	}
	conn := &tracked{Conn: won.conn, host: won.host, dialer: d}
	d.open[conn] = struct{}{}
	at := slices.Index(d.order, won.host)
	d.order = slices.Insert(slices.Delete(d.order, at, at+1), 0, won.host)
	return conn, nil
}

// state tells how many connections are open, and the turn they belong to.
func (d *dialer) state() (open, turn int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open), d.turns
}

// turn ends the connections to the preferred host and prefers the next one, unless
// somebody did so since the given turn.
func (d *dialer) turn(since int) {
	d.mu.Lock()
	if d.turns != since || len(d.order) == 0 {
		d.mu.Unlock()
		return
	}
	d.turns++
	bad := d.order[0]
	d.order = append(d.order[1:], bad)
	ended := d.take(func(conn *tracked) bool { return conn.host == bad })
	d.mu.Unlock()
	closeAll(ended)
}

func (d *dialer) close() {
	d.end()
	d.mu.Lock()
	ended := d.take(func(*tracked) bool { return true })
	d.mu.Unlock()
	closeAll(ended)
}

// take forgets the connections that are chosen; the caller holds the lock.
func (d *dialer) take(chosen func(*tracked) bool) []*tracked {
	var taken []*tracked
	for conn := range d.open {
		if chosen(conn) {
			delete(d.open, conn)
			taken = append(taken, conn)
		}
	}
	return taken
}

func closeAll(conns []*tracked) {
	for _, conn := range conns {
		_ = conn.Conn.Close()
	}
}

// Await tells the client that control planes are still being connected to: until Settled, a
// connection that none of those there can make waits for the others, within its time.
func (c *Client) Await() { c.dialer.await() }

// Join adds a control plane that was connected after the client was made; the endpoint is
// its API server's host:port as seen from it.
func (c *Client) Join(name string, host hosts.Host, endpoint string) {
	c.dialer.join(name, host, endpoint)
}

// Settled tells the client that all are there that will be.
func (c *Client) Settled() { c.dialer.settled() }

// Dial connects to the API server of a control plane that answers. The bytes are its TLS.
func (c *Client) Dial(ctx context.Context) (net.Conn, error) {
	return c.dialer.DialContext(ctx, "", "")
}

// Forward carries every connection to the listener to an API server, until the context
// ends or the listener is closed. Clients speak TLS with it: ServerName, the cluster's CA.
func (c *Client) Forward(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	var group sync.WaitGroup
	defer group.Wait()
	for {
		near, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return ctx.Err()
			}
			return fmt.Errorf("forward connections to the API server: %w", err)
		}
		group.Go(func() { c.carry(ctx, near) })
	}
}

// carry joins one connection to an API server until both sides have ended.
func (c *Client) carry(ctx context.Context, near net.Conn) {
	defer near.Close()
	far, err := c.Dial(ctx)
	if err != nil {
		return
	}
	defer far.Close()
	stop := context.AfterFunc(ctx, func() { _ = near.Close(); _ = far.Close() })
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { _, _ = io.Copy(far, near); endWrite(far) })
	group.Go(func() { _, _ = io.Copy(near, far); endWrite(near) })
	group.Wait()
}

// endWrite tells the other side that nothing more comes, where the connection can.
func endWrite(conn net.Conn) {
	if t, ok := conn.(*tracked); ok {
		conn = t.Conn
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = conn.Close()
}
