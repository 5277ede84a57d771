package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// stub is a host that does what a test says.
type stub struct {
	hosts.Host
	do      func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error)
	observe func(context.Context) (hosts.Facts, error)
	dial    func(context.Context) (net.Conn, error)
	upload  func(func(hosts.Progress)) error
	journal func(context.Context) (io.ReadCloser, error)
}

func (s stub) Journal(ctx context.Context, _ string, _ int, _ bool) (io.ReadCloser, error) {
	return s.journal(ctx)
}

func (s stub) Do(ctx context.Context, a hosts.Action, p func(hosts.Progress)) (hosts.Outcome, error) {
	return s.do(ctx, a, p)
}

func (s stub) Upload(_ context.Context, _ []hosts.Blob, p func(hosts.Progress)) error {
	return s.upload(p)
}

func (s stub) Observe(ctx context.Context, _ hosts.Query) (hosts.Facts, error) { return s.observe(ctx) }

func (s stub) Dial(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) }

// wire is an agent and what leads to it.
type wire struct {
	in     *io.PipeReader // what the agent says
	out    *io.PipeWriter // what it hears
	served chan error     // how Serve ended
}

// serve starts an agent for a host, in front of which nobody stands yet.
func serve(host hosts.Host, opts agent.ServeOptions) *wire {
	agentIn, out := io.Pipe()
	in, agentOut := io.Pipe()
	w := &wire{in: in, out: out, served: make(chan error, 1)}
	go func() {
		w.served <- agent.Serve(context.Background(), host, agentIn, agentOut, opts)
		_ = agentOut.Close()
		_ = agentIn.Close()
	}()
	return w
}

func connect(t *testing.T, host hosts.Host) (*agent.Client, *wire) {
	t.Helper()
	w := serve(host, agent.ServeOptions{Version: "v1"})
	client, err := agent.Connect(context.Background(), w.in, w.out, agent.ConnectOptions{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	return client, w
}

const hello = `{"protocol":2,"version":"v1"}` + "\n"

var anAction = hosts.LoadModule{Name: "overlay"}

func TestErrorsCrossIntact(t *testing.T) {
	holder := hosts.LeaseHolder{Holder: "alice@desk, process 7", Since: "2026-01-02T03:04:05Z", Heard: "2026-01-02T03:04:06Z"}
	full := &hosts.Error{Kind: hosts.KindDiskFull, Op: "write /x", Err: errors.New("no space left"), Fix: "free some"}
	cases := map[string]error{
		"plain":             errors.New("it broke"),
		"with all":          full,
		"with host":         &hosts.Error{Kind: hosts.KindForeign, Host: "cp-9", Op: "look", Err: errors.New("docker runs")},
		"without a cause":   &hosts.Error{Kind: hosts.KindPrivilege, Op: "be root"},
		"lease":             &hosts.Error{Kind: hosts.KindLease, Op: "take the lease", Err: holder, Fix: "wait"},
		"wrapped":           fmt.Errorf("step 3: %w", full),
		"wrapped cause":     &hosts.Error{Kind: hosts.KindBroken, Op: "run", Err: fmt.Errorf("inside: %w", holder)},
		"deadline, wrapped": fmt.Errorf("too long: %w", context.DeadlineExceeded),
		"an error in two":   errors.Join(errors.New("first"), full),
	}
	for name, sent := range cases {
		t.Run(name, func(t *testing.T) {
			client, _ := connect(t, stub{do: func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
				return hosts.Outcome{}, sent
			}})
			defer client.Close()
			_, got := client.Do(t.Context(), anAction, nil)
			checkError(t, got, sent)
		})
	}
}

// checkError holds what came against what was sent, in all that a caller can ask.
func checkError(t *testing.T, got, sent error) {
	t.Helper()
	text := strings.ReplaceAll(sent.Error(), "\n", "\n  | ") // lines that go on show whose they are
	if got == nil || got.Error() != text {
		t.Errorf("text: %q, want %q", got, sent)
	}
	var gotHost, sentHost *hosts.Error
	if errors.As(got, &gotHost) != errors.As(sent, &sentHost) {
		t.Fatalf("*hosts.Error in %#v", got)
	}
	if sentHost != nil && (gotHost.Kind != sentHost.Kind || gotHost.Op != sentHost.Op || gotHost.Fix != sentHost.Fix || gotHost.Host != sentHost.Host) {
		t.Errorf("got %+v, want %+v", gotHost, sentHost)
	}
	var gotLease, sentLease hosts.LeaseHolder
	if errors.As(got, &gotLease) != errors.As(sent, &sentLease) || gotLease != sentLease {
		t.Errorf("lease %+v, want %+v", gotLease, sentLease)
	}
	for _, value := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(got, value) != errors.Is(sent, value) {
			t.Errorf("errors.Is(%v) is %v", value, errors.Is(got, value))
		}
	}
}

func TestVersionsMustBeTheSame(t *testing.T) {
	w := serve(stub{}, agent.ServeOptions{Version: "v1"})
	_, err := agent.Connect(t.Context(), w.in, w.out, agent.ConnectOptions{Version: "v2"})
	var known *hosts.Error
	if !errors.As(err, &known) || known.Kind != hosts.KindVersion {
		t.Errorf("the operator sees %v", err)
	}
	<-w.served
	w = serve(stub{}, agent.ServeOptions{Version: "v1"})
	go func() { _, _ = io.Copy(io.Discard, w.in) }()
	send(t, w, `{"protocol":2,"version":"v2"}`+"\n")
	if err := <-w.served; !errors.As(err, &known) || known.Kind != hosts.KindVersion {
		t.Errorf("the agent sees %v", err)
	}
}

func TestProtocolsMustBeTheSame(t *testing.T) {
	in, out := io.Pipe()
	toAgent, fromOperator := io.Pipe()
	go func() { _, _ = io.Copy(io.Discard, toAgent) }()
	go func() {
		_, _ = io.WriteString(out, `{"protocol":99,"version":"v1","news":true}`+"\n")
	}()
	_, err := agent.Connect(t.Context(), in, fromOperator, agent.ConnectOptions{Version: "v1"})
	var known *hosts.Error
	if !errors.As(err, &known) || known.Kind != hosts.KindVersion {
		t.Errorf("the operator sees %v", err)
	}
}

func TestCancelReachesTheAction(t *testing.T) {
	started := make(chan struct{})
	client, _ := connect(t, stub{do: func(ctx context.Context, _ hosts.Action, _ func(hosts.Progress)) (hosts.Outcome, error) {
		close(started)
		<-ctx.Done()
		return hosts.Outcome{}, fmt.Errorf("stopped at a safe point: %w", ctx.Err())
	}})
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	_, err := client.Do(ctx, anAction, nil)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "safe point") {
		t.Errorf("the action ends with %v", err)
	}
}

func TestACancelledActionThatSucceedsHasSucceeded(t *testing.T) {
	started := make(chan struct{})
	client, _ := connect(t, stub{do: func(ctx context.Context, _ hosts.Action, _ func(hosts.Progress)) (hosts.Outcome, error) {
		close(started)
		<-ctx.Done()
		return hosts.Outcome{Result: hosts.Changed}, nil
	}})
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	if outcome, err := client.Do(ctx, anAction, nil); err != nil || outcome.Result != hosts.Changed {
		t.Errorf("the action ends with %v, %v", outcome, err)
	}
}

func TestProgressComesBeforeTheAnswer(t *testing.T) {
	client, _ := connect(t, stub{do: func(_ context.Context, _ hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
		for i := range 1000 {
			progress(hosts.Progress{Done: int64(i + 1), Total: 1000})
		}
		return hosts.Outcome{Result: hosts.Changed}, nil
	}})
	defer client.Close()
	var seen []int64
	if _, err := client.Do(t.Context(), anAction, func(p hosts.Progress) { seen = append(seen, p.Done) }); err != nil {
		t.Fatal(err)
	}
	if len(seen) == 0 || len(seen) > 100 || !slices.IsSorted(seen) || seen[len(seen)-1] != 1000 {
		t.Errorf("of 1000 steps these were seen: %v", seen)
	}
}

// asking has a client ask, which is not waited for; leave has its session hear no more of it.
func asking(t *testing.T, host hosts.Host, opts agent.ServeOptions) (client *agent.Client, w *wire, silence func()) {
	t.Helper()
	w = serve(host, opts)
	out := &stoppable{out: w.out}
	client, err := agent.Connect(t.Context(), w.in, out, agent.ConnectOptions{Version: "v1", Life: agent.Life{Silence: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	return client, w, func() { out.stopped.Store(true) }
}

// stoppable takes what is written, and can stop to carry it.
type stoppable struct {
	out     *io.PipeWriter
	stopped atomic.Bool
}

func (s *stoppable) Write(p []byte) (int, error) {
	if s.stopped.Load() {
		return len(p), nil
	}
	return s.out.Write(p)
}

func (s *stoppable) Close() error { return s.out.Close() }

// TestTheActionInHandOutlivesTheOperator cuts the operator off in the middle of an action.
func TestTheActionInHandOutlivesTheOperator(t *testing.T) {
	for name, leave := range map[string]func(w *wire, silence func()){
		"end of stdin": func(w *wire, _ func()) { _ = w.out.Close() },
		"silence":      func(_ *wire, silence func()) { silence() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				finish, finished, observed := make(chan struct{}), false, false
				client, w, silence := asking(t, stub{
					do: func(ctx context.Context, _ hosts.Action, _ func(hosts.Progress)) (hosts.Outcome, error) {
						<-finish
						finished = ctx.Err() == nil
						return hosts.Outcome{Result: hosts.Changed}, nil
					},
					observe: func(ctx context.Context) (hosts.Facts, error) {
						<-ctx.Done()
						observed = true
						return hosts.Facts{}, ctx.Err()
					},
				}, agent.ServeOptions{Version: "v1"})
				go func() { _, _ = client.Do(context.Background(), anAction, nil) }()
				go func() { _, _ = client.Observe(context.Background(), hosts.Query{}) }()
				synctest.Wait()
				leave(w, silence)
				time.Sleep(30 * time.Second) // of the bubble's clock
				synctest.Wait()
				if !observed {
					t.Error("the observation goes on")
				}
				select {
				case err := <-w.served:
					t.Fatalf("the agent ended before its action: %v", err)
				default:
				}
				close(finish)
				err := <-w.served
				if !finished {
					t.Error("the action was cancelled")
				}
				if name == "silence" && (err == nil || !strings.Contains(err.Error(), "no sign of life")) {
					t.Errorf("the agent ends with %v", err)
				}
				if name != "silence" && err != nil {
					t.Errorf("the agent ends with %v", err)
				}
				_ = w.out.Close()
			})
		})
	}
}

func TestAnActionWithoutEndIsCancelledAfterTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, w, _ := asking(t, stub{do: func(ctx context.Context, _ hosts.Action, _ func(hosts.Progress)) (hosts.Outcome, error) {
			<-ctx.Done()
			return hosts.Outcome{}, ctx.Err()
		}}, agent.ServeOptions{Version: "v1", Grace: time.Minute})
		go func() { _, _ = client.Do(context.Background(), anAction, nil) }()
		synctest.Wait()
		begin := time.Now()
		_ = w.out.Close()
		<-w.served
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("the agent ended after %s", took)
		}
	})
}

func send(t *testing.T, w *wire, line string) {
	t.Helper()
	if _, err := io.WriteString(w.out, line); err != nil {
		t.Fatal(err)
	}
}

// bubble is synctest.Test after which the pools that net/http keeps are empty: what was made in
// one bubble may not be used in the next.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	runtime.GC()
	runtime.GC()
	synctest.Test(t, f)
	runtime.GC()
	runtime.GC()
}

// TestASilentAgentIsLost has an agent that greets and then says nothing more. That all
// goroutines are gone afterwards is checked by synctest itself.
func TestASilentAgentIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, fromAgent := io.Pipe()
		toAgent, out := io.Pipe()
		go func() { _, _ = io.WriteString(fromAgent, hello) }()
		go func() { _, _ = io.Copy(io.Discard, toAgent) }()
		client, err := agent.Connect(t.Context(), in, out, agent.ConnectOptions{Version: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		calls := map[string]func() error{
			"do":      func() error { _, err := client.Do(context.Background(), anAction, nil); return err },
			"observe": func() error { _, err := client.Observe(context.Background(), hosts.Query{}); return err },
			"dial":    func() error { _, err := client.Dial(context.Background(), "tcp", "a:1"); return err },
			"journal": func() error { _, err := client.Journal(context.Background(), "a.service", 1, true); return err },
			"upload": func() error {
				return client.Upload(context.Background(), []hosts.Blob{hosttest.Content([]byte("x"))}, nil)
			},
		}
		errs := make(chan error, len(calls))
		for _, call := range calls {
			go func() { errs <- call() }()
		}
		for range calls {
			err := <-errs
			var known *hosts.Error
			if !errors.As(err, &known) || known.Kind != hosts.KindCut {
				t.Errorf("a call in hand ends with %v", err)
			}
		}
		if took := time.Since(begin); took < 15*time.Second || took > 20*time.Second {
			t.Errorf("the agent was given up after %s", took)
		}
		_, err = client.Do(context.Background(), anAction, nil)
		var known *hosts.Error
		if !errors.As(err, &known) || known.Kind != hosts.KindCut {
			t.Errorf("a later call ends with %v", err)
		}
		if err := client.Close(); err != nil {
			t.Errorf("closing ends with %v", err)
		}
		_ = fromAgent.Close()
	})
}

// TestAnIdleSessionLives: pings alone keep both ends.
func TestAnIdleSessionLives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, w := connect(t, stub{observe: func(context.Context) (hosts.Facts, error) {
			return hosts.Facts{Hostname: "still here"}, nil
		}})
		time.Sleep(time.Hour) // of the bubble's clock
		facts, err := client.Observe(t.Context(), hosts.Query{})
		if err != nil || facts.Hostname != "still here" {
			t.Errorf("after an hour: %v, %v", facts.Hostname, err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := <-w.served; err != nil {
			t.Error(err)
		}
	})
}

func TestCloseWaitsForTheActionInHand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		finish := make(chan struct{})
		client, _ := connect(t, stub{do: func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
			<-finish
			return hosts.Outcome{Result: hosts.Changed}, nil
		}})
		done, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := client.Do(context.Background(), anAction, nil)
			done <- err
		}()
		synctest.Wait()
		go func() { closed <- client.Close() }()
		time.Sleep(4 * time.Second) // of the bubble's clock
		select {
		case err := <-closed:
			t.Fatalf("closed before the action's end: %v", err)
		default:
		}
		close(finish)
		if err := <-done; err != nil {
			t.Errorf("the action ends with %v", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("closing ends with %v", err)
		}
	})
}

func TestBreachesEndTheSession(t *testing.T) {
	for name, test := range map[string]struct{ path, text string }{
		"an unknown call":   {"/sing", "{}\n"},
		"not JSON":          {"/observe", "what?\n"},
		"two values":        {"/observe", "{} {}\n"},
		"an unknown field":  {"/observe", `{"loud":true}` + "\n"},
		"an unknown action": {"/do", `{"kind":"rm-rf","args":{}}` + "\n"},
		"an action's field": {"/do", `{"kind":"load-module","args":{"nome":"x"}}` + "\n"},
		"nothing":           {"/observe", ""},
		"half a line":       {"/have", `{"refs":[`},
		"half a blob":       {"/put", `{"ref":"r","sha256":"s","size":9}` + "\nabc"},
		"a blob too large":  {"/put", `{"ref":"r","sha256":"s","size":99999999999}` + "\n"},
		"a blob below none": {"/put", `{"ref":"r","sha256":"s","size":-1}` + "\n"},
		"too long a line":   {"/have", `{"refs":["` + strings.Repeat("A", 5<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits a second for net/http to end
			client, w := connect(t, stub{})
			said, _ := client.Send(t.Context(), test.path, test.text)
			if name != "nothing" && name != "half a line" && !strings.Contains(said, "protocol: ") && !strings.Contains(said, "unexpected EOF") {
				t.Errorf("the operator is not told: %s", said)
			}
			if err := <-w.served; err == nil || !strings.Contains(err.Error(), "serve the agent: ") {
				t.Errorf("the agent ends with %v", err)
			}
		})
	}
	for name, text := range map[string]string{
		"noise":                "Welcome!\n",
		"a hello without end":  strings.Repeat("A", 1<<20),
		"a hello that is none": "[]\n",
		"no HTTP/2":            hello + "GET / HTTP/1.1\r\n\r\n" + strings.Repeat("x", 100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serve(stub{}, agent.ServeOptions{Version: "v1"})
			go func() { _, _ = io.Copy(io.Discard, w.in) }()
			go func() { _, _ = io.WriteString(w.out, text) }() // the agent may stop reading in the middle
			if err := <-w.served; err == nil || !strings.Contains(err.Error(), "protocol: ") {
				t.Errorf("the agent ends with %v", err)
			}
		})
	}
}

func TestTheAgentsBreachesEndTheSession(t *testing.T) {
	for name, text := range map[string]string{
		"noise":                 "Welcome to cp-1!\n",
		"an end inside a hello": `{"protocol":2`,
		"a hello without end":   strings.Repeat("A", 1<<20),
		"no HTTP/2":             hello + strings.Repeat("done\n", 100),
		"an end":                hello,
	} {
		t.Run(name, func(t *testing.T) {
			in, fromAgent := io.Pipe()
			toAgent, out := io.Pipe()
			go func() {
				_, _ = io.WriteString(fromAgent, text)
				_ = fromAgent.Close()
			}()
			go func() { _, _ = io.Copy(io.Discard, toAgent) }()
			client, err := agent.Connect(t.Context(), in, out, agent.ConnectOptions{Version: "v1"})
			if err == nil {
				_, err = client.Observe(t.Context(), hosts.Query{})
			}
			if err == nil {
				t.Error("the session goes on")
			}
		})
	}
	for name, text := range map[string]string{
		"an end inside a line":  `{"progress":{"do`,
		"an end after progress": `{"progress":{"done":1}}` + "\n",
		"nothing at all":        "",
		"not JSON":              "what?\n",
		"two things in one":     `{"progress":{"done":1},"done":null}` + "\n",
		"none of them":          "{}\n",
		"an unknown one":        `{"sung":1}` + "\n",
		"too long a line":       `{"done":"` + strings.Repeat("A", 9<<20) + "\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			client := scripted(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
			_, err := client.Observe(t.Context(), hosts.Query{})
			var known *hosts.Error
			if !errors.As(err, &known) || known.Kind != hosts.KindCut {
				t.Errorf("the call ends with %v", err)
			}
			<-client.Done()
		})
	}
}

// scripted connects to an agent that does what a test says.
func scripted(t *testing.T, handler http.HandlerFunc) *agent.Client {
	t.Helper()
	agentIn, out := io.Pipe()
	in, agentOut := io.Pipe()
	go func() {
		agent.Scripted(agentIn, agentOut, handler)
		_ = agentOut.Close()
	}()
	client, err := agent.Connect(t.Context(), in, out, agent.ConnectOptions{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	return client
}

func TestAKilledAgentIsTold(t *testing.T) {
	in, fromAgent := io.Pipe()
	toAgent, out := io.Pipe()
	go func() { _, _ = io.WriteString(fromAgent, hello) }()
	go func() { _, _ = io.Copy(io.Discard, toAgent) }()
	client, err := agent.Connect(t.Context(), in, out, agent.ConnectOptions{
		Version: "v1",
		Explain: func(error) error { return errors.New("it was killed") },
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = fromAgent.Close()
	_, err = client.Observe(t.Context(), hosts.Query{})
	if err == nil || !strings.Contains(err.Error(), "it was killed") {
		t.Errorf("the call ends with %v", err)
	}
}
