package conformance

import (
	"bytes"
	"errors"
	"io"
	"time"
)

func (t *trial) dials() {
	conn, err := t.host.Dial(t.ctx, "tcp", t.Echo())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := bytes.Repeat([]byte("back and forth "), 1<<17)
	go func() {
		_, _ = conn.Write(sent) // what is lost shows when it is read
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
}

func (t *trial) keepsDeadlines() {
	conn, err := t.host.Dial(t.ctx, "tcp", t.Echo())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, deadline := range []time.Time{time.Unix(1, 0), time.Now().Add(time.Millisecond)} {
		if err := conn.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		_, err := conn.Read(make([]byte, 1))
		var timeout interface{ Timeout() bool }
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("after its deadline a read ends with %v", err)
		}
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("still alive")); err != nil {
		t.Fatalf("a deadline that was lifted: %v", err)
	}
}

func (t *trial) refusesToDial() {
	if conn, err := t.host.Dial(t.ctx, "unix", t.path("no-socket")); err == nil {
		conn.Close()
		t.Fatal("a connection to nothing was made")
	}
}
