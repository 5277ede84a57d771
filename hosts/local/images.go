//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// images gives the digests of those images that containerd has, by the names asked for.
func (h *Host) images(ctx context.Context, names []string) (map[string]string, error) {
	full := make([]string, len(names))
	for i, name := range names {
		var err error
		if full[i], err = hosts.ImageName(name); err != nil {
			return nil, err
		}
	}
	there, err := h.containerd.Images(ctx, full)
	if err != nil || there == nil {
		return nil, err
	}
	found := map[string]string{}
	for i, name := range names {
		if digest, ok := there[full[i]]; ok {
			found[name] = digest
		}
	}
	return found, nil
}

// errNoContainerd is the error where containerd does not run.
var errNoContainerd = errors.New("containerd does not run")

// loadImage puts an image into containerd's store, unpacks it and pins it.
func (h *Host) loadImage(ctx context.Context, a hosts.LoadImage, report func(hosts.Progress)) (hosts.Outcome, error) {
	h.loading.Lock()
	defer h.loading.Unlock()
	h.store.using.RLock()
	defer h.store.using.RUnlock()
	have, err := h.images(ctx, []string{a.Reference})
	if err != nil {
		return hosts.Outcome{}, err
	}
	if have[a.Reference] == a.Manifest.Digest {
		return h.keepImage(ctx, a)
	}
	detail := "new"
	if was := have[a.Reference]; was != "" {
		detail = "was " + was
	}
	named := a
	if named.Reference, err = hosts.ImageName(a.Reference); err != nil {
		return hosts.Outcome{}, err
	}
	done := hosts.Progress{Total: a.Manifest.Size, Note: a.Reference}
	for _, blob := range a.Blobs {
		done.Total += blob.Size
	}
	return h.apply(ctx, change{
		action: a,
		detail: detail,
		note:   func(r *hosts.Record) { r.Loaded(a) },
		act: func(ctx context.Context) error {
			told := &loading{name: a.Reference, done: done, report: report}
			ctx = tellingUnpacked(tellingApplied(ctx, told.applied), told.wrote)
			return h.containerd.Load(ctx, named, h.store.open, told.counted)
		},
	})
}

// keepImage notes that an image which came from a bundle is the user's own too.
func (h *Host) keepImage(ctx context.Context, a hosts.LoadImage) (hosts.Outcome, error) {
	record, err := h.record.read()
	if err != nil || a.Bundled || !record.IsBundled(a.Reference, a.Manifest.Digest) {
		return unchanged, err
	}
	return h.apply(ctx, change{
		action: a,
		detail: "stays when the bundle no longer has it",
		note:   func(r *hosts.Record) { r.Loaded(a) },
		act:    func(context.Context) error { return nil },
	})
}

// nameImage gives an image the name that another one has. In between the host has both by their digests'
// names, so that it can go on where it was cut.
func (h *Host) nameImage(ctx context.Context, a hosts.NameImage) (hosts.Outcome, error) {
	h.loading.Lock()
	defer h.loading.Unlock()
	full, err := hosts.ImageName(a.Name)
	if err != nil {
		return hosts.Outcome{}, err
	}
	beside, err := hosts.DigestName(a.Name, a.Digest)
	if err != nil {
		return hosts.Outcome{}, err
	}
	record, err := h.record.read()
	if err != nil {
		return hosts.Outcome{}, err
	}
	have, err := h.images(ctx, []string{full, beside})
	if err == nil && have == nil {
		err = errNoContainerd
	}
	if err != nil {
		return hosts.Outcome{}, err
	}
	named := have[full] == a.Digest
	switch {
	case named && have[beside] == "" && record.IsBundled(a.Name, a.Digest):
		return unchanged, nil
	case !named && have[beside] != a.Digest:
		return hosts.Outcome{}, fmt.Errorf("it is not on the host by its digest (%s)", beside)
	}
	var keeps hosts.LoadImage // what has the name
	if was := have[full]; was != "" && !named {
		if keeps.Reference, err = hosts.DigestName(a.Name, was); err != nil {
			return hosts.Outcome{}, err
		}
		keeps.Manifest.Digest = was
		keeps.Bundled = record.IsBundled(a.Name, was) || record.IsBundled(keeps.Reference, was)
	}
	return h.apply(ctx, change{
		action: a,
		detail: "was " + have[full],
		note: func(r *hosts.Record) {
			if keeps.Reference != "" {
				r.Loaded(keeps)
			}
			r.Loaded(hosts.LoadImage{Reference: a.Name, Manifest: hosts.ImageBlob{Digest: a.Digest}, Bundled: true})
		},
		act: func(ctx context.Context) error {
			if keeps.Reference != "" {
				if err := h.containerd.Name(ctx, full, keeps.Reference); err != nil {
					return err
				}
			}
			if !named {
				if err := h.containerd.Name(ctx, beside, full); err != nil {
					return err
				}
			}
			return h.containerd.Unload(ctx, beside, a.Digest)
		},
		settle: func(r *hosts.Record) { r.ForgetImage(beside) },
	})
}

// unloadImage removes an image that came from a bundle, or lets the kubelet remove it.
func (h *Host) unloadImage(ctx context.Context, a hosts.UnloadImage) (hosts.Outcome, error) {
	h.loading.Lock()
	defer h.loading.Unlock()
	full, err := hosts.ImageName(a.Name)
	if err != nil {
		return hosts.Outcome{}, err
	}
	record, err := h.record.read()
	if err != nil || record == nil || a.Digest == "" || record.Bundled[a.Name] != a.Digest {
		return unchanged, err
	}
	have, err := h.images(ctx, []string{a.Name})
	if err != nil || have[a.Name] != a.Digest {
		return unchanged, err
	}
	used, err := h.containerd.ImageInUse(ctx, full)
	if err != nil {
		return hosts.Outcome{}, err
	}
	used = used && !record.HasOther(a.Name, a.Digest)
	detail, act := "removed", func(ctx context.Context) error { return h.containerd.Unload(ctx, full, a.Digest) }
	if used {
		detail, act = hosts.Unpinned, func(ctx context.Context) error { return h.containerd.Unpin(ctx, full) }
	}
	return h.apply(ctx, change{action: a, detail: detail, act: act, settle: func(r *hosts.Record) { r.ForgetImage(a.Name) }})
}

// loading is how far an image is that is loaded.
type loading struct {
	name   string
	report func(hosts.Progress)

	mu     sync.Mutex
	done   hosts.Progress
	layers int
}

// counted notes that bytes came into containerd's store, applied that a layer was unpacked,
// and wrote how much was written to unpack layers so far.
func (l *loading) counted(bytes int64) {
	l.tell(func() { l.done.Done += bytes })
}

func (l *loading) applied() {
	l.tell(func() {
		l.layers++
		l.done.Note = fmt.Sprintf("%s: %d layers unpacked", l.name, l.layers)
	})
}

func (l *loading) wrote(bytes int64) {
	l.tell(func() {
		l.done.Note = fmt.Sprintf("%s: %d layers unpacked, %d MiB written", l.name, l.layers, bytes>>20)
	})
}

func (l *loading) tell(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	l.report(l.done)
}
