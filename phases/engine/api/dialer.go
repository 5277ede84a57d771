package api

import (
	"context"
	"errors"
	"fmt"
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

// theAPI is where most ways lead to, for their errors.
const theAPI = "the API server on"

// way leads from a host to an address.
type way struct {
	name    string // a control plane's is its own
	host    hosts.Host
	address string
	label   string // for errors
}

func newWay(what, name string, host hosts.Host, address string) way {
	return way{name, host, address, fmt.Sprintf("%s %s (%s)", what, name, address)}
}

// dialer connects by whichever of its ways answers; the one that served last comes first.
type dialer struct {
	life context.Context // ends with close, and every attempt with it
	end  context.CancelFunc

	mu     sync.Mutex
	ways   []way         // in the order of preference
	coming bool          // further ways may come
	news   chan struct{} // closed when one has, or none will
	open   map[*tracked]struct{}
	turns  int           // how often another way was given preference
	took   time.Duration // how long the last connection took to be made: a round trip
}

// tracked is a connection that the dialer can end.
type tracked struct {
	net.Conn
	way    string
	dialer *dialer
}

func (t *tracked) Close() error {
	t.dialer.mu.Lock()
	delete(t.dialer.open, t)
	t.dialer.mu.Unlock()
	return t.Conn.Close()
}

func newDialer(ways ...way) *dialer {
	d := &dialer{ways: ways, open: map[*tracked]struct{}{}, news: make(chan struct{})}
	d.life, d.end = context.WithCancel(context.Background())
	return d
}

// choices is how many ways there are.
func (d *dialer) choices() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ways)
}

type attempt struct {
	way  way
	conn net.Conn
	err  error
	took time.Duration
}

// DialContext tries the ways in turn: the next one when one has failed, or has not answered
// within dialHead. While further ways may come it waits for them before it gives up. The
// address is ignored: each way has its own.
func (d *dialer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	results := make(chan attempt)
	tried, pending := map[string]bool{}, 0
	defer func() { go discard(results, pending) }()
	begin := func() {
		if next, found := d.next(tried); found {
			tried[next.name] = true
			go next.try(ctx, results)
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

// next is the first way that was not tried yet.
func (d *dialer) next(tried map[string]bool) (way, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.ways, func(w way) bool { return !tried[w.name] })
	if i < 0 {
		return way{}, false
	}
	return d.ways[i], true
}

func (w way) try(ctx context.Context, results chan<- attempt) {
	began := time.Now()
	conn, err := w.host.Dial(ctx, "tcp", w.address)
	if err != nil {
		err = fmt.Errorf("reach %w", orSilence(fmt.Errorf("%s: %w", w.label, err), w.label, began))
	}
	results <- attempt{w, conn, err, time.Since(began)}
}

// discard closes the connections that were made too late.
func discard(results <-chan attempt, pending int) {
	for range pending {
		if late := <-results; late.err == nil {
			_ = late.conn.Close()
		}
	}
}

// keep notes a connection, and prefers its way from now on.
func (d *dialer) keep(won attempt) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life.Err() != nil {
		_ = won.conn.Close()
		return nil, net.ErrClosed
	}
	conn := &tracked{Conn: won.conn, way: won.way.name, dialer: d}
	d.open[conn], d.took = struct{}{}, won.took
	at := slices.IndexFunc(d.ways, func(w way) bool { return w.name == won.way.name })
	d.ways = slices.Insert(slices.Delete(d.ways, at, at+1), 0, won.way)
	return conn, nil
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

// join adds a way as the last choice, unless it is there.
func (d *dialer) join(further way) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.ContainsFunc(d.ways, func(w way) bool { return w.name == further.name }) {
		return
	}
	d.ways = append(d.ways, further)
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
	if len(d.ways) == 0 {
		return "the API"
	}
	return d.ways[0].label
}

// state tells how many connections are open, and the turn they belong to.
func (d *dialer) state() (open, turn int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open), d.turns
}

// roundTrip is how long it takes to the host that was dialed last, and back; 0 where that is not known.
func (d *dialer) roundTrip() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.took
}

// turn ends the connections of the preferred way and prefers the next one, unless that was
// done since the given turn.
func (d *dialer) turn(since int) {
	d.mu.Lock()
	var ended []*tracked
	if d.turns == since && len(d.ways) > 0 {
		d.turns++
		bad := d.ways[0]
		d.ways = append(d.ways[1:], bad)
		ended = d.take(func(conn *tracked) bool { return conn.way == bad.name })
	}
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
