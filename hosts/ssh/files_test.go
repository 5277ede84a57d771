package ssh

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// TestSFTPThatNeverBegins ends its own session and not the connection, which has an agent: a start file
// may run another shell, which waits for input.
func TestSFTPThatNeverBegins(t *testing.T) {
	server := hosttest.NewServer(t, hosttest.NewFake("cp-1"))
	var begun atomic.Int32
	server.SetHooks(hosttest.Hooks{Files: func(channel ssh.Channel) {
		begun.Add(1)
		_, _ = io.Copy(io.Discard, channel)
	}})
	c, err := connect(t.Context(), Options{
		Host: server.Host, Port: server.Port, IdentityFile: server.IdentityFile, KnownHostsFile: server.KnownHostsFile,
	}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := &files{connection: c, patience: 50 * time.Millisecond}
	for range 2 {
		if _, err := f.open(t.Context()); err == nil || errors.Is(err, context.Canceled) {
			t.Fatalf("it ends with %v", err)
		}
	}
	if n := begun.Load(); n != 1 {
		t.Errorf("it was tried %d times", n)
	}
	if _, err := c.run(t.Context(), "true"); err != nil {
		t.Errorf("the connection is gone, too: %v", err)
	}
}
