package workflow

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// watchedHost is a host whose connection comes and goes. While there is none its calls fail at once, and
// who needs it goes another way. That it is connected to again is for who watches it.
type watchedHost struct {
	poked chan struct{} // holds one while it is to be looked at, or connected to, at once

	mu  sync.Mutex
	now hosts.Host // nil: there is none
	why error
}

var errNotConnected = errors.New("the host is not connected")

func newWatchedHost() *watchedHost {
	return &watchedHost{poked: make(chan struct{}, 1), why: errNotConnected}
}

// set changes the connection; nil: there is none any more, and why.
func (h *watchedHost) set(host hosts.Host, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now, h.why = host, why
}

func (h *watchedHost) get() (hosts.Host, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil {
		return nil, h.why
	}
	return h.now, nil
}

// poke has the host looked at, or connected to, at once.
func (h *watchedHost) poke() {
	select {
	case h.poked <- struct{}{}:
	default:
	}
}

// rest waits, and tells whether it was poked.
func (h *watchedHost) rest(ctx context.Context, long time.Duration) (poked bool) {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-h.poked:
		return true
	case <-timer.C:
	}
	return false
}

// Observe is the host's.
func (h *watchedHost) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	host, err := h.get()
	if err != nil {
		return hosts.Facts{}, err
	}
	return host.Observe(ctx, query)
}

// Do is the host's.
func (h *watchedHost) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	host, err := h.get()
	if err != nil {
		return hosts.Outcome{}, err
	}
	return host.Do(ctx, action, progress)
}

// Upload is the host's.
func (h *watchedHost) Upload(ctx context.Context, blobs []hosts.Blob, progress func(hosts.Progress)) error {
	host, err := h.get()
	if err != nil {
		return err
	}
	return host.Upload(ctx, blobs, progress)
}

// Dial is the host's. One whose connection has ended is looked at, and so connected to again.
func (h *watchedHost) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, err := h.get()
	if err != nil {
		return nil, err
	}
	conn, err := host.Dial(ctx, network, address)
	if lost, is := errors.AsType[*hosts.Error](err); is && (lost.Kind == hosts.KindCut || lost.Kind == hosts.KindUnreachable) {
		h.poke()
	}
	return conn, err
}

// Journal is the host's. It ends with the connection.
func (h *watchedHost) Journal(ctx context.Context, unit string, lines int, follow bool) (io.ReadCloser, error) {
	host, err := h.get()
	if err != nil {
		return nil, err
	}
	return host.Journal(ctx, unit, lines, follow)
}

// Close does nothing: who watches the host closes its connections.
func (h *watchedHost) Close() error { return nil }
