package workflow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/engine/api"
)

// arrivals are hosts that are being connected to and looked at, all at once: who is fast
// waits for nobody. One goroutine takes them, one by one.
type arrivals struct {
	results chan arrival
	left    int // of whom nothing is known yet
	stop    context.CancelFunc
}

// arrival is a host that has answered, or the reason why it has not.
type arrival struct {
	name  string
	host  hosts.Host
	facts hosts.Facts
	err   error
}

// approach begins to connect to hosts and to look at them.
func (s *Session) approach(ctx context.Context, wanted []cluster.Host, query func(cluster.Host) hosts.Query) *arrivals {
	ctx, stop := context.WithCancel(ctx)
	a := &arrivals{results: make(chan arrival, len(wanted)), left: len(wanted), stop: stop}
	for _, h := range wanted {
		go func() { a.results <- s.visit(ctx, h, query(h)) }()
	}
	s.coming = a
	return a
}

// visit connects to a host and looks at it.
func (s *Session) visit(ctx context.Context, h cluster.Host, query hosts.Query) arrival {
	host, err := s.reachHost(ctx, h)
	if err != nil {
		return arrival{name: h.Name, err: err}
	}
	facts, err := s.lookAt(ctx, h.Name, host, query)
	if err != nil {
		_ = host.Close()
		return arrival{name: h.Name, err: fmt.Errorf("observe %s: %w", h.Name, err)}
	}
	return arrival{name: h.Name, host: host, facts: facts}
}

// await takes the next arrival into the session, and tells whether there was one: not when
// the context ends first.
func (s *Session) await(ctx context.Context, a *arrivals) bool {
	select {
	case <-ctx.Done():
		return false
	case next := <-a.results:
		a.left--
		if next.err != nil {
			s.down[next.name] = next.err
		} else {
			s.hosts[next.name], s.facts[next.name], s.seen[next.name] = next.host, next.facts, time.Now()
		}
		return true
	}
}

// ConnectAPI reaches a control plane and finds the keys: what a command needs that speaks
// to the API and changes no host. All are asked at once, and it goes on with the first that
// answers and knows the cluster; the others serve as further ways to the API when they come.
func (s *Session) ConnectAPI(ctx context.Context) error {
	a := s.approach(ctx, s.cluster.ControlPlanes(), func(cluster.Host) hosts.Query { return hosts.Query{} })
	var unknown error
	for s.keys == nil && a.left > 0 {
		if !s.await(ctx, a) {
			return ctx.Err()
		}
		if len(s.hosts) == 0 {
			continue
		}
		unknown = s.findKeys(ctx)
		if !mayBeKnown(unknown) {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(s.hosts) == 0:
		return fmt.Errorf("reach a control plane of %s: %w", s.cluster.Name, s.downErrors())
	case s.keys == nil:
		return fmt.Errorf("find the keys of cluster %s: %w", s.cluster.Name, errors.Join(unknown, s.downErrors()))
	}
	if err := s.openClient(); err != nil {
		return err
	}
	if a.left > 0 {
		s.api.Await()
		s.late = &lateHosts{done: make(chan struct{})}
		go s.late.receive(s, a)
	}
	return nil
}

// API is the client of the cluster's API, once that is connected to.
func (s *Session) API() *api.Client { return s.api }

// mayBeKnown tells whether the next control plane that comes may know the keys: where the others
// have none, or could not give them. No host helps where one is another cluster's, or where
// the state folder cannot be read.
func mayBeKnown(err error) bool {
	_, unread := errors.AsType[*unreadKeys](err)
	return err == nil || unread || errors.Is(err, errNoKeys)
}

// lateHosts are the hosts that came after the command had begun its work.
type lateHosts struct {
	done chan struct{}

	mu    sync.Mutex
	hosts []hosts.Host
}

// receive has every control plane that still comes serve as a way to the API.
func (l *lateHosts) receive(s *Session, a *arrivals) {
	defer close(l.done)
	defer s.api.Settled()
	for range a.left {
		next := <-a.results
		if next.err != nil {
			continue
		}
		l.mu.Lock()
		l.hosts = append(l.hosts, next.host)
		l.mu.Unlock()
		if h, known := s.cluster.Host(next.name); known {
			s.api.Join(next.name, next.host, manifests.APIAddress(s.cluster, h))
		}
	}
}

// lateGrace bounds how long the end of a command waits for connections that are still
// being made: they are given up by then.
const lateGrace = time.Second

// closeLate gives up on those who have not come yet, and gives back those who came late.
func (s *Session) closeLate() []hosts.Host {
	if s.coming == nil {
		return nil
	}
	s.coming.stop()
	if s.late == nil {
		return nil
	}
	select {
	case <-s.late.done:
	case <-time.After(lateGrace):
	}
	s.late.mu.Lock()
	defer s.late.mu.Unlock()
	return s.late.hosts
}
