package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// proxyVariable makes this test binary a proxyCommand to the address that it holds.
const proxyVariable = "SLIPWAY_TEST_PROXY"

func TestMain(m *testing.M) {
	if address := os.Getenv(proxyVariable); address != "" {
		os.Exit(proxy(address))
	}
	os.Exit(m.Run())
}

func proxy(address string) int {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 1
	}
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(os.Stdout, conn)
	return 0
}

// newServer starts a server in front of a bare machine.
func newServer(t *testing.T) *hosttest.Server {
	t.Helper()
	return hosttest.NewServer(t, hosttest.NewFake("cp-1"))
}

// options reach a server's machine.
func options(server *hosttest.Server) ssh.Options {
	return ssh.Options{
		Name: "cp-1", Host: server.Host, Port: server.Port, User: "ops",
		ConfigFile: "none", IdentityFile: server.IdentityFile, KnownHostsFile: server.KnownHostsFile,
		ConnectTimeout: 10 * time.Second,
		Binary:         newBinary("the agent", 100<<10).get,
		Version:        hosttest.Version,
		Directory:      server.Directory(),
		Life:           agent.Life{Interval: 20 * time.Millisecond, Silence: 10 * time.Second},
	}
}

// testBinary counts how often it is sent.
type testBinary struct {
	ssh.Binary
	opens atomic.Int32
}

func newBinary(mark string, size int) *testBinary {
	content, digest := hosttest.AgentBinary(mark, size)
	b := &testBinary{}
	b.Binary = ssh.Binary{SHA256: digest, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		b.opens.Add(1)
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
	return b
}

func (b *testBinary) get(context.Context, ssh.Platform) (ssh.Binary, error) { return b.Binary, nil }

func connect(t *testing.T, o ssh.Options) hosts.Host {
	t.Helper()
	host, err := ssh.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	return host
}

// used is a connection through which something was done to the host, which is therefore
// not left as bare as it was found.
func used(t *testing.T, o ssh.Options) hosts.Host {
	t.Helper()
	host := connect(t, o)
	if _, err := host.Do(t.Context(), hosts.LoadModule{Name: "overlay"}, nil); err != nil {
		t.Fatal(err)
	}
	return host
}

// refused connects and must fail with an error of this kind, in which all these words
// stand.
func refused(t *testing.T, o ssh.Options, kind hosts.ErrorKind, words ...string) *hosts.Error {
	t.Helper()
	host, err := ssh.Connect(t.Context(), o)
	if err == nil {
		_ = host.Close()
		t.Fatal("the connection was made")
	}
	return wantError(t, err, kind, words...)
}

// wantError holds an error to its kind, its host and words in its text or fix.
func wantError(t *testing.T, err error, kind hosts.ErrorKind, words ...string) *hosts.Error {
	t.Helper()
	var known *hosts.Error
	if !errors.As(err, &known) {
		t.Fatalf("not a *hosts.Error: %v", err)
	}
	if known.Kind != kind || known.Host != "cp-1" {
		t.Errorf("kind %q, host %q, want %q: %v", known.Kind, known.Host, kind, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error()+"\n"+known.Fix, word) {
			t.Errorf("%q is not in: %v\nfix: %s", word, err, known.Fix)
		}
	}
	return known
}

// noLeaks fails the test if more goroutines run at its end than did when it was called.
// Call it after all that has a Cleanup of its own.
func noLeaks(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(10 * time.Second)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines more than before:\n%s", runtime.NumGoroutine()-before, stacks[:runtime.Stack(stacks, true)])
			}
			runtime.Gosched()
		}
	})
}

// leftBare holds a server to be as it was found.
func leftBare(t *testing.T, server *hosttest.Server) {
	t.Helper()
	for _, dir := range []string{server.Home, filepath.Dir(server.Directory())} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("left in %s: %v, %v", dir, entries, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
