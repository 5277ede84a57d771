//go:build linux

package local

import (
	"context"

	"github.com/slipway-k8s/slipway/hosts"
)

// ErrNoSystemd is what a host without systemd answers.
var ErrNoSystemd = errNoSystemd

// Acting is how many actions are in hand.
func (h *Host) Acting() int { return int(h.acting.Load()) }

// WaitForDigests waits until nobody saves digests.
func (h *Host) WaitForDigests() {
	h.digests.saving.Lock()
	defer h.digests.saving.Unlock()
}

// ObserveResolver looks at the resolvers of a host on which systemd-resolved runs, or not.
func (h *Host) ObserveResolver(resolved bool) hosts.Facts {
	var facts hosts.Facts
	h.observeResolver(&facts, resolved)
	return facts
}

// LookUp looks up names by a name service alone.
func LookUp(ctx context.Context, by Resolver, names ...string) (found map[string][]string, unanswered map[string]string) {
	found = map[string][]string{}
	unanswered, _ = (&Host{resolver: by}).lookUp(ctx, names, found)
	return found, unanswered
}

// Reach says why an address is not reached, where its name is looked up by a name service.
func Reach(ctx context.Context, by Resolver, address string) string {
	return (&Host{resolver: by}).whyUnreachable(ctx, address)
}
