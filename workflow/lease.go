package workflow

import (
	"context"
	"slices"

	"github.com/slipway-k8s/slipway/phases/engine"
)

// lease is the hosts' lease: one operator at a time works on them.
type lease struct {
	first   bool   // it is taken before hosts are looked at
	release func() // gives it back; nil where it is not held
}

func (l *lease) held() bool { return l.release != nil }

func (l *lease) giveBack() {
	if l.held() {
		l.release()
	}
	l.release = nil
}

// takeLease takes the lease of every host that is connected. Those that are held stay so. One
// that does not answer any more is from then on as one that was not reached.
func (s *Session) takeLease(ctx context.Context) error {
	defer s.span(StageLease)()
	for {
		release, err := engine.Hold(ctx, engine.Options{Hosts: s.hosts, Holder: holder(), Waits: s.leases})
		if err == nil {
			s.release = release
			return nil
		}
		gone := ""
		if ctx.Err() == nil {
			gone = s.lost(err)
		}
		if gone == "" {
			s.release = nil
			return &engine.NotBegun{Err: err}
		}
		delete(s.facts, gone)
		s.viaHosts = slices.DeleteFunc(s.viaHosts, func(name string) bool { return name == gone })
	}
}

// leases tells that a host is asked for its lease.
func (s *Session) leases(host, what string) (end func()) {
	_, end = s.stage(StageLease, host, what)
	return end
}
