package workflow

import (
	"context"
	"fmt"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// approach begins to connect to hosts and to look at them.
func (s *Session) approach(ctx context.Context, wanted []cluster.Host, query func(cluster.Host) hosts.Query) *arrivals {
	ctx, stop := context.WithCancel(ctx)
	a := &arrivals{results: make(chan arrival, len(wanted)), left: len(wanted), stop: stop}
	for _, h := range wanted {
		go func() { a.results <- s.visit(ctx, h, query(h)) }()
	}
	s.arriving = a
	return a
}

// visit connects to a host and looks at it.
func (s *Session) visit(ctx context.Context, h cluster.Host, query hosts.Query) arrival {
	next := s.connections.reach(ctx, h)
	if next.err != nil {
		return next
	}
	if next.facts, next.err = s.lookAt(ctx, h.Name, next.host, query); next.err != nil {
		_ = next.host.Close()
		next.err = fmt.Errorf("observe %s: %w", h.Name, next.err)
	}
	return next
}

// await takes the next arrival into the session, and tells whether there was one: not when
// the context ends first.
func (s *Session) await(ctx context.Context, a *arrivals) bool {
	select {
	case <-ctx.Done():
		return false
	case next := <-a.results:
		a.left--
		s.take(next)
		if next.err == nil {
			s.note(next.name, next.facts)
		}
		return true
	}
}

// receive has every control plane that still comes serve as a way to the API.
func (s *Session) receive(a *arrivals) {
	defer s.api.Settled()
	a.collect(func(next arrival) {
		if h, known := s.cluster.Host(next.name); known {
			s.api.Join(next.name, next.host, manifests.APIAddress(s.cluster, h))
		}
	})
}
