package agent_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// withInbox connects to a Fake whose agent has an inbox.
func withInbox(t *testing.T) (*agent.Client, *hosttest.Fake, string) {
	t.Helper()
	machine, inbox := hosttest.NewFake("cp-1"), t.TempDir()
	w := serve(machine.Host(), agent.ServeOptions{Version: "v1", Inbox: inbox})
	client, err := agent.Connect(t.Context(), w.in, w.out, agent.ConnectOptions{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, machine, inbox
}

var large = bytes.Repeat([]byte("large "), 100<<10)

func TestABlobIsTakenFromTheInbox(t *testing.T) {
	client, machine, inbox := withInbox(t)
	blob := hosttest.Content(large)
	file := filepath.Join(inbox, agent.InboxName(blob.SHA256))
	if err := os.WriteFile(file, large, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := client.Ingest(t.Context(), blob); err != nil {
		t.Fatal(err)
	}
	if stored := machine.Stored(); len(stored) != 1 || stored[0] != blob.Ref {
		t.Errorf("the store has %v", stored)
	}
	if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the inbox still has it: %v", err)
	}
}

func TestABadFileOfTheInboxIsRemoved(t *testing.T) {
	blob := hosttest.Content(large)
	for name, content := range map[string][]byte{
		"other bytes": bytes.Repeat([]byte("LARGE "), 100<<10),
		"too short":   large[:1000],
		"too long":    append(bytes.Clone(large), '!'),
	} {
		t.Run(name, func(t *testing.T) {
			client, machine, inbox := withInbox(t)
			file := filepath.Join(inbox, agent.InboxName(blob.SHA256))
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := client.Ingest(t.Context(), blob); !errors.Is(err, agent.ErrBadContent) {
				t.Errorf("it fails with %v", err)
			}
			if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it stays: %v", err)
			}
			if stored := machine.Stored(); len(stored) != 0 {
				t.Errorf("the store has %v", stored)
			}
		})
	}
}

// TestAFileIsReadAgainOnlyWhereItMayBeBad, and who waits hears of it.
func TestAFileIsReadAgainOnlyWhereItMayBeBad(t *testing.T) {
	blob := hosttest.Content(large)
	for name, test := range map[string]struct {
		err  error
		told bool
	}{
		"a full disk":  {&hosts.Error{Kind: hosts.KindDiskFull, Op: "upload", Err: errors.New("full"), Fix: "free some"}, false},
		"a bad memory": {&hosts.Error{Kind: hosts.KindBroken, Op: "upload", Err: errors.New("it was damaged")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inbox := t.TempDir()
			file := filepath.Join(inbox, agent.InboxName(blob.SHA256))
			if err := os.WriteFile(file, large, 0o600); err != nil {
				t.Fatal(err)
			}
			w := serve(stub{upload: func(func(hosts.Progress)) error { return test.err }}, agent.ServeOptions{Version: "v1", Inbox: inbox})
			heard := &heardReader{in: w.in}
			client, err := agent.Connect(t.Context(), heard, w.out, agent.ConnectOptions{Version: "v1"})
			if err != nil {
				t.Fatal(err)
			}
			err = client.Ingest(t.Context(), blob)
			if err == nil || err.Error() != test.err.Error() {
				t.Errorf("it fails with %v", err)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			if told := bytes.Contains(heard.all, []byte(`{"progress":`)); told != test.told {
				t.Errorf("the file is read again, and told of: %v", told)
			}
		})
	}
}

// heardReader keeps what an agent says.
type heardReader struct {
	in  io.ReadCloser
	all []byte
}

func (r *heardReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.all = append(r.all, p[:n]...)
	return n, err
}

func (r *heardReader) Close() error { return r.in.Close() }

// TestTheInboxLeadsNowhereElse: it belongs to a user that need not be root; the agent is.
func TestTheInboxLeadsNowhereElse(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, large, 0o600); err != nil {
		t.Fatal(err)
	}
	blob := hosttest.Content(large)
	client, machine, inbox := withInbox(t)
	link := filepath.Join(inbox, agent.InboxName(blob.SHA256))
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	if err := client.Ingest(t.Context(), blob); err == nil {
		t.Error("a link was followed")
	}
	for _, digest := range []string{"", "x", "../" + filepath.Base(outside), strings.ToUpper(blob.SHA256), blob.SHA256 + "/../../x"} {
		bad := blob
		bad.SHA256 = digest
		if err := client.Ingest(t.Context(), bad); err == nil {
			t.Errorf("the digest %q names a file", digest)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a file outside of the inbox was touched: %v", err)
	}
	if stored := machine.Stored(); len(stored) != 0 {
		t.Errorf("the store has %v", stored)
	}
}

func TestSecretsOfAnySizeTravelInRequests(t *testing.T) {
	client, machine, inbox := withInbox(t)
	blob := hosttest.Secret(large)
	if err := client.Upload(t.Context(), []hosts.Blob{blob}, nil); err != nil {
		t.Fatal(err)
	}
	action := hosts.WriteFile{Path: "/etc/secret", Mode: 0o600, Content: blob.Ref, Size: blob.Size, Secret: true}
	if _, err := client.Do(t.Context(), action, nil); err != nil {
		t.Fatal(err)
	}
	if content, _, _ := machine.ReadFile("/etc/secret"); !bytes.Equal(content, large) {
		t.Error("the secret did not arrive")
	}
	if entries, err := os.ReadDir(inbox); err != nil || len(entries) != 0 {
		t.Errorf("the inbox has %v, %v", entries, err)
	}
}
