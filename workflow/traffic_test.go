package workflow

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/view"
)

// crowd is a session with as many bare hosts, each behind an agent.
func crowd(t *testing.T, planes, workers int, passes func(hosts.Probe) hosts.Probed) *Session {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	s := newSession(&cluster.Cluster{Name: "try", Endpoint: cluster.Endpoint{Mode: cluster.EndpointLocal}}, &fake{})
	for i := range planes + workers {
		name, role := fmt.Sprintf("cp-%d", i+1), cluster.RoleControlPlane
		if i >= planes {
			name, role = fmt.Sprintf("w-%d", i-planes+1), cluster.RoleWorker
		}
		address := fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)
		s.cluster.Hosts = append(s.cluster.Hosts, cluster.Host{Name: name, Addresses: []string{address}, Roles: []cluster.Role{role}})
		machine := hosttest.NewFake(name, address+"/16")
		machine.Passes(passes)
		s.hosts[name] = behindAgent(t, machine)
	}
	cluster.Defaults(s.cluster)
	if err := s.observe(t.Context(), func(cluster.Host) hosts.Query { return hosts.Query{} }); err != nil {
		t.Fatal(err)
	}
	return s
}

func behindAgent(t *testing.T, machine *hosttest.Fake) hosts.Host {
	t.Helper()
	toAgent, fromOperator := io.Pipe()
	toOperator, fromAgent := io.Pipe()
	host := machine.Host()
	go func() {
		defer fromAgent.Close()
		defer host.Close()
		_ = agent.Serve(t.Context(), host, toAgent, fromAgent, agent.ServeOptions{Version: "test"})
	}()
	client, err := agent.Connect(t.Context(), toOperator, fromOperator, agent.ConnectOptions{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestTrafficIsTriedWhileAllListen: nobody sends before everybody listens, what does not pass is found,
// and who has listened tells what was heard.
func TestTrafficIsTriedWhileAllListen(t *testing.T) {
	var listening atomic.Int32
	s := crowd(t, 1, 2, func(probe hosts.Probe) hosts.Probed {
		if listening.Load() != 3 {
			t.Errorf("%+v is sent while %d of 3 listen", probe, listening.Load())
		}
		if probe.To.Port == 10250 && probe.To.Address == "10.0.0.3" {
			return hosts.Probed{Probe: probe, Passage: hosts.Silent}
		}
		return hosts.Probed{Probe: probe, Passage: hosts.Passed, Fits: probe.Size}
	})
	for name, host := range s.hosts {
		s.hosts[name] = countsListening{host, &listening}
	}
	r := run(Init)
	if err := s.askTraffic(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	in, err := s.inputOf(r)
	if err != nil {
		t.Fatal(err)
	}
	found := checks.Some(view.Init, in.View, "Traffic")
	if len(found) != 1 || found[0].Host != "w-2" || !strings.Contains(found[0].Seen, "TCP 10250") {
		t.Errorf("found %v", found)
	}
	if listened := s.facts["cp-1"].Traffic.Listened; len(listened) == 0 {
		t.Error("who has listened tells nothing")
	}
	if listening.Load() != 0 {
		t.Errorf("%d listen still", listening.Load())
	}
}

// countsListening counts the calls that listen.
type countsListening struct {
	hosts.Host
	count *atomic.Int32
}

func (c countsListening) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	if query.Traffic == nil || len(query.Traffic.Listen) == 0 {
		return c.Host.Observe(ctx, query)
	}
	told := hosts.Told(ctx)
	defer c.count.Add(-1)
	return c.Host.Observe(hosts.Telling(ctx, func(p hosts.Progress) {
		c.count.Add(1)
		told(p)
	}), query)
}

// TestOneThatIsLateKeepsNobodyWaiting: who listens listens only so long. To the late one nothing is sent, and between
// the others all is tried.
func TestOneThatIsLateKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := func(last int) hosts.Port {
			return hosts.Port{Protocol: "tcp", Address: fmt.Sprintf("10.0.0.%d", last), Port: 10250}
		}
		s := newSession(&cluster.Cluster{Name: "try"}, &fake{})
		queries := map[string]hosts.TrafficQuery{}
		for i := 1; i <= 3; i++ {
			name, query := fmt.Sprintf("w-%d", i), hosts.TrafficQuery{Listen: []hosts.Port{port(i)}}
			for other := 1; other <= 3; other++ {
				if other != i {
					query.Probe = append(query.Probe, hosts.Probe{From: port(i).Address, To: port(other)})
				}
			}
			s.hosts[name], queries[name] = hosttest.NewFake(name, port(i).Address+"/24").Host(), query
		}
		s.hosts["w-3"] = listensLate{s.hosts["w-3"]}
		began := time.Now()
		seen := s.tryTraffic(t.Context(), queries)
		if took := time.Since(began); took > hosts.LongestListen*time.Second/2 {
			t.Errorf("the others listened for %s", took)
		}
		for name, traffic := range seen {
			for _, probed := range traffic.Probed {
				if late := probed.To == port(3); late != (probed.Passage == hosts.NotTried) || late && !strings.Contains(probed.Detail, "w-3 had not begun to listen") {
					t.Errorf("%s: %+v", name, probed)
				}
			}
			if len(traffic.Probed) != 2 || (len(traffic.Listened) > 0) != (name != "w-3") {
				t.Errorf("%s: %+v", name, traffic)
			}
		}
	})
}

// listensLate does not say that it listens before its call ends.
type listensLate struct{ hosts.Host }

func (l listensLate) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	if query.Traffic == nil || len(query.Traffic.Listen) == 0 {
		return l.Host.Observe(ctx, query)
	}
	return l.Host.Observe(hosts.Telling(ctx, func(hosts.Progress) {}), query)
}

// TestTrafficIsTriedWhereHostsCome: who is in the cluster shows by its work that traffic passes.
func TestTrafficIsTriedWhereHostsCome(t *testing.T) {
	for name, test := range map[string]struct{ settled, checking, tried bool }{
		"they come": {tried: true}, "they are there": {settled: true}, "only the checks are asked": {settled: true, checking: true, tried: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := crowd(t, 1, 1, nil)
			if test.settled {
				for host, facts := range s.facts {
					facts.Record = &hosts.Record{Cluster: hosts.Identity{ID: "A"}}
					s.facts[host] = facts
					s.live.Nodes = append(s.live.Nodes, hosts.Node{Name: host, Labels: map[string]string{view.LabelManaged: "true"}})
				}
			}
			r := run(Init)
			r.checking = test.checking
			if err := s.askTraffic(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if tried := s.facts["w-1"].Traffic != nil; tried != test.tried {
				t.Errorf("tried: %t", tried)
			}
		})
	}
}

// TestTrafficOfManyHosts: 200 hosts take no minute.
func TestTrafficOfManyHosts(t *testing.T) {
	s := crowd(t, 3, 197, nil)
	began := time.Now()
	if err := s.askTraffic(t.Context(), run(Init)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	in, err := s.input()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range checks.Traffic(in.View) {
		if row.Tried == 0 || row.Broken > 0 || row.Tried > 2048 {
			t.Errorf("%+v", row)
		}
	}
}
