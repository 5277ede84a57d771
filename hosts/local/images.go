//go:build linux

package local

import (
	"context"
	"errors"

	"github.com/slipway-k8s/slipway/hosts"
)

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
