package agent_test

import (
	"context"
	"io"
	"net"
	"testing"
)

// TestAHalfCloseByTheHostsSideEndsBothDirections: net/http has no end of an answer before that of
// its request. All that was said arrives, both sides learn of the end, and nobody waits.
func TestAHalfCloseByTheHostsSideEndsBothDirections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	heard := make(chan error, 1)
	go func() {
		far, err := listener.Accept()
		if err != nil {
			heard <- err
			return
		}
		defer far.Close()
		_, _ = io.WriteString(far, "so long")
		_ = far.(*net.TCPConn).CloseWrite()
		_, err = io.Copy(io.Discard, far)
		heard <- err
	}()
	client, w := connect(t, stub{dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}})
	conn, err := client.Dial(t.Context(), "tcp", "10.0.0.1:6443")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "so long" {
		t.Errorf("%q arrives, %v", got, err)
	}
	if err := <-heard; err != nil {
		t.Errorf("the host's side hears %v", err)
	}
	for err == nil { // the first may not know yet, as with TCP
		_, err = conn.Write([]byte("hello?"))
	}
	_ = conn.Close()
	finish(t, client, w)
}
