package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// dialed connects through an agent to the other end of a pipe.
func dialed(t *testing.T) (conn net.Conn, far net.Conn, client *agent.Client, w *wire) {
	t.Helper()
	near, far := net.Pipe()
	client, w = connect(t, stub{
		dial:    func(context.Context) (net.Conn, error) { return near, nil },
		observe: func(context.Context) (hosts.Facts, error) { return hosts.Facts{Hostname: "cp-1"}, nil },
	})
	conn, err := client.Dial(t.Context(), "tcp", "10.0.0.1:6443")
	if err != nil {
		t.Fatal(err)
	}
	return conn, far, client, w
}

func TestAStreamThatNobodyReadsHoldsOnlyItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		conn, far, client, w := dialed(t)
		var mutex sync.Mutex
		sent := 0
		go func() {
			chunk := make([]byte, 64<<10)
			for {
				n, err := far.Write(chunk)
				mutex.Lock()
				sent += n
				mutex.Unlock()
				if err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		mutex.Lock()
		stalled := sent
		mutex.Unlock()
		if stalled < 512<<10 || stalled > 2<<20 {
			t.Errorf("%d bytes are under way to a reader that does not read", stalled)
		}
		if facts, err := client.Observe(t.Context(), hosts.Query{}); err != nil || facts.Hostname != "cp-1" {
			t.Errorf("the session stands still: %v", err)
		}
		if n, err := io.CopyN(io.Discard, conn, 8<<20); err != nil {
			t.Errorf("after %d bytes: %v", n, err)
		}
		_ = conn.Close()
		finish(t, client, w)
		_ = far.Close()
	})
}

func finish(t *testing.T, client *agent.Client, w *wire) {
	t.Helper()
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := <-w.served; err != nil {
		t.Error(err)
	}
}

func TestAStreamKeepsItsDeadlines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		conn, far, client, w := dialed(t)
		begin := time.Now()
		if err := conn.SetDeadline(begin.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if _, err := conn.Write(make([]byte, 4<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("the deadline came after %s", took)
		}
		// One that is set while a read waits ends it; one that is moved does not.
		ended := make(chan error, 1)
		_ = conn.SetReadDeadline(time.Time{})
		go func() {
			_, err := conn.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		_ = conn.SetReadDeadline(time.Now().Add(time.Hour))
		time.Sleep(2 * time.Minute) // of the bubble's clock
		select {
		case err := <-ended:
			t.Fatalf("a deadline that was moved: %v", err)
		default:
		}
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		_ = conn.Close()
		finish(t, client, w)
		_ = far.Close()
	})
}

func TestClosingAStreamClosesTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		conn, far, client, w := dialed(t)
		go func() {
			_, _ = conn.Write([]byte("last words"))
			_ = conn.Close()
		}()
		got, err := io.ReadAll(far)
		if err != nil || string(got) != "last words" {
			t.Errorf("%q arrives, %v", got, err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed stream reads %v", err)
		}
		finish(t, client, w)
	})
}

func TestAConnectionThatEndsEndsTheStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		conn, far, client, w := dialed(t)
		_, _ = far.Write([]byte("so long"))
		_ = far.Close()
		got, err := io.ReadAll(conn)
		if err != nil || string(got) != "so long" {
			t.Errorf("%q arrives, %v", got, err)
		}
		_, _ = conn.Write([]byte("hello?")) // the first may not know yet, as with TCP
		synctest.Wait()
		if _, err := conn.Write([]byte("hello?")); err == nil {
			t.Error("a connection that is gone takes bytes")
		}
		_ = conn.Close()
		finish(t, client, w)
	})
}

func TestALostSessionEndsItsStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		conn, far, _, w := dialed(t)
		ended := make(chan error, 1)
		go func() {
			_, err := conn.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		_ = w.in.Close() // the operator's end hears nothing more
		err := <-ended
		var known *hosts.Error
		if !errors.As(err, &known) || known.Kind != hosts.KindCut {
			t.Errorf("the stream ends with %v", err)
		}
		if _, err := far.Read(make([]byte, 1)); err == nil {
			t.Error("the connection on the host goes on")
		}
		<-w.served
	})
}

func TestADialThatIsGivenUpLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, w := connect(t, stub{dial: func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := client.Dial(ctx, "tcp", "10.255.255.1:1"); err == nil {
			t.Error("a dial to nowhere succeeded")
		}
		finish(t, client, w)
	})
}

// BenchmarkStream is the rate of bytes through an agent, without what carries the frames.
func BenchmarkStream(b *testing.B) {
	near, far := net.Pipe()
	w := serve(stub{dial: func(context.Context) (net.Conn, error) { return near, nil }}, agent.ServeOptions{Version: "v1"})
	client, err := agent.Connect(b.Context(), w.in, w.out, agent.ConnectOptions{Version: "v1"})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	conn, err := client.Dial(b.Context(), "tcp", "10.0.0.1:6443")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	const size = 1 << 20
	b.SetBytes(size)
	go func() {
		chunk := make([]byte, 64<<10)
		for {
			if _, err := far.Write(chunk); err != nil {
				return
			}
		}
	}()
	for b.Loop() {
		if _, err := io.CopyN(io.Discard, conn, size); err != nil {
			b.Fatal(err)
		}
	}
}
