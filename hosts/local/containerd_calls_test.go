//go:build linux

package local

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
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

// TestUnpackingTakesWhatTheDiskNeeds, and each layer that is done is told.
func TestUnpackingTakesWhatTheDiskNeeds(t *testing.T) {
	for method, test := range map[string]struct {
		bounded bool
		told    int
	}{
		"/containerd.services.diff.v1.Diff/Apply":             {false, 1},
		"/containerd.services.snapshots.v1.Snapshots/Prepare": {false, 0},
		"/containerd.services.snapshots.v1.Snapshots/Commit":  {false, 0},
		"/containerd.services.snapshots.v1.Snapshots/Stat":    {true, 0},
		"/containerd.services.images.v1.Images/Delete":        {false, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			told := 0
			ctx := tellingApplied(t.Context(), func() { told++ })
			busy := func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				select {
				case <-ctx.Done():
					return status.FromContextError(ctx.Err()).Err()
				case <-time.After(5 * time.Minute): // of the bubble's clock
					return nil
				}
			}
			err := callContainerd(ctx, method, nil, nil, nil, busy)
			if (err != nil) != test.bounded || told != test.told {
				t.Errorf("%s: %v; %d layers were told", method, err, told)
			}
		})
	}
}

// TestALayerThatIsWrittenMoves: containerd tells nothing of it, and its writes do, but not
// the few that it makes whatever it is at.
func TestALayerThatIsWrittenMoves(t *testing.T) {
	for name, test := range map[string]struct {
		inASecond int64
		told      bool
	}{
		"a slow disk":    {1 << 20, true},
		"a sync":         {0, false},
		"its own writes": {64 << 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, told := time.Now(), []int64(nil)
				ctx := tellingUnpacked(t.Context(), func(bytes int64) { told = append(told, bytes) })
				stop := whileUnpacking(ctx, func() (int64, error) {
					return 1<<40 + int64(time.Since(began)/time.Second)*test.inASecond, nil
				})
				time.Sleep(10*time.Minute + time.Second) // of the bubble's clock
				stop()
				if len(told) > 0 != test.told || test.told && (len(told) != 60 || told[59] != 600<<20) {
					t.Errorf("told is %v", told)
				}
			})
		})
	}
}

// TestWhatAProcessWritesIsKnown by its socket.
func TestWhatAProcessWritesIsKnown(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "c.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := newDaemon(socket)
	if err := os.WriteFile(filepath.Join(t.TempDir(), "layer"), make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	least, err := writtenBy(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	have, err := d.written()
	if most, mostErr := writtenBy(os.Getpid()); err != nil || mostErr != nil || have < least || have > most {
		t.Errorf("it has written %d bytes, of %d to %d: %v", have, least, most, errors.Join(err, mostErr))
	}
}
