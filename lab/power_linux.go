package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// sigPowerOff asks systemd for an orderly shutdown: SIGRTMIN+4.
const sigPowerOff = unix.Signal(34 + 4)

// stopTimeout bounds an orderly shutdown; systemd itself waits 90 s for a unit.
const stopTimeout = 100 * time.Second

// killTimeout bounds the end of processes that have been killed: on a busy machine the
// kernel needs its time to take a cluster's memory and files back.
const killTimeout = 2 * time.Minute

// Start boots a host that is down, from the disk that it had.
func (l *Lab) Start(ctx context.Context, host string) error {
	return l.with(ctx, host, func(s *session, h *hostRecord) error {
		if err := s.change(func(*record) { h.Off = false }); err != nil {
			return err
		}
		if !h.process().alive() {
			if err := s.boot(ctx, h); err != nil {
				return err
			}
		}
		return l.awaitBoot(ctx, h, bootTimeout)
	})
}

// Stop shuts a host down in order and waits until it is off.
func (l *Lab) Stop(ctx context.Context, host string) error {
	return l.with(ctx, host, func(s *session, h *hostRecord) error {
		if err := s.change(func(*record) { h.Off = true }); err != nil {
			return err
		}
		if err := h.process().signal(sigPowerOff); err != nil {
			return fmt.Errorf("stop %s: %w", host, err)
		}
		bound, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		if err := h.process().wait(bound); err != nil {
			return fmt.Errorf("stop %s: it is still shutting down (%w); lab kill takes its power away", host, err)
		}
		return s.off(ctx, h)
	})
}

// Kill takes a host's power away: first its link goes down, so that nobody hears its
// last words; then everything on it ends at once.
func (l *Lab) Kill(ctx context.Context, host string) error {
	return l.with(ctx, host, func(s *session, h *hostRecord) error {
		if err := s.change(func(*record) { h.Off = true }); err != nil {
			return err
		}
		return s.off(ctx, h)
	})
}

// Link takes a host's link down or up again: a host that is cut off, not dead.
func (l *Lab) Link(ctx context.Context, host string, up bool) error {
	return l.with(ctx, host, func(_ *session, h *hostRecord) error {
		if !h.process().alive() {
			return fmt.Errorf("link of %s: %w", host, ErrDown)
		}
		return l.setLink(host, up)
	})
}

// with does something to one host, alone.
func (l *Lab) with(ctx context.Context, host string, do func(*session, *hostRecord) error) error {
	s, err := l.enter(ctx)
	if err != nil {
		return err
	}
	defer s.unlock()
	h, err := s.record.find(host)
	if err != nil {
		return err
	}
	return do(s, h)
}

// off clears a host away and forgets its process.
func (s *session) off(ctx context.Context, h *hostRecord) error {
	if err := s.lab.clearAway(ctx, h); err != nil {
		return err
	}
	return s.change(func(*record) { h.PID, h.Started = 0, 0 })
}

// clearAway ends whatever is left of a host: its link, its processes, its cgroups. With
// the last process its namespaces and mounts are gone.
func (l *Lab) clearAway(ctx context.Context, h *hostRecord) error {
	var errs []error
	if _, err := namespaceAt(l.networkFile()); err == nil {
		errs = append(errs, l.disconnect(h.Name))
	}
	bound, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	errs = append(errs, endProcesses(bound, []process{h.process()}))
	all, err := hierarchies()
	errs = append(errs, err)
	for _, hierarchy := range all {
		errs = append(errs, emptyCgroup(bound, l.hostCgroup(hierarchy, h.Name)))
	}
	return errors.Join(errs...)
}
