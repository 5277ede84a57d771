package workflow

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

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

// longestWait is how long hosts that listen wait for those that do not yet. It is far below hosts.LongestListen: who
// listened first listens still when all have sent, which takes seconds.
const longestWait = 15 * time.Second

// tryTraffic has all hosts listen, then all send, and gives what each has seen. Of a host that fails, nothing
// is known; to one that listens late, nothing is sent.
func (s *Session) tryTraffic(ctx context.Context, queries map[string]hosts.TrafficQuery) map[string]*hosts.Traffic {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	var ended sync.WaitGroup
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
	ready := expecting(queries)
	for name, query := range queries {
		if len(query.Listen) == 0 {
			continue
		}
		ended.Go(func() {
			defer ready.is(name)
			telling := hosts.Telling(listening, func(p hosts.Progress) {
				if p.Note == hosts.NoteListening {
					ready.is(name)
				}
			})
			keep(name, s.traffic(telling, name, hosts.TrafficQuery{Key: query.Key, Listen: query.Listen}))
		})
	}
	late := ready.late(ctx)
	atOnce(slices.Collect(maps.Keys(queries)), func(name string) struct{} {
		probes, unsent := butTo(late, queries[name].Probe, queries)
		if len(unsent) > 0 {
			keep(name, &hosts.Traffic{Probed: unsent})
		}
		if len(probes) > 0 {
			keep(name, s.traffic(ctx, name, hosts.TrafficQuery{Key: queries[name].Key, Probe: probes}))
		}
		return struct{}{}
	})
	stop()
	ended.Wait()
	for _, name := range late {
		if seen[name] != nil {
			seen[name].Listened = nil // what it has listened on since nobody has sent to
		}
	}
	return seen
}

// readiness is which hosts do not listen yet.
type readiness struct {
	mu      sync.Mutex
	waiting map[string]bool
	all     chan struct{} // closed once all do
}

// expecting are all hosts that are to listen.
func expecting(queries map[string]hosts.TrafficQuery) *readiness {
	r := &readiness{waiting: map[string]bool{}, all: make(chan struct{})}
	for name, query := range queries {
		if len(query.Listen) > 0 {
			r.waiting[name] = true
		}
	}
	if len(r.waiting) == 0 {
		close(r.all)
	}
	return r
}

// is notes that a host listens, or will not.
func (r *readiness) is(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.waiting[name] {
		return
	}
	delete(r.waiting, name)
	if len(r.waiting) == 0 {
		close(r.all)
	}
}

// late waits until all listen, but not for ever, and names those that do not.
func (r *readiness) late(ctx context.Context) []string {
	enough, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	select {
	case <-r.all:
	case <-enough.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.waiting))
}

// butTo parts the probes that are sent from those that lead to where a host should listen that is late: they would
// find nobody there.
func butTo(late []string, probes []hosts.Probe, queries map[string]hosts.TrafficQuery) (sent []hosts.Probe, unsent []hosts.Probed) {
	whose := map[hosts.Port]string{}
	for _, name := range late {
		for _, port := range queries[name].Listen {
			whose[port] = name
		}
	}
	for _, probe := range probes {
		if name := whose[probe.To]; name != "" {
			unsent = append(unsent, hosts.Probed{Probe: probe, Passage: hosts.NotTried, Detail: fmt.Sprintf("%s had not begun to listen after %s", name, longestWait)})
			continue
		}
		sent = append(sent, probe)
	}
	return sent, unsent
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
