package main

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
)

// look observes the hosts, finds or mints the keys, and observes the cluster; it observes hosts
// once more where the cluster tells that they have changed since.
func (s *session) look(ctx context.Context, p planner) error {
	if err := s.lookOnce(ctx, p); err != nil {
		return err
	}
	return s.lookAtBegun(ctx, p)
}

// lookAtBegun observes the hosts again where etcd, which was asked later, knows a member that by
// what was seen of its host has not begun: an init that was killed has let it, a moment before.
func (s *session) lookAtBegun(ctx context.Context, p planner) error {
	in, err := s.input()
	if err != nil || len(phases.BegunMeanwhile(in)) == 0 {
		return err
	}
	return s.observeHosts(ctx, p)
}

func (s *session) lookOnce(ctx context.Context, p planner) error {
	if s.keys != nil {
		if err := s.lookAtBoth(ctx, p); err != nil {
			return err
		}
		return s.mint(p)
	}
	if err := s.observeHosts(ctx, p); err != nil {
		return err
	}
	if err := s.settleKeys(ctx, p); err != nil || s.keys == nil {
		return err
	}
	if err := s.mint(p); err != nil {
		return err
	}
	return s.observeCluster(ctx)
}

// askHealth asks the control planes' components how they are, where the plan goes by it and an
// API server answers. It is asked once, before the plan: after a run the plan's own waits tell.
func (s *session) askHealth(ctx context.Context, p planner) {
	if !p.health || !s.live.Reachable {
		return
	}
	defer s.timeline.span("ask for health")()
	_, end := awaiting.begin("the control planes' components", "asking how they are")
	defer end()
	s.live.Health = s.api.Health(ctx)
}

// lookAgain is look without what takes time to measure, or changes by itself, and is nobody's
// doing: how fast a disk is, who answers for an address, and how components are. That is as it was.
func (s *session) lookAgain(ctx context.Context, p planner) error {
	before, query, health := maps.Clone(s.facts), s.query(p), s.live.Health
	p.query = func(h cluster.Host) hosts.Query {
		q := query(h)
		if _, measured := before[h.Name]; measured {
			q.Sync, q.VirtualIP = "", nil
		}
		return q
	}
	if err := s.look(ctx, p); err != nil {
		return err
	}
	s.live.Health = health
	for name, facts := range s.facts {
		if old, measured := before[name]; measured {
			facts.Sync, facts.VirtualIP = old.Sync, old.VirtualIP
			s.facts[name] = facts
		}
	}
	return nil
}

// lookAtBoth observes the hosts and, with keys that are known, the cluster at the same time.
func (s *session) lookAtBoth(ctx context.Context, p planner) error {
	ask, err := s.askCluster()
	if err != nil {
		return err
	}
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return s.observeHosts(within, p) })
	group.Go(func() error { return ask(within) })
	return group.Wait()
}

func (s *session) mint(p planner) error {
	defer s.timeline.span("mint")()
	return s.mintLeaves(p.hosts(s.cluster))
}

func (s *session) observeHosts(ctx context.Context, p planner) error {
	defer s.timeline.span("observe hosts")()
	return s.observe(ctx, s.query(p))
}

// query is what the workflow looks at on a host.
func (s *session) query(p planner) func(cluster.Host) hosts.Query {
	if p.query != nil {
		return p.query
	}
	return func(h cluster.Host) hosts.Query { return phases.HostQuery(s.cluster, s.bill, h) }
}

func (s *session) settleKeys(ctx context.Context, p planner) error {
	err := s.findKeys(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoKeys) && p.mints && s.cluster.ID == "" && len(s.claims()) == 0:
		return s.mintKeys()
	case errors.Is(err, errNoKeys) && p.alone:
		return nil
	}
	return fmt.Errorf("find the keys of cluster %s: %w", s.cluster.Name, errors.Join(err, s.downErrors()))
}

func (s *session) observeCluster(ctx context.Context) error {
	ask, err := s.askCluster()
	if err != nil {
		return err
	}
	return ask(ctx)
}

// askCluster gets ready to observe the cluster. What it gives reads nothing that observing
// hosts writes.
func (s *session) askCluster() (func(context.Context) error, error) {
	if err := s.openClient(); err != nil {
		return nil, err
	}
	query, err := s.clusterQuery()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		defer s.timeline.span("observe cluster")()
		_, end := awaiting.begin("the cluster's API", "looking at the cluster")
		defer end()
		live, err := s.api.Observe(ctx, query)
		s.live = live
		return err
	}, nil
}

// clusterQuery asks for the objects that a plan compares.
func (s *session) clusterQuery() (hosts.ClusterQuery, error) {
	in, err := s.input()
	if err != nil {
		return hosts.ClusterQuery{}, err
	}
	return phases.ClusterQuery(in)
}
