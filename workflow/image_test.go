package workflow

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// stuck is a host that does not answer before it is let go, whatever the caller wants.
type stuck struct {
	hosts.Host
	letGo chan struct{}
}

func (s stuck) Do(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
	<-s.letGo
	return hosts.Outcome{}, context.Canceled
}

func (s stuck) Close() error { return nil }

// TestAnInterruptedImageLoadLeavesNothing behind on the operator's disk, also where a host
// keeps the command from its end until an interrupt waits no longer.
func TestAnInterruptedImageLoadLeavesNothing(t *testing.T) {
	temporary, archive := t.TempDir(), filepath.Join(t.TempDir(), "app.tar")
	if err := tarball.WriteToFile(archive, name.MustParseReference("app:1"), empty.Image); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temporary)
	left := func() int {
		entries, err := os.ReadDir(temporary)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	synctest.Test(t, func(t *testing.T) {
		s := threeControlPlanes(t, 0)
		host := stuck{letGo: make(chan struct{})}
		s.dial = func(context.Context, cluster.Host, func(string)) (hosts.Host, error) { return host, nil }
		ctx, interrupt := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- s.Run(ctx, &Run{Workflow: ImageLoad, Request: Request{Archives: []string{archive}, Yes: true}})
		}()
		synctest.Wait()
		if left() == 0 {
			t.Error("nothing was unpacked")
		}
		interrupt()
		synctest.Wait()
		if n := left(); n > 0 {
			t.Errorf("%d folders are left while a host does not answer", n)
		}
		close(host.letGo)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
	})
}
