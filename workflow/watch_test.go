package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// stageOfWatch is a session that is watched, and the machines of its hosts.
type stageOfWatch struct {
	*Session
	t        *testing.T
	machines map[string]*hosttest.Fake
	pictures chan Picture
	end      func()

	mu    sync.Mutex
	away  map[string]error // what connecting to a host fails with
	dials map[string][]time.Time
	hangs map[string]bool // whether a host gives no keys, and no answer
	open  map[string]*severed
}

// severed is a connection to a host that ends when the test says so.
type severed struct {
	hosts.Host
	mu    sync.Mutex
	end   bool
	hangs bool // when it is asked for secrets
}

func (h *severed) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	h.mu.Lock()
	end, hangs := h.end, h.hangs
	h.mu.Unlock()
	if hangs && len(query.Secrets) > 0 {
		<-ctx.Done()
		return hosts.Facts{}, ctx.Err()
	}
	if end {
		return hosts.Facts{}, &hosts.Error{Kind: hosts.KindCut, Op: "observe", Err: errors.New("the connection\x1b[2J ended")}
	}
	return h.Host.Observe(ctx, query)
}

// watched plays a test on a scene whose hosts are watched, where waiting costs no time.
func watched(t *testing.T, sc scene, begin func(*stageOfWatch), test func(*stageOfWatch)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &stageOfWatch{
			Session: sc.session(t), t: t, machines: map[string]*hosttest.Fake{}, pictures: make(chan Picture, 10_000),
			away: map[string]error{}, dials: map[string][]time.Time{}, hangs: map[string]bool{}, open: map[string]*severed{},
		}
		for _, h := range w.cluster.Hosts {
			w.machines[h.Name] = sc.machine(t, h.Name)
		}
		w.dial = w.connectTo
		if begin != nil {
			begin(w)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() {
			if err := w.Watch(ctx, func(p Picture) { w.pictures <- p }); err != nil {
				t.Error(err)
			}
			close(w.pictures) // and a call after this panics
		})
		w.end = func() {
			cancel()
			ended.Wait()
		}
		defer w.end() // and the bubble does not end before all goroutines have
		test(w)
	})
}

func (w *stageOfWatch) connectTo(ctx context.Context, h cluster.Host, _ func(string)) (hosts.Host, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials[h.Name] = append(w.dials[h.Name], time.Now())
	if err := w.away[h.Name]; err != nil {
		return nil, err
	}
	w.open[h.Name] = &severed{Host: w.machines[h.Name].Host(), hangs: w.hangs[h.Name]}
	return w.open[h.Name], ctx.Err()
}

// lose ends the connection to a host, and has connecting to it fail for as long as err is not nil.
func (w *stageOfWatch) lose(name string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away[name] = err; err != nil && w.open[name] != nil {
		w.open[name].mu.Lock()
		defer w.open[name].mu.Unlock()
		w.open[name].end = true
	}
}

func (w *stageOfWatch) until(what string, is func(Picture) bool) Picture {
	w.t.Helper()
	var last Picture
	for over := time.After(3 * time.Minute); ; {
		select {
		case last = <-w.pictures:
			if is(last) {
				return last
			}
		case <-over:
			w.t.Fatalf("%s: not seen; last was %+v", what, last)
		}
	}
}

// all tells that every host answers.
func allAnswer(p Picture) bool {
	return !slices.ContainsFunc(p.Hosts, func(h HostStatus) bool { return h.ConnectionKind != ConnectionOK })
}

var errAway = &hosts.Error{Kind: hosts.KindUnreachable, Op: "connect", Err: errors.New("no answer after 10s")}

// TestWatchShowsTheHostsWhereNoClusterIsYet.
func TestWatchShowsTheHostsWhereNoClusterIsYet(t *testing.T) {
	watched(t, scene{}, func(w *stageOfWatch) {
		w.machines["cp-1"].PutFile(loadFile, []byte("0.50 0.25 0.10 1/200 4711\n"), 0o444)
		w.machines["cp-1"].PutFile(memoryFile, []byte("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), 0o444)
		if _, err := w.machines["cp-1"].Host().Do(w.t.Context(), hosts.TakeLease{Holder: "ann@desk"}, nil); err != nil {
			w.t.Fatal(err)
		}
	}, func(w *stageOfWatch) {
		first := <-w.pictures
		if len(first.Hosts) != 4 || !first.Hosts[0].Waiting() || first.Cause != "waiting for the hosts" {
			w.t.Errorf("first it shows %+v", first)
		}
		p := w.until("all hosts", allAnswer)
		if p.ID != "" || p.Reachable || !strings.Contains(p.Cause, "slipway init") {
			w.t.Errorf("of the cluster it says: id %q, %q", p.ID, p.Cause)
		}
		if p.Hosts[0].OS == "" || len(p.Hosts[0].Units) == 0 || p.Hosts[0].Node != NodeUnknown {
			w.t.Errorf("of a host it shows %+v", p.Hosts[0])
		}
		d := p.Details[0]
		if d.Name != "cp-1" || d.Lease == nil || d.Lease.Holder != "ann@desk" || d.Memory == 0 || d.Free != 2<<20 || !slices.Equal(d.Load, []float64{0.5, 0.25, 0.1}) || d.Record != nil {
			w.t.Errorf("the details are %+v", d)
		}
	})
}

// TestWatchConnectsAgain to hosts that were down, ever more seldom, and to those that it has lost.
func TestWatchConnectsAgain(t *testing.T) {
	watched(t, scene{}, func(w *stageOfWatch) { w.lose("worker-1", errAway) }, func(w *stageOfWatch) {
		down := func(p Picture) bool { return p.Hosts[3].ConnectionKind == "unreachable" }
		p := w.until("that it is down", down)
		if p.Hosts[3].Connection != "connect: no answer after 10s" || p.Details[3].Again.IsZero() {
			w.t.Errorf("it says %+v, %+v", p.Hosts[3], p.Details[3])
		}
		synctestWait(2 * time.Minute)
		w.mu.Lock()
		times := slices.Clone(w.dials["worker-1"])
		w.mu.Unlock()
		for i := 1; i < len(times); i++ {
			if apart := times[i].Sub(times[i-1]); apart != min(time.Second<<(i-1), 30*time.Second) {
				w.t.Errorf("before the try %d it waits for %s", i+1, apart)
			}
		}
		if len(times) < 7 {
			w.t.Errorf("it was tried %d times", len(times))
		}
		w.lose("worker-1", nil)
		w.until("all hosts", allAnswer)
		w.lose("worker-1", errAway)
		p = w.until("that it was lost", func(p Picture) bool { return p.Hosts[3].ConnectionKind == "connection-lost" })
		if p.Hosts[3].Connection != `observe worker-1: observe: the connection\u001b[2J ended` || p.Details[3].Seen.IsZero() || p.Details[3].Memory == 0 {
			w.t.Errorf("it says %+v, %+v", p.Hosts[3], p.Details[3])
		}
		w.until("that it stays away", down)
		w.lose("worker-1", nil)
		if p = w.until("all hosts", allAnswer); !p.Details[3].Seen.IsZero() || !p.Details[3].Again.IsZero() {
			w.t.Errorf("it is there, and said to be away: %+v", p.Details[3])
		}
	})
}

// TestWatchLeavesHostsThatRefuseAlone: who tries to log in every few seconds is banned.
func TestWatchLeavesHostsThatRefuseAlone(t *testing.T) {
	for _, kind := range []hosts.ErrorKind{hosts.KindAuth, hosts.KindHostKeyUnknown, hosts.KindHostKeyChanged, hosts.KindPrivilege} {
		t.Run(string(kind), func(t *testing.T) {
			refused := fmt.Errorf("connect to worker-1: %w", &hosts.Error{Kind: kind, Op: "log in", Err: errors.New("refused")})
			watched(t, scene{}, func(w *stageOfWatch) { w.lose("worker-1", refused) }, func(w *stageOfWatch) {
				began := time.Now()
				p := w.until("that it refuses", func(p Picture) bool { return p.Hosts[3].ConnectionKind == string(kind) })
				if again := p.Details[3].Again; again.Before(began.Add(5 * time.Minute)) {
					w.t.Errorf("it is tried again %s later", again.Sub(began))
				}
				tries := func() int {
					w.mu.Lock()
					defer w.mu.Unlock()
					return len(w.dials["worker-1"])
				}
				synctestWait(5*time.Minute - time.Second)
				if n := tries(); n != 1 {
					w.t.Errorf("within five minutes it is tried %d times", n)
				}
				synctestWait(2 * time.Second)
				if n := tries(); n != 2 {
					w.t.Errorf("after five minutes it was tried %d times", n)
				}
				w.lose("worker-1", nil)
				w.Refresh()
				w.until("all hosts", allAnswer)
			})
		})
	}
}

// TestWatchWaitsForNoKeys: a control plane that does not give the cluster's keys holds up neither pictures nor Refresh,
// and after a while the next one is asked.
func TestWatchWaitsForNoKeys(t *testing.T) {
	records := all("try/A")
	keys := map[string]string{"cp-1": "A", "cp-2": "A", "cp-3": "A"}
	watched(t, scene{records: records, keys: keys}, func(w *stageOfWatch) {
		w.hangs["cp-1"], w.hangs["cp-2"] = true, true // whichever comes first, one of them is asked first
		w.lose("worker-1", errAway)
	}, func(w *stageOfWatch) {
		began := time.Now()
		w.until("that keys are waited for", func(p Picture) bool { return p.ID == "" && strings.Contains(p.Cause, "are being read from cp-") })
		w.lose("worker-1", nil)
		w.Refresh()
		p := w.until("all hosts", allAnswer)
		if took := time.Since(began); took > 5*time.Second || p.ID != "" {
			w.t.Errorf("it took %s; the cluster is %q", took, p.ID)
		}
		w.until("the cluster", func(p Picture) bool { return p.ID == idOf(w.t, "A") })
		if took := time.Since(began); took > time.Minute {
			w.t.Errorf("it took %s", took)
		}
	})
	watched(t, scene{records: records, keys: keys}, func(w *stageOfWatch) {
		w.hangs["cp-1"], w.hangs["cp-2"], w.hangs["cp-3"] = true, true, true
	}, func(w *stageOfWatch) {
		w.until("why there are none", func(p Picture) bool {
			return strings.Contains(p.Cause, ": no answer within 20s")
		})
	})
}

// TestRefreshLooksAtOnce, and connects at once.
func TestRefreshLooksAtOnce(t *testing.T) {
	watched(t, scene{}, func(w *stageOfWatch) { w.lose("worker-1", errAway) }, func(w *stageOfWatch) {
		synctestWait(3 * time.Minute)
		if _, err := w.machines["cp-1"].Host().Do(w.t.Context(), hosts.TakeLease{Holder: "ann"}, nil); err != nil {
			w.t.Fatal(err)
		}
		w.lose("worker-1", nil)
		began := time.Now()
		w.Refresh()
		w.until("what is new", func(p Picture) bool { return allAnswer(p) && p.Details[0].Lease != nil })
		if took := time.Since(began); took > 300*time.Millisecond {
			w.t.Errorf("it took %s", took)
		}
	})
}

// TestWatchTellsOnlyWhatIsNew: of hosts that stay as they are there is nothing to tell.
func TestWatchTellsOnlyWhatIsNew(t *testing.T) {
	watched(t, scene{}, nil, func(w *stageOfWatch) {
		w.until("all hosts", allAnswer)
		synctestWait(time.Minute)
		for len(w.pictures) > 0 {
			<-w.pictures
		}
		synctestWait(10 * time.Minute)
		if n := len(w.pictures); n > 0 {
			w.t.Errorf("%d pictures more: %+v", n, <-w.pictures)
		}
	})
}

// TestWatchFollowsAClusterThatComes, and leaves it when the hosts say that they are another one's.
func TestWatchFollowsAClusterThatComes(t *testing.T) {
	watched(t, scene{kept: "try/A"}, nil, func(w *stageOfWatch) {
		w.until("all hosts", allAnswer)
		for _, file := range clusters()["A"].ControlPlaneFiles() {
			w.machines["cp-1"].PutFile(file.Path, file.Content, file.Mode)
		}
		for _, machine := range w.machines {
			if _, err := machine.Host().Do(w.t.Context(), hosts.Claim{Cluster: hosts.Identity{ID: idOf(w.t, "A"), Name: "try"}}, nil); err != nil {
				w.t.Fatal(err)
			}
		}
		p := w.until("the cluster", func(p Picture) bool {
			return p.ID == idOf(w.t, "A") && strings.Contains(p.Cause, "reach the API server on cp-1") && p.MembersCause != "" && len(p.Health) > 0
		})
		if p.Reachable || p.Live.Connected || p.Hosts[0].Node != NodeUnknown || p.Details[0].Record == nil || p.Details[0].Record.Cluster.ID != p.ID {
			w.t.Errorf("of a cluster whose API is down it shows %+v", p)
		}
		if p = w.until("certificates", func(p Picture) bool { return len(p.Details[0].Certificates) > 0 }); p.Details[0].Certificates[0].Ends.IsZero() || p.Details[0].Certificates[0].Path == "" {
			w.t.Errorf("they are %+v", p.Details[0].Certificates)
		}
		for name := range w.machines {
			w.lose(name, errAway)
			w.mu.Lock()
			w.machines[name] = scene{records: all("try/B")}.machine(w.t, name)
			w.mu.Unlock()
			w.lose(name, nil)
		}
		p = w.until("that the hosts are another's", func(p Picture) bool { return p.ID == "" && strings.Contains(p.Cause, "belong") })
		if p.MembersCause != "" || len(p.Health) > 0 || p.Live.Cause != "" {
			w.t.Errorf("of the one before it still shows %+v", p)
		}
	})
}

// TestHealthOfAHostThatIsAwayIsNotTold: its connection says why.
func TestHealthOfAHostThatIsAwayIsNotTold(t *testing.T) {
	watched(t, scene{kept: "try/A", records: all("try/A")}, func(w *stageOfWatch) { w.lose("cp-2", errAway) }, func(w *stageOfWatch) {
		p := w.until("health", func(p Picture) bool { return len(p.Health) > 0 && p.Hosts[0].ConnectionKind == ConnectionOK })
		for _, one := range p.Health {
			if one.Host == "cp-2" {
				w.t.Errorf("it tells of %+v", one)
			}
		}
	})
}

// TestWatchMayBeCalledAgain, and leaves nothing open.
func TestWatchMayBeCalledAgain(t *testing.T) {
	watched(t, scene{kept: "try/A", records: all("try/A")}, nil, func(w *stageOfWatch) {
		w.until("the cluster", func(p Picture) bool { return allAnswer(p) && p.ID != "" })
		w.end()
		if len(w.hosts) > 0 || w.api != nil {
			w.t.Errorf("there still are %v, %v", w.hosts, w.api)
		}
		ctx, cancel := context.WithCancel(w.t.Context())
		waited := false
		err := w.Watch(ctx, func(p Picture) {
			waited = waited || p.Hosts[0].Waiting()
			if allAnswer(p) && p.ID != "" {
				cancel()
			}
		})
		if err != nil || !waited {
			w.t.Errorf("once more: %v, %v", err, waited)
		}
	})
}

func TestLoadAndMemoryAreReadWithCare(t *testing.T) {
	for content, want := range map[string]string{
		"1.5 2 3 1/2 3": "[1.5 2 3]", "": "[]", "1 2": "[]", "NaN 1 2": "[]", "-1 1 2": "[]", "1e300 1 2": "[]", "a b c": "[]",
	} {
		if got := fmt.Sprint(loadOf([]byte(content))); got != want {
			t.Errorf("%q: %s, want %s", content, got, want)
		}
	}
	for content, want := range map[string]int64{"MemAvailable:       3 kB\n": 3072, "MemAvailable: -3 kB\n": 0, "MemFree: 3 kB\n": 0, "": 0, "MemAvailable: 9223372036854775807 kB": 0} {
		if got := freeOf([]byte(content)); got != want {
			t.Errorf("%q: %d, want %d", content, got, want)
		}
	}
}

// synctestWait lets the bubble's time go on.
func synctestWait(long time.Duration) { <-time.After(long) }

// BenchmarkWatchRound is what one look at four hosts costs this machine, with all that follows from it. It
// comes every five seconds, so at 500 ms of processor time it would take a tenth of one.
func BenchmarkWatchRound(b *testing.B) {
	b.Setenv("XDG_STATE_HOME", b.TempDir())
	s := newSession(&cluster.Cluster{Name: "demo"}, &fake{})
	machines := map[string]*hosttest.Fake{}
	for _, name := range []string{"cp-1", "cp-2", "cp-3", "worker-1"} {
		machines[name] = hosttest.NewFake(name)
		s.cluster.Hosts = append(s.cluster.Hosts, cluster.Host{Name: name, Roles: []cluster.Role{cluster.RoleControlPlane}})
	}
	cluster.Defaults(s.cluster)
	s.dial = func(_ context.Context, h cluster.Host, _ func(string)) (hosts.Host, error) {
		return machines[h.Name].Host(), nil
	}
	ctx, cancel := context.WithCancel(b.Context())
	pictures, ended := make(chan Picture, 1000), make(chan error)
	go func() { ended <- s.Watch(ctx, func(p Picture) { pictures <- p }) }()
	rounds, before := int64(0), processorTime(b)
	for b.Loop() {
		rounds++
		for _, machine := range machines {
			machine.Edit(func(f *hosts.Facts) { f.Memory = rounds })
		}
		s.Refresh()
		for all := false; !all; {
			p := <-pictures
			all = !slices.ContainsFunc(p.Details, func(d HostDetails) bool { return d.Memory != rounds })
		}
	}
	each := (processorTime(b) - before) / time.Duration(rounds)
	b.ReportMetric(float64(each.Microseconds()), "processor-µs/op")
	if each > 500*time.Millisecond {
		b.Errorf("a round takes %s of processor time", each)
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
