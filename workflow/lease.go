package workflow

import (
	"context"
	"errors"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
)

// lease takes the lease of every host that is connected. Those that are held stay so. One that
// does not answer any more is from then on as one that was not reached.
func (s *Session) lease(ctx context.Context) error {
	defer s.span(StageLease)()
	for {
		release, err := engine.Hold(ctx, engine.Options{Hosts: s.hosts, Holder: holder(), Waits: s.leases})
		if err == nil {
			s.leased, s.releaseLease = true, release
			return nil
		}
		if ctx.Err() != nil || !s.lost(err) {
			s.leased, s.releaseLease = false, nil
			return &engine.NotBegun{Err: err}
		}
	}
}

// leases tells that a host is asked for its lease.
func (s *Session) leases(host, what string) (end func()) {
	_, end = s.stage(StageLease, host, what)
	return end
}

// lost takes a host out of the session whose error says that it does not answer any more; it
// tells whether there was one.
func (s *Session) lost(err error) bool {
	silent, ok := errors.AsType[*hosts.Error](err)
	if !ok || !isSilent(err) {
		return false
	}
	host, up := s.hosts[silent.Host]
	if !up {
		return false
	}
	s.down[silent.Host] = err
	delete(s.hosts, silent.Host)
	delete(s.facts, silent.Host)
	s.viaHosts = slices.DeleteFunc(s.viaHosts, func(name string) bool { return name == silent.Host })
	go func() { _ = host.Close() }() // which may take a while
	return true
}

// release gives the lease back, where the session holds it.
func (s *Session) release() {
	if s.releaseLease != nil {
		s.releaseLease()
	}
	s.leased, s.releaseLease = false, nil
}
