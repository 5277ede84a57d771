package workflow

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// reconnecting makes a dialer whose hosts are connected to anew, at the next call, after their connection has
// ended, as that of a host does that reboots. A call that the end of the connection cuts off fails.
func reconnecting(dial Dialer) Dialer {
	return func(ctx context.Context, h cluster.Host, tell func(string)) (hosts.Host, error) {
		first, err := dial(ctx, h, tell)
		if err != nil {
			return nil, err
		}
		again := func(ctx context.Context) (hosts.Host, error) { return dial(ctx, h, func(string) {}) }
		return &reconnected{dial: again, turn: make(chan struct{}, 1), now: first}, nil
	}
}

// reconnected is such a host.
type reconnected struct {
	dial func(context.Context) (hosts.Host, error)

	turn   chan struct{}    // holds one while somebody reads or writes what is below
	now    hosts.Host       // nil: its connection has ended
	lease  *hosts.TakeLease // what it was leased with; nil where it is not
	closed bool
}

var errHostClosed = errors.New("the host was closed")

// host is the connection that there is, or a new one, with the lease that the last one had.
func (r *reconnected) host(ctx context.Context) (hosts.Host, error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer r.end()
	switch {
	case r.closed:
		return nil, errHostClosed
	case r.now != nil:
		return r.now, nil
	}
	host, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	if r.lease != nil {
		if _, err := host.Do(ctx, *r.lease, nil); err != nil {
			_ = host.Close()
			return nil, err
		}
	}
	r.now = host
	return host, nil
}

func (r *reconnected) end() { <-r.turn }

// heard takes note where the error of a call says that the connection has ended.
func (r *reconnected) heard(host hosts.Host, err error) {
	if lost, is := errors.AsType[*hosts.Error](err); !is || lost.Kind != hosts.KindCut && lost.Kind != hosts.KindUnreachable {
		return
	}
	r.turn <- struct{}{}
	defer r.end()
	if r.now == host {
		r.now = nil
		go func() { _ = host.Close() }() // which may take a while
	}
}

// Observe is the host's.
func (r *reconnected) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	host, err := r.host(ctx)
	if err != nil {
		return hosts.Facts{}, err
	}
	facts, err := host.Observe(ctx, query)
	r.heard(host, err)
	return facts, err
}

// Do is the host's. A connection that ends when the host was asked to reboot is no error: another boot
// ID is the proof, which is waited for in the next step.
func (r *reconnected) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	host, err := r.host(ctx)
	if err != nil {
		return hosts.Outcome{}, err
	}
	outcome, err := host.Do(ctx, action, progress)
	r.heard(host, err)
	switch a := action.(type) {
	case hosts.TakeLease:
		if err == nil {
			r.leased(&a)
		}
	case hosts.ReleaseLease:
		r.leased(nil)
	case hosts.Reboot:
		if lost, is := errors.AsType[*hosts.Error](err); is && lost.Kind == hosts.KindCut {
			return hosts.Outcome{Result: hosts.Changed, Detail: "the connection ended with it"}, nil
		}
	}
	return outcome, err
}

func (r *reconnected) leased(lease *hosts.TakeLease) {
	r.turn <- struct{}{}
	defer r.end()
	r.lease = lease
}

// Upload is the host's. What was uploaded before a reboot, and is secret, is gone after it.
func (r *reconnected) Upload(ctx context.Context, blobs []hosts.Blob, progress func(hosts.Progress)) error {
	host, err := r.host(ctx)
	if err != nil {
		return err
	}
	err = host.Upload(ctx, blobs, progress)
	r.heard(host, err)
	return err
}

// Dial is the host's.
func (r *reconnected) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, err := r.host(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := host.Dial(ctx, network, address)
	r.heard(host, err)
	return conn, err
}

// Journal is the host's. It ends with the connection.
func (r *reconnected) Journal(ctx context.Context, unit string, lines int, follow bool) (io.ReadCloser, error) {
	host, err := r.host(ctx)
	if err != nil {
		return nil, err
	}
	journal, err := host.Journal(ctx, unit, lines, follow)
	r.heard(host, err)
	return journal, err
}

// Close closes the connection, if there is one.
func (r *reconnected) Close() error {
	r.turn <- struct{}{}
	defer r.end()
	r.closed = true
	if r.now == nil {
		return nil
	}
	return r.now.Close()
}
