package workflow

import (
	"context"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/engine"
)

// reachAll connects to the hosts that the plan depends on, and looks at them.
func (s *Session) reachAll(ctx context.Context, r *Run) error {
	rest := r.reach(s.cluster, r.Request)
	if r.few != nil {
		more, enough, err := s.reachFew(ctx, r)
		if err != nil || enough {
			return err
		}
		rest = more
	}
	if err := s.connect(ctx, rest); err != nil {
		return err
	}
	s.closeClient() // it knows only those that were connected before
	if err := s.leaseFirst(ctx); err != nil {
		return err
	}
	if err := s.look(ctx, r); err != nil || r.looked == nil {
		return err
	}
	return r.looked(ctx, s, r)
}

// leaseFirst takes the hosts before they are looked at, where nobody is going to be asked:
// then the plan is made of what nobody else can change any more.
func (s *Session) leaseFirst(ctx context.Context) error {
	if !s.first {
		return nil
	}
	return s.takeLease(ctx)
}

// reachFew connects to the workflow's few hosts, looks at them and, from them, at the cluster.
// Where that is not enough it tells who else there is to connect to: all, if the few do not
// reach the cluster's API. Then what went wrong is told by all of them.
func (s *Session) reachFew(ctx context.Context, r *Run) (more []cluster.Host, enough bool, err error) {
	wanted := r.reach(s.cluster, r.Request)
	few, folder := r.few(s, r.Request)
	if len(few) == 0 {
		return wanted, false, nil
	}
	if err := s.connect(ctx, few); err != nil {
		return nil, false, err
	}
	if err := s.leaseFirst(ctx); err != nil {
		return nil, false, err
	}
	for _, h := range few {
		if _, up := s.hosts[h.Name]; up {
			s.viaHosts = append(s.viaHosts, h.Name)
		}
	}
	// Whose cluster it is no host's record has to tell: its API is believed only with a
	// certificate by the authority of the folder.
	shown := s.useFolder(folder) == nil && s.look(ctx, r) == nil && s.live.Reachable
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if shown {
		in, err := s.input()
		if err != nil {
			return nil, false, err
		}
		wanted = r.needs(in)
	} else {
		s.keys, s.viaHosts = nil, nil
	}
	more = slices.DeleteFunc(slices.Clone(wanted), func(h cluster.Host) bool { return s.tried(h.Name) })
	return more, shown && len(more) == 0, nil
}

// takeLease takes the lease of every host that is connected. Those that are held stay so. One
// that does not answer any more is from then on as one that was not reached.
func (s *Session) takeLease(ctx context.Context) (err error) {
	defer s.span(StageLease)(&err)
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
	_, over := s.stage(StageLease, host, what)
	return func() { over(nil) }
}
