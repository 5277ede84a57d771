package workflow

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
)

// askTraffic has the hosts try what traffic passes between them. Where all of them are in the cluster
// already, they show by their work that it does: then only who asks for the checks alone has it tried.
func (s *Session) askTraffic(ctx context.Context, r *Run) (err error) {
	if !r.traffic || r.HostsOnly { // whose firewalls are opened by it
		return nil
	}
	in, err := s.inputOf(r)
	if err != nil {
		return err
	}
	in.Workflow = r.inChecks()
	if !r.checking && !slices.ContainsFunc(in.Targets(in.Workflow), func(h cluster.Host) bool {
		facts, seen := s.facts[h.Name]
		return seen && !in.Settled(h, facts)
	}) {
		return nil
	}
	queries := phases.TrafficQueries(in.View, runKey())
	if len(queries) == 0 {
		return nil
	}
	_, end := s.stage(StageTraffic, "", "trying what traffic passes between the hosts")
	defer func() { end(err) }()
	for name, traffic := range s.tryTraffic(ctx, queries) {
		facts := s.facts[name]
		facts.Traffic = traffic
		s.facts[name] = facts
	}
	return ctx.Err()
}

// runKey is a key that no other run has.
func runKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails, and ends the program where it would
	return key
}

// tryTraffic has all hosts listen, then all send, and gives what each has seen. Of a host that fails, nothing
// is known.
func (s *Session) tryTraffic(ctx context.Context, queries map[string]hosts.TrafficQuery) map[string]*hosts.Traffic {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	var ready, ended sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]*hosts.Traffic{}
	keep := func(name string, got *hosts.Traffic) {
		mu.Lock()
		defer mu.Unlock()
		if got == nil {
			return
		}
		if seen[name] == nil {
			seen[name] = &hosts.Traffic{}
		}
		seen[name].Listened = append(seen[name].Listened, got.Listened...)
		seen[name].Probed = append(seen[name].Probed, got.Probed...)
	}
	for name, query := range queries {
		if len(query.Listen) == 0 {
			continue
		}
		ready.Add(1)
		ended.Go(func() {
			once := sync.OnceFunc(ready.Done)
			defer once()
			telling := hosts.Telling(listening, func(p hosts.Progress) {
				if p.Note == hosts.NoteListening {
					once()
				}
			})
			keep(name, s.traffic(telling, name, hosts.TrafficQuery{Key: query.Key, Listen: query.Listen}))
		})
	}
	ready.Wait()
	atOnce(slices.Collect(maps.Keys(queries)), func(name string) struct{} {
		if query := queries[name]; len(query.Probe) > 0 {
			keep(name, s.traffic(ctx, name, hosts.TrafficQuery{Key: query.Key, Probe: query.Probe}))
		}
		return struct{}{}
	})
	stop()
	ended.Wait()
	return seen
}

// traffic asks one host; nil where it does not answer.
func (s *Session) traffic(ctx context.Context, name string, query hosts.TrafficQuery) *hosts.Traffic {
	host, connected := s.hosts[name]
	if !connected {
		return nil
	}
	facts, err := host.Observe(ctx, hosts.Query{Traffic: &query})
	if err != nil {
		return nil
	}
	return facts.Traffic
}
