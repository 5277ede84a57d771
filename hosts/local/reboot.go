//go:build linux

package local

import (
	"context"

	"github.com/slipway-k8s/slipway/hosts"
)

// reboot asks for the end of one boot, and of no other.
func (h *Host) reboot(ctx context.Context, a hosts.Reboot) (hosts.Outcome, error) {
	if now := h.line(bootIDFile); now != a.Boot {
		return hosts.Outcome{Result: hosts.Unchanged, Detail: "it has booted since: " + now}, nil
	}
	return h.apply(ctx, change{action: a, detail: "systemd has accepted it", act: h.systemd.Reboot})
}
