package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
)

// FuzzFrameReader: whatever comes, the reader ends, gives only frames that can be
// written again as they were read, and keeps to its bound.
func FuzzFrameReader(f *testing.F) {
	f.Add([]byte(`{"kind":"hello","body":{"protocol":1,"version":"v1"}}` + "\n"))
	f.Add([]byte(`{"kind":"data","id":1,"data":"aGVsbG8="}` + "\n" + `{"kind":"eof","id":1}` + "\n"))
	f.Add([]byte(`{"kind":"do","id":18446744073709551615,"body":{"kind":"forget","args":{}}}` + "\n"))
	f.Add([]byte("{\"kind\":\"ping\"}\n\n{}\n"))
	f.Add(bytes.Repeat([]byte("x"), 5000))
	const most = 4096
	f.Fuzz(func(t *testing.T, input []byte) {
		reader := newFrameReader(bytes.NewReader(input), most)
		for {
			read, err := reader.read()
			if err != nil {
				var breach *protocolError
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &breach) {
					t.Fatalf("an error of no kind: %v", err)
				}
				return
			}
			line, err := encodeFrame(read)
			if err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			if bytes.Count(line, []byte("\n")) != 1 {
				t.Fatalf("a frame of several lines: %q", line)
			}
			again, err := newFrameReader(bytes.NewReader(line), 8*most).read()
			if err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
			read.Body, again.Body = nil, nil // its blanks are not kept
			if len(read.Data) == 0 {
				read.Data = nil // none and empty are one
			}
			if diff := cmp.Diff(read, again); diff != "" {
				t.Fatal(diff)
			}
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

func (nothing) Dial(context.Context, string, string) (net.Conn, error) { return nil, errNothing }

// FuzzServe: whatever an operator says, the agent ends when it stops talking.
func FuzzServe(f *testing.F) {
	const hello = `{"kind":"hello","body":{"protocol":1,"version":"v1"}}` + "\n"
	f.Add([]byte(hello + `{"kind":"observe","id":1,"body":{}}` + "\n" + `{"kind":"cancel","id":1}` + "\n"))
	f.Add([]byte(hello + `{"kind":"put","id":1,"data":"eA==","body":{"ref":"r","sha256":"s","size":1}}` + "\n"))
	f.Add([]byte(hello + `{"kind":"ingest","id":1,"body":{"ref":"r","sha256":"../../etc/shadow","size":1}}` + "\n"))
	f.Add([]byte(hello + `{"kind":"have","id":1,"body":{"refs":["a"]}}` + "\n" + `{"kind":"window","id":1,"n":-1}` + "\n"))
	f.Add([]byte(hello + `{"kind":"dial","id":3,"body":{"network":"tcp","address":"a:1"}}` + "\n" + `{"kind":"eof","id":3}` + "\n"))
	f.Add([]byte(hello + `{"kind":"bye","body":{"error":{"text":"enough"}}}` + "\n"))
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
