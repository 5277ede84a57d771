package main

import (
	"context"

	"github.com/slipway-k8s/slipway/phases/engine"
)

// lease takes the lease of every host that is connected. Those that are held stay so.
func (s *session) lease(ctx context.Context) error {
	defer s.timeline.span("lease")()
	release, err := engine.Hold(ctx, engine.Options{Hosts: s.hosts, Holder: holder()})
	if err != nil {
		s.leased, s.giveUp = false, nil
		return &engine.NotBegun{Err: err}
	}
	s.leased, s.giveUp = true, release
	return nil
}

// release gives the lease back, where the session holds it.
func (s *session) release() {
	if s.giveUp != nil {
		s.giveUp()
	}
	s.leased, s.giveUp = false, nil
}
