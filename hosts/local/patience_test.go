//go:build linux

package local

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestContainerdThatIsStoppedIsNamed: its socket takes connections, and nobody answers.
func TestContainerdThatIsStoppedIsNamed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "c.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := newDaemon(socket)
	defer d.Close()
	calls := map[string]func(context.Context) error{
		"containers": func(ctx context.Context) error { _, err := d.Containers(ctx); return err },
		"images": func(ctx context.Context) error {
			_, err := d.Images(ctx, []string{"registry.k8s.io/pause:3.10"})
			return err
		},
		"Pods": func(ctx context.Context) error { _, err := d.Pods(ctx); return err },
	}
	for name, call := range calls {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := call(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "containerd does not answer: no answer to ") {
			t.Errorf("%s: %v", name, err)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: it is not known as a call whose time was over: %v", name, err)
		}
	}
}
