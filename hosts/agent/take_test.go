package agent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// withParts connects to a Fake whose agent puts blobs together by itself.
func withParts(t *testing.T) (*agent.Client, *hosttest.Fake, string) {
	t.Helper()
	machine, parts := hosttest.NewFake("cp-1"), filepath.Join(t.TempDir(), "parts")
	w := serve(machine.Host(), agent.ServeOptions{Version: "v1", Parts: parts})
	client, err := agent.Connect(t.Context(), w.in, w.out, agent.ConnectOptions{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, machine, parts
}

// TestABlobOfAnySizeIsTaken, from wherever an earlier try has come to.
func TestABlobOfAnySizeIsTaken(t *testing.T) {
	blob := hosttest.Content(large)
	for name, had := range map[string][]byte{"nothing": nil, "a part": large[:12345], "all": large, "too much": append(bytes.Clone(large), "more"...)} {
		t.Run(name, func(t *testing.T) {
			client, machine, parts := withParts(t)
			file := filepath.Join(parts, agent.InboxName(blob.SHA256))
			if had != nil {
				must(t, os.Mkdir(parts, 0o700))
				must(t, os.WriteFile(file, had, 0o600))
			}
			want := int64(len(had))
			if want > blob.Size {
				want = 0
			}
			offset, err := client.Partial(t.Context(), blob)
			if err != nil || offset != want {
				t.Fatalf("%d bytes are there, %v, and not %d", offset, err, want)
			}
			must(t, client.Take(t.Context(), blob, offset, bytes.NewReader(large[offset:])))
			if stored := machine.Stored(); !slices.Equal(stored, []string{blob.Ref}) {
				t.Errorf("the store has %v", stored)
			}
			if left, err := os.ReadDir(parts); err != nil || len(left) != 0 {
				t.Errorf("there is left: %v, %v", left, err)
			}
			if info, err := os.Stat(parts); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("others may look into it: %v, %v", info.Mode(), err)
			}
		})
	}
}

// TestABadPartIsTakenAnew: what an earlier try has left there may be anything.
func TestABadPartIsTakenAnew(t *testing.T) {
	client, _, parts := withParts(t)
	blob := hosttest.Content(large)
	must(t, os.Mkdir(parts, 0o700))
	must(t, os.WriteFile(filepath.Join(parts, agent.InboxName(blob.SHA256)), make([]byte, 1000), 0o600))
	if err := client.Take(t.Context(), blob, 1000, bytes.NewReader(large[1000:])); !errors.Is(err, agent.ErrBadContent) {
		t.Fatalf("it ends with %v", err)
	}
	if offset, err := client.Partial(t.Context(), blob); err != nil || offset != 0 {
		t.Errorf("%d bytes are there, %v", offset, err)
	}
	must(t, client.Take(t.Context(), blob, 0, bytes.NewReader(large)))
}

// TestAnInterruptedTakeGoesOn, and so does the session: content that cannot be read, or is too short, and
// a call that is cancelled end the call alone.
func TestAnInterruptedTakeGoesOn(t *testing.T) {
	blob := hosttest.Content(large)
	for name, test := range map[string]struct {
		content func(cancel func()) io.Reader
		says    string
	}{
		"it cannot be read": {func(func()) io.Reader {
			return io.MultiReader(bytes.NewReader(large[:300<<10]), iotest.ErrReader(errors.New("the disk is gone")))
		}, "the disk is gone"},
		"it is cancelled": {func(cancel func()) io.Reader {
			return io.MultiReader(bytes.NewReader(large[:300<<10]), whenRead(cancel), bytes.NewReader(large[300<<10:]))
		}, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			client, machine, parts := withParts(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if err := client.Take(ctx, blob, 0, test.content(cancel)); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("it ends with %v", err)
			}
			offset, err := client.Partial(t.Context(), blob)
			if err != nil {
				t.Fatal(err)
			}
			must(t, client.Take(t.Context(), blob, offset, bytes.NewReader(large[offset:])))
			if stored := machine.Stored(); len(stored) != 1 {
				t.Errorf("the store has %v", stored)
			}
			if _, err := os.Stat(parts); err != nil {
				t.Error(err)
			}
		})
	}
}

// whenRead calls a function when it is read from, and ends.
type whenRead func()

func (w whenRead) Read([]byte) (int, error) {
	w()
	return 0, io.EOF
}

// TestNoSecretIsTaken: a secret is never written to a file of its own.
func TestNoSecretIsTaken(t *testing.T) {
	client, _, parts := withParts(t)
	blob := hosttest.Content(large)
	blob.Secret = true
	if err := client.Take(t.Context(), blob, 0, bytes.NewReader(large)); err == nil || !strings.Contains(err.Error(), "secret: true") {
		t.Errorf("it ends with %v", err)
	}
	if _, err := os.Stat(parts); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

// TestLeaving: what the agent was put on the host with goes, and nothing that others have put there.
func TestLeaving(t *testing.T) {
	client, _, _ := withParts(t)
	dir := filepath.Join(t.TempDir(), "slipway")
	own, others := filepath.Join(dir, "agent", "abc"), filepath.Join(dir, "other")
	must(t, os.MkdirAll(own, 0o700))
	must(t, os.WriteFile(filepath.Join(own, "slipway-agent"), nil, 0o700))
	must(t, os.WriteFile(others, nil, 0o600))
	must(t, client.Leave(t.Context(), []string{filepath.Join(own, "slipway-agent")}, []string{own, filepath.Dir(own), dir}))
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "other" {
		t.Errorf("there is left: %v, %v", left, err)
	}
	must(t, os.Remove(others))
	must(t, client.Leave(t.Context(), []string{own}, []string{dir}))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it stays: %v", err)
	}
	for _, path := range []string{"/", "agent", "/var/../etc", "/var/lib/"} {
		if err := client.Leave(t.Context(), []string{path}, nil); err == nil {
			t.Errorf("%s is taken for the agent's", path)
		}
	}
	if _, err := client.Observe(t.Context(), hosts.Query{}); err != nil {
		t.Errorf("the agent does not go on: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
