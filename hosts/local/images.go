package local

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/slipway-k8s/slipway/hosts"
)

// Containerd is what a Host asks of containerd, always in the k8s.io namespace.
type Containerd interface {
	// Images gives, for those references that are complete, unpacked and pinned, the
	// digest of the manifest. A containerd that does not run has none.
	Images(ctx context.Context, references []string) (map[string]string, error)
	// Load puts an image into the store, out of blobs that open gives by digest.
	Load(ctx context.Context, image hosts.LoadImage, open func(string) (io.ReadCloser, error), counted func(int64)) error
	// Pods names every sandbox and container that there is.
	Pods(ctx context.Context) ([]string, error)
	// StopPods stops and removes all of them.
	StopPods(ctx context.Context, note func(string)) error
	// Containers lists the containers, without sandboxes, with how they are.
	Containers(ctx context.Context) ([]Container, error)
	Close() error
}

// errNoContainerd is what there is to say where containerd does not run.
var errNoContainerd = errors.New("containerd does not run")

// loadImage puts an image into containerd's store, unpacks it and pins it.
func (h *Host) loadImage(ctx context.Context, a hosts.LoadImage, report func(hosts.Progress)) (hosts.Outcome, error) {
	h.loading.Lock()
	defer h.loading.Unlock()
	h.store.using.RLock()
	defer h.store.using.RUnlock()
	have, err := h.containerd.Images(ctx, []string{a.Reference})
	if err != nil {
		return hosts.Outcome{}, err
	}
	if have[a.Reference] == a.Manifest.Digest {
		return unchanged, nil
	}
	detail := "new"
	if was := have[a.Reference]; was != "" {
		detail = "was " + was
	}
	done := hosts.Progress{Total: a.Manifest.Size, Note: a.Reference}
	for _, blob := range a.Blobs {
		done.Total += blob.Size
	}
	return h.apply(ctx, change{
		action: a,
		detail: detail,
		note:   func(r *hosts.Record) { r.Images = addOnce(r.Images, a.Reference) },
		act: func(ctx context.Context) error {
			return h.containerd.Load(ctx, a, h.store.open, func(n int64) { done.Done += n; report(done) })
		},
	})
}

// stopPods stops and removes every Pod, container and task.
func (h *Host) stopPods(ctx context.Context, a hosts.StopPods, report func(hosts.Progress)) (hosts.Outcome, error) {
	there, err := h.containerd.Pods(ctx)
	if errors.Is(err, errNoContainerd) {
		return h.killOrphans(ctx, a)
	}
	if err != nil {
		return hosts.Outcome{}, err
	}
	if len(there) == 0 {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: fmt.Sprintf("%d sandboxes and containers", len(there)),
		act: func(ctx context.Context) error {
			return h.containerd.StopPods(ctx, func(note string) { report(hosts.Progress{Note: note}) })
		},
	})
}
