package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// FuzzAnswer: whatever comes, the reader ends, says one thing, and keeps to its bound.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"progress":{"done":1,"total":2,"note":"x"}}` + "\n" + `{"done":{"hostname":"cp-1"}}` + "\nbytes"))
	f.Add([]byte(`{"failed":{"text":"x","cause":{"mark":"canceled"}}}` + "\n"))
	f.Add([]byte("{}\n\n"))
	f.Add(bytes.Repeat([]byte("x"), 5000))
	const most = 4096
	f.Fuzz(func(t *testing.T, input []byte) {
		in := newLineReader(bytes.NewReader(input), most, &share{})
		a, err := readAnswer(in, make(chan hosts.Progress, 1))
		known := new(protocolError)
		switch {
		case err == nil && (a.err != nil) == (a.body != nil):
			t.Fatalf("an answer that says %s and %v", a.body, a.err)
		case err == nil, errors.As(err, &known), errors.Is(err, io.ErrUnexpectedEOF):
		default:
			t.Fatalf("an error of no kind: %v", err)
		}
	})
}

// nothing is a host on which every call fails.
type nothing struct{ hosts.Host }

var errNothing = errors.New("there is nothing here")

func (nothing) Observe(context.Context, hosts.Query) (hosts.Facts, error) {
	return hosts.Facts{}, errNothing
}

func (nothing) Do(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
	return hosts.Outcome{}, errNothing
}

func (nothing) Upload(context.Context, []hosts.Blob, func(hosts.Progress)) error { return errNothing }

func (nothing) Journal(context.Context, string, int, bool) (io.ReadCloser, error) {
	return nil, errNothing
}

func (nothing) Dial(context.Context, string, string) (net.Conn, error) { return nil, errNothing }

// recorded is all that an operator says who makes every call there is.
func recorded(f *testing.F) []byte {
	agentIn, out := io.Pipe()
	in, agentOut := io.Pipe()
	var said bytes.Buffer
	served := make(chan error, 1)
	go func() {
		served <- Serve(context.Background(), nothing{}, io.TeeReader(agentIn, &said), agentOut, ServeOptions{Version: "v1"})
		_ = agentOut.Close()
	}()
	client, err := Connect(f.Context(), in, out, ConnectOptions{Version: "v1"})
	if err != nil {
		f.Fatal(err)
	}
	blob := hosts.Blob{Ref: "r", SHA256: "../../etc/shadow", Size: 1, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte("x"))), nil
	}}
	_, _ = client.Observe(f.Context(), hosts.Query{})
	_, _ = client.Do(f.Context(), hosts.LoadModule{Name: "overlay"}, nil)
	_, _ = client.Dial(f.Context(), "tcp", "a:1")
	_, _ = client.Journal(f.Context(), "a.service", 1, true)
	_ = client.Upload(f.Context(), []hosts.Blob{blob}, nil)
	_ = client.Ingest(f.Context(), blob)
	_ = client.Close()
	<-served
	return said.Bytes()
}

// FuzzServe: whatever an operator says, the agent ends when it stops talking.
func FuzzServe(f *testing.F) {
	f.Add(recorded(f))
	f.Add([]byte(`{"protocol":2,"version":"v1"}` + "\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	f.Add([]byte("{\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		_ = Serve(context.Background(), nothing{}, bytes.NewReader(input), io.Discard, ServeOptions{Version: "v1", Inbox: t.TempDir()})
	})
}

func FuzzWireError(f *testing.F) {
	f.Add([]byte(`{"text":"x","cause":{"host":{"kind":"lease-held","op":"y"},"cause":{"lease":{"holder":"z"}}}}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		var w wireError
		if strict(input, &w) != nil {
			return
		}
		err := decodeError(&w)
		if err == nil {
			t.Fatal("an error became none")
		}
		again := decodeError(encodeError(err))
		if again.Error() != err.Error() {
			t.Fatalf("%q became %q", err, again)
		}
	})
}
