package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// sigPowerOff asks systemd for an orderly shutdown: SIGRTMIN+4.
const sigPowerOff = unix.Signal(34 + 4)

// stopTimeout bounds an orderly shutdown; systemd itself waits 90 s for a unit. An emulated machine is
// slower.
const (
	stopTimeout        = 100 * time.Second
	machineStopTimeout = 5 * time.Minute
)

func (h *hostRecord) stopTimeout() time.Duration {
	if h.Kind == KindVM {
		return machineStopTimeout
	}
	return stopTimeout
}

// pressPowerButton asks a host to shut down in order; one that is off stays so.
func (l *Lab) pressPowerButton(ctx context.Context, h *hostRecord) error {
	if h.Kind == KindVM && h.process().alive() {
		return l.powerDown(ctx, h)
	}
	return h.process().signal(sigPowerOff)
}

// killTimeout bounds the end of processes that have been killed: on a busy machine the
// kernel needs its time to take a cluster's memory and files back.
const killTimeout = 2 * time.Minute

// Start boots hosts that are down, all at once, from the disks that they had.
func (l *Lab) Start(ctx context.Context, hosts ...string) error {
	return l.with(ctx, hosts, func(s *session, all []*hostRecord) error {
		if err := s.change(func(*record) { setOff(all, false) }); err != nil {
			return err
		}
		return each(all, func(h *hostRecord) error {
			if !h.process().alive() {
				if err := s.boot(ctx, h); err != nil {
					return err
				}
			}
			return l.awaitBoot(ctx, h, h.bootTimeout())
		})
	})
}

// Stop shuts hosts down in order, all at once, and waits until they are off.
func (l *Lab) Stop(ctx context.Context, hosts ...string) error {
	return l.with(ctx, hosts, func(s *session, all []*hostRecord) error {
		if err := s.change(func(*record) { setOff(all, true) }); err != nil {
			return err
		}
		return each(all, func(h *hostRecord) error { return s.shutDown(ctx, h) })
	})
}

func (s *session) shutDown(ctx context.Context, h *hostRecord) error {
	if err := s.lab.pressPowerButton(ctx, h); err != nil {
		return fmt.Errorf("stop %s: %w", h.Name, err)
	}
	bound, cancel := context.WithTimeout(ctx, h.stopTimeout())
	defer cancel()
	if err := h.process().wait(bound); err != nil {
		return fmt.Errorf("stop %s: it is still shutting down (%w); lab kill takes its power away", h.Name, err)
	}
	return s.off(ctx, h)
}

// Kill takes hosts' power away, all at once: first their links go down, so that
// they send nothing more while they die; then everything on them ends.
func (l *Lab) Kill(ctx context.Context, hosts ...string) error {
	return l.with(ctx, hosts, func(s *session, all []*hostRecord) error {
		if err := s.change(func(*record) { setOff(all, true) }); err != nil {
			return err
		}
		for _, h := range all {
			if err := l.unplug(h.Name); err != nil {
				return err
			}
		}
		return each(all, func(h *hostRecord) error { return s.off(ctx, h) })
	})
}

func setOff(hosts []*hostRecord, off bool) {
	for _, h := range hosts {
		h.Off = off
	}
}

// each does something to all hosts at once. What fails on one keeps no other from it.
func each(hosts []*hostRecord, do func(*hostRecord) error) error {
	errs := make([]error, len(hosts))
	var group sync.WaitGroup
	for i, h := range hosts {
		group.Go(func() { errs[i] = do(h) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// Link takes a host's link down or up again: a host that is cut off, not dead.
func (l *Lab) Link(ctx context.Context, host string, up bool) error {
	return l.with(ctx, []string{host}, func(_ *session, all []*hostRecord) error {
		if !all[0].process().alive() {
			return fmt.Errorf("link of %s: %w", host, ErrDown)
		}
		return l.setLink(host, up)
	})
}

// with does something to hosts, alone; to none where one of the names is no host's.
func (l *Lab) with(ctx context.Context, hosts []string, do func(*session, []*hostRecord) error) error {
	s, err := l.enter(ctx)
	if err != nil {
		return err
	}
	defer s.lock.Close()
	var all []*hostRecord
	for _, host := range hosts {
		h, err := s.record.find(host)
		if err != nil {
			return err
		}
		if !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	return do(s, all)
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
	errs := []error{l.unplug(h.Name)}
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

// unplug takes a host's link away, if there is a network that it could be in.
func (l *Lab) unplug(host string) error {
	if _, err := namespaceAt(l.networkFile()); err != nil {
		return nil
	}
	return l.disconnect(host)
}
