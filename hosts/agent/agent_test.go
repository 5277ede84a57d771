package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
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

const hello = `{"kind":"hello","body":{"protocol":1,"version":"v1"}}` + "\n"

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
	send(t, w, `{"kind":"hello","body":{"protocol":1,"version":"v2"}}`+"\n")
	if err := <-w.served; !errors.As(err, &known) || known.Kind != hosts.KindVersion {
		t.Errorf("the agent sees %v", err)
	}
}

func TestProtocolsMustBeTheSame(t *testing.T) {
	in, out := io.Pipe()
	toAgent, fromOperator := io.Pipe()
	go func() { _, _ = io.Copy(io.Discard, toAgent) }()
	go func() {
		_, _ = io.WriteString(out, `{"kind":"hello","body":{"protocol":99,"version":"v1","news":true}}`+"\n")
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

// TestTheActionInHandOutlivesTheOperator cuts the operator off in the middle of an action.
func TestTheActionInHandOutlivesTheOperator(t *testing.T) {
	for name, leave := range map[string]func(w *wire){
		"end of stdin": func(w *wire) { _ = w.out.Close() },
		"silence":      func(*wire) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				finish, finished, observed := make(chan struct{}), false, false
				w := serve(stub{
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
				go func() { _, _ = io.Copy(io.Discard, w.in) }()
				send(t, w, hello)
				send(t, w, `{"kind":"do","id":1,"body":{"kind":"load-module","args":{"name":"overlay"}}}`+"\n")
				send(t, w, `{"kind":"observe","id":2,"body":{}}`+"\n")
				synctest.Wait()
				leave(w)
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
	synctest.Test(t, func(t *testing.T) {
		w := serve(stub{do: func(ctx context.Context, _ hosts.Action, _ func(hosts.Progress)) (hosts.Outcome, error) {
			<-ctx.Done()
			return hosts.Outcome{}, ctx.Err()
		}}, agent.ServeOptions{Version: "v1", Grace: time.Minute})
		go func() { _, _ = io.Copy(io.Discard, w.in) }()
		send(t, w, hello)
		send(t, w, `{"kind":"do","id":1,"body":{"kind":"load-module","args":{"name":"overlay"}}}`+"\n")
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

// TestASilentAgentIsLost has an agent that greets and then says nothing more. That all
// goroutines are gone afterwards is checked by synctest itself.
func TestASilentAgentIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
	synctest.Test(t, func(t *testing.T) {
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
	synctest.Test(t, func(t *testing.T) {
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
	do := `{"kind":"do","id":1,"body":{"kind":"load-module","args":{"name":"overlay"}}}` + "\n"
	cases := map[string]string{
		"no hello":             do,
		"not JSON":             hello + "what?\n",
		"two values":           hello + `{"kind":"ping"}{"kind":"ping"}` + "\n",
		"no kind":              hello + "{}\n",
		"an unknown kind":      hello + `{"kind":"sing"}` + "\n",
		"an unknown field":     hello + `{"kind":"ping","loud":true}` + "\n",
		"an agent's frame":     hello + `{"kind":"done","id":1}` + "\n",
		"a second hello":       hello + hello,
		"an unknown action":    hello + `{"kind":"do","id":1,"body":{"kind":"rm-rf","args":{}}}` + "\n",
		"an action's field":    hello + `{"kind":"do","id":1,"body":{"kind":"load-module","args":{"nome":"x"}}}` + "\n",
		"no body":              hello + `{"kind":"observe","id":1}` + "\n",
		"an id twice":          hello + do + do,
		"no id":                hello + `{"kind":"observe","body":{}}` + "\n",
		"a stream of nobody":   hello + `{"kind":"data","id":7,"data":"aGk="}` + "\n",
		"too long a line":      hello + `{"kind":"ping","data":"` + strings.Repeat("A", 9<<20),
		"a hello that is none": `{"kind":"hello","body":[]}` + "\n",
	}
	for name, input := range cases {
		t.Run(name, func(t *testing.T) {
			w := serve(stub{do: func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
				return hosts.Outcome{}, nil
			}}, agent.ServeOptions{Version: "v1"})
			go func() { _, _ = io.WriteString(w.out, input) }() // the agent may stop reading in the middle
			said, err := io.ReadAll(w.in)
			if err != nil {
				t.Fatal(err)
			}
			if err := <-w.served; err == nil || !strings.Contains(err.Error(), "protocol: ") {
				t.Errorf("the agent ends with %v", err)
			}
			if !bytes.Contains(said, []byte(`"kind":"bye"`)) {
				t.Errorf("the operator is not told: %s", said)
			}
		})
	}
}

func TestTheAgentsBreachesEndTheSession(t *testing.T) {
	for name, input := range map[string]string{
		"noise":                 "Welcome to cp-1!\n",
		"no hello":              `{"kind":"ping","id":0}` + "\n" + `{"kind":"done","id":1}` + "\n",
		"an unasked answer":     hello + `{"kind":"done","id":9}` + "\n",
		"progress of nothing":   hello + `{"kind":"progress","id":9,"body":{"done":1}}` + "\n",
		"a request":             hello + `{"kind":"observe","id":9,"body":{}}` + "\n",
		"an end inside a frame": hello + `{"kind":"do`,
	} {
		t.Run(name, func(t *testing.T) {
			in, fromAgent := io.Pipe()
			toAgent, out := io.Pipe()
			go func() {
				_, _ = io.WriteString(fromAgent, input)
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
