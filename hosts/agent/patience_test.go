package agent_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// alive is an agent that lives and takes all in, and answers nothing.
func alive(t *testing.T) *agent.Client {
	return scripted(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// calls are all that an operator asks a host.
var calls = map[string]func(context.Context, *agent.Client) error{
	"observe": func(ctx context.Context, c *agent.Client) error {
		_, err := c.Observe(ctx, hosts.Query{})
		return err
	},
	"do": func(ctx context.Context, c *agent.Client) error { _, err := c.Do(ctx, anAction, nil); return err },
	"set-unit": func(ctx context.Context, c *agent.Client) error {
		_, err := c.Do(ctx, hosts.SetUnit{}, nil)
		return err
	},
	"take-lease": func(ctx context.Context, c *agent.Client) error {
		_, err := c.Do(ctx, hosts.TakeLease{}, nil)
		return err
	},
	"dial": func(ctx context.Context, c *agent.Client) error { _, err := c.Dial(ctx, "tcp", "a:1"); return err },
	"journal": func(ctx context.Context, c *agent.Client) error {
		_, err := c.Journal(ctx, "a.service", 1, true)
		return err
	},
	"upload": func(ctx context.Context, c *agent.Client) error {
		return c.Upload(ctx, []hosts.Blob{hosttest.Content([]byte("x"))}, nil)
	},
	"put":    func(ctx context.Context, c *agent.Client) error { return c.Put(ctx, hosttest.Content([]byte("x"))) },
	"ingest": func(ctx context.Context, c *agent.Client) error { return c.Ingest(ctx, hosttest.Content([]byte("x"))) },
	"partial": func(ctx context.Context, c *agent.Client) error {
		_, err := c.Partial(ctx, hosttest.Content([]byte("x")))
		return err
	},
	"take": func(ctx context.Context, c *agent.Client) error {
		return c.Take(ctx, hosttest.Content([]byte("x")), 0, strings.NewReader("x"))
	},
	"leave": func(ctx context.Context, c *agent.Client) error {
		return c.Leave(ctx, []string{"/nowhere/at/all"}, nil)
	},
}

// TestNoCallWaitsForEver has a host that lives and answers nothing.
func TestNoCallWaitsForEver(t *testing.T) {
	limits := map[string]time.Duration{"take-lease": 15 * time.Second} // one host is asked after another
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client := alive(t)
				begin := time.Now()
				err := call(context.Background(), client)
				var known *hosts.Error
				if !errors.As(err, &known) || known.Kind != hosts.KindStuck || known.Fix == "" {
					t.Errorf("it ends with %v", err)
				}
				if took := time.Since(begin); took > cmp.Or(limits[name], 10*time.Minute) {
					t.Errorf("it took %s", took)
				}
				_ = client.Close()
			})
		})
	}
}

// TestACallThatIsGivenUpEndsOnTheHost, too: else the same command finds the lease held by it.
func TestACallThatIsGivenUpEndsOnTheHost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := false
		here, there := net.Pipe()
		client, _ := connect(t, stub{
			do: func(ctx context.Context, _ hosts.Action, _ func(hosts.Progress)) (hosts.Outcome, error) {
				<-ctx.Done()
				ended = true
				return hosts.Outcome{}, ctx.Err()
			},
			dial: func(context.Context) (net.Conn, error) {
				time.Sleep(time.Minute) // of the bubble's clock: it is made too late
				return here, nil
			},
		})
		if _, err := client.Do(context.Background(), anAction, nil); err == nil {
			t.Error("the action went through")
		}
		synctest.Wait()
		if !ended {
			t.Error("the action goes on")
		}
		if _, err := client.Dial(context.Background(), "tcp", "a:1"); err == nil {
			t.Error("the connection was made in time")
		}
		if err := there.SetReadDeadline(time.Now().Add(5 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(there); err != nil {
			t.Errorf("the late connection ends with %v", err)
		}
		_ = client.Close()
	})
}

// TestACancelledCallIsNotWaitedForLong: who pressed Ctrl-C has waited enough.
func TestACancelledCallIsNotWaitedForLong(t *testing.T) {
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client := alive(t)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				begin := time.Now()
				if err := call(ctx, client); !errors.Is(err, context.Canceled) {
					t.Errorf("it ends with %v", err)
				}
				if took := time.Since(begin); took > 2*time.Second {
					t.Errorf("it took %s", took)
				}
				_ = client.Close()
			})
		})
	}
}

// TestWhatMovesMayTakeItsTime: the bound of a long action is on its standing still. That one
// was given up is nothing to the next.
func TestWhatMovesMayTakeItsTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		moves := true
		client := scripted(t, func(w http.ResponseWriter, r *http.Request) {
			for _, progress := range []string{`{"done":1}`, `{"done":2}`, `{"done":3}`, `{"done":3}`} {
				if !moves {
					break
				}
				time.Sleep(100 * time.Second) // of the bubble's clock
				_, _ = io.WriteString(w, `{"progress":`+progress+"}\n")
				_ = http.NewResponseController(w).Flush()
			}
			if moves {
				<-r.Context().Done()
			}
			_, _ = io.WriteString(w, `{"done":{"result":"changed"}}`+"\n")
		})
		begin := time.Now()
		_, err := client.Do(context.Background(), anAction, nil)
		var known *hosts.Error
		if !errors.As(err, &known) || known.Kind != hosts.KindStuck {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(begin); took < 410*time.Second || took > 430*time.Second {
			t.Errorf("what moved for 300 s was given up after %s", took)
		}
		synctest.Wait()
		moves = false
		if _, err := client.Do(context.Background(), anAction, nil); err != nil {
			t.Errorf("the next call ends with %v", err)
		}
		_ = client.Close()
	})
}

// TestABlobMayTakeItsTimeToTheDisk: the host tells how far it is, and is not given up.
func TestABlobMayTakeItsTimeToTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inbox, blob := t.TempDir(), hosttest.Content([]byte("a layer"))
		if err := os.WriteFile(filepath.Join(inbox, agent.InboxName(blob.SHA256)), []byte("a layer"), 0o600); err != nil {
			t.Fatal(err)
		}
		w := serve(stub{upload: func(progress func(hosts.Progress)) error {
			for part := range int64(5) {
				time.Sleep(50 * time.Second) // of the bubble's clock
				progress(hosts.Progress{Done: part + 1, Total: 7})
			}
			return nil
		}}, agent.ServeOptions{Version: "v1", Inbox: inbox})
		client, err := agent.Connect(t.Context(), w.in, w.out, agent.ConnectOptions{Version: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Put(t.Context(), blob); err != nil {
			t.Errorf("put: %v", err)
		}
		if err := client.Ingest(t.Context(), blob); err != nil {
			t.Errorf("ingest: %v", err)
		}
		_ = client.Close()
	})
}

// TestALayerMayTakeItsTime to be unpacked or removed: containerd tells nothing of it before its end. So may swap on a
// slow disk, and a time service that starts again.
func TestALayerMayTakeItsTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, _ := connect(t, stub{do: func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
			time.Sleep(8 * time.Minute) // of the bubble's clock
			return hosts.Outcome{Result: hosts.Changed}, nil
		}})
		for _, action := range []hosts.Action{hosts.LoadImage{Reference: "app:1"}, hosts.UnloadImage{Name: "app:1"}, hosts.DisableSwap{}, hosts.SetNTP{}} {
			if _, err := client.Do(t.Context(), action, nil); err != nil {
				t.Error(err)
			}
		}
		_ = client.Close()
	})
}

// TestALookMayTakeItsTime where it tells that it moves.
func TestALookMayTakeItsTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, _ := connect(t, stub{observe: func(ctx context.Context) (hosts.Facts, error) {
			for read := range int64(10) {
				time.Sleep(50 * time.Second) // of the bubble's clock
				hosts.Told(ctx)(hosts.Progress{Done: read + 1})
			}
			return hosts.Facts{Hostname: "cp-1"}, nil
		}})
		if facts, err := client.Observe(t.Context(), hosts.Query{}); err != nil || facts.Hostname != "cp-1" {
			t.Errorf("it ends with %v", err)
		}
		_ = client.Close()
	})
}

// TestProgressWithoutEndIsGivenUp: a host may count up for days.
func TestProgressWithoutEndIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, _ := connect(t, stub{do: func(ctx context.Context, _ hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
			for done := int64(1); done < 1000; done++ {
				time.Sleep(100 * time.Second) // of the bubble's clock
				progress(hosts.Progress{Done: done})
			}
			return hosts.Outcome{}, nil
		}})
		begin := time.Now()
		_, err := client.Do(context.Background(), anAction, nil)
		var known *hosts.Error
		if !errors.As(err, &known) || known.Kind != hosts.KindStuck {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(begin); took > 2*time.Hour {
			t.Errorf("it took %s", took)
		}
		if err != nil && !strings.Contains(err.Error(), "it says that it moves, and has not ended in 2h0m0s") {
			t.Errorf("it says: %v", err)
		}
		_ = client.Close()
		time.Sleep(48 * time.Hour) // until the host has ended as well
	})
}

// TestClosingIsBounded: the agent has an action in hand that does not end.
func TestClosingIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		freed := make(chan struct{})
		client, w := connect(t, stub{do: func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
			<-freed
			return hosts.Outcome{}, nil
		}})
		go func() { _, _ = client.Do(context.Background(), anAction, nil) }()
		synctest.Wait()
		begin := time.Now()
		if err := client.Close(); err == nil {
			t.Error("the agent did not end, and nothing is said")
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("closing took %s", took)
		}
		if err := <-w.served; err == nil {
			t.Error("the agent left its action, and nothing is said")
		}
		if took := time.Since(begin); took > 2*time.Minute {
			t.Errorf("the agent ended after %s", took)
		}
		close(freed)
	})
}

// TestADeafHostIsGivenUp: it pings, and reads nothing. The clock is the real one: net/http has a
// lock that waits for whoever writes, and the bubble's would stand still.
func TestADeafHostIsGivenUp(t *testing.T) {
	in, fromAgent := io.Pipe()
	toAgent, out := io.Pipe()
	go func() {
		settings, ping := "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x08\x06\x00\x00\x00\x00\x00abcdefgh"
		frame := hello + settings
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			if _, err := io.WriteString(fromAgent, frame); err != nil {
				return
			}
			<-ticker.C
			frame = ping
		}
	}()
	go func() { _, _ = io.CopyN(io.Discard, toAgent, 200) }()
	client, err := agent.Connect(t.Context(), in, out, agent.ConnectOptions{
		Version: "v1", Life: agent.Life{Interval: 20 * time.Millisecond, Silence: 200 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	var known *hosts.Error
	if err := client.Put(context.Background(), hosttest.Content([]byte("x"))); !errors.As(err, &known) || known.Kind != hosts.KindCut {
		t.Errorf("the blob ends with %v", err)
	}
	if err := client.Close(); err != nil {
		t.Errorf("closing ends with %v", err)
	}
}
