package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// slow carries a frame of 16 KiB in 100 ms, and takes more at once: time stands still in a
// bubble while net/http waits for a Write of its own.
type slow struct{ frames chan []byte }

func (s slow) Write(p []byte) (int, error) {
	s.frames <- bytes.Clone(p)
	return len(p), nil
}

func (s slow) Close() error {
	s.frames <- nil
	return nil
}

func (s slow) carry(out io.WriteCloser) {
	for frame := <-s.frames; frame != nil; frame = <-s.frames {
		time.Sleep(time.Duration(len(frame)) * 100 * time.Millisecond >> 14) // of the bubble's clock
		_, _ = out.Write(frame)
	}
	_ = out.Close()
}

// TestACallThatIsBrokenOffEndsNothingElse breaks a call off before the agent has all of it.
func TestACallThatIsBrokenOffEndsNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := serve(stub{observe: func(context.Context) (hosts.Facts, error) { return hosts.Facts{Hostname: "cp-1"}, nil }},
			agent.ServeOptions{Version: "v1"})
		line := slow{make(chan []byte, 1<<10)}
		go line.carry(w.out)
		client, err := agent.Connect(t.Context(), w.in, line, agent.ConnectOptions{Version: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		secret := hosttest.Content(make([]byte, 1<<20))
		secret.Secret = true
		if err := client.Put(ctx, secret); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the call ends with %v", err)
		}
		time.Sleep(10 * time.Second)
		if _, err := client.Observe(t.Context(), hosts.Query{}); err != nil {
			t.Errorf("the next one ends with %v", err)
		}
		finish(t, client, w)
	})
}

func TestAClosedConnectionGoesWhereNobodyReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		conn, far, client, w := dialed(t)
		go func() { _, _ = conn.Write(make([]byte, 4<<20)) }()
		synctest.Wait()
		_ = conn.Close()
		time.Sleep(time.Minute) // of the bubble's clock
		if n, err := far.Read(make([]byte, 1)); err == nil {
			t.Errorf("the connection on the host goes on, with %d bytes", n)
		}
		finish(t, client, w)
	})
}

// toMany connects often through an agent; fars are the other ends.
func toMany(t *testing.T) (client *agent.Client, w *wire, fars chan net.Conn) {
	fars = make(chan net.Conn, 256)
	client, w = connect(t, stub{
		dial: func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			fars <- far
			return near, nil
		},
		do: func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
			return hosts.Outcome{Result: hosts.Changed}, nil
		},
	})
	return client, w, fars
}

func TestConnectionsThatNobodyReadsHoldUpNoCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, w, fars := toMany(t)
		for range 128 {
			conn, err := client.Dial(t.Context(), "tcp", "10.0.0.1:6443")
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = conn.Write(make([]byte, 1<<20)) }()
		}
		synctest.Wait()
		if _, err := client.Do(t.Context(), anAction, nil); err != nil {
			t.Errorf("a call ends with %v", err)
		}
		for range 128 {
			_ = (<-fars).Close()
		}
		finish(t, client, w)
	})
}

// TestClosedConnectionsGiveBackTheirWindow: all connections share one.
func TestClosedConnectionsGiveBackTheirWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, w, fars := toMany(t)
		for range 250 {
			conn, err := client.Dial(t.Context(), "tcp", "10.0.0.1:6443")
			if err != nil {
				t.Fatal(err)
			}
			far := <-fars
			go func() { _, _ = far.Write(make([]byte, 1<<20)) }()
			synctest.Wait()
			_ = conn.Close()
			synctest.Wait()
		}
		if _, err := client.Do(t.Context(), anAction, nil); err != nil {
			t.Errorf("a call ends with %v", err)
		}
		finish(t, client, w)
	})
}

// TestAnEndThatIsNoneIsTold: half an answer must not look like all of it.
func TestAnEndThatIsNoneIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"done":null}`+"\n"+"half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		conn, err := client.Dial(t.Context(), "tcp", "10.0.0.1:6443")
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(conn)
		if known, ok := errors.AsType[*hosts.Error](err); !ok || known.Kind != hosts.KindCut {
			t.Errorf("%q comes, and %v", said, err)
		}
		_ = conn.Close()
		_ = client.Close()
	})
}

// TestWhatWasWrittenArrivesThoughNobodyReadsTheRest closes a connection on which much comes in.
func TestWhatWasWrittenArrivesThoughNobodyReadsTheRest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		conn, far, client, w := dialed(t)
		var came atomic.Int64
		var both sync.WaitGroup
		both.Go(func() {
			for {
				if _, err := far.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		})
		both.Go(func() {
			part := make([]byte, 64<<10)
			for {
				n, err := io.ReadFull(far, part)
				came.Add(int64(n))
				if err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond) // of the bubble's clock
			}
		})
		synctest.Wait()
		// The last bytes of it wait for the window.
		if _, err := conn.Write(make([]byte, 512<<10)); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
		both.Wait()
		if came.Load() != 512<<10 {
			t.Errorf("%d bytes arrive", came.Load())
		}
		finish(t, client, w)
	})
}

// TestClosingEndsALook: only actions are waited for.
func TestClosingEndsALook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, w := connect(t, stub{observe: func(ctx context.Context) (hosts.Facts, error) {
			<-ctx.Done()
			return hosts.Facts{}, ctx.Err()
		}})
		looked := make(chan error, 1)
		go func() {
			_, err := client.Observe(context.Background(), hosts.Query{})
			looked <- err
		}()
		synctest.Wait()
		finish(t, client, w)
		if known, ok := errors.AsType[*hosts.Error](<-looked); !ok || known.Kind != hosts.KindCut {
			t.Errorf("the look ends with %v", known)
		}
	})
}
