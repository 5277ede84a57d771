//go:build linux

package local

import (
	"context"
	"fmt"
	"time"
)

// steadyLooks is how often a unit is looked at that has to stay up.
const steadyLooks = 250 * time.Millisecond

// staysUp looks at a unit for as long as it has to stay up. One that ends is perhaps up again at
// the next look: systemd counts how often it has started it by itself.
func (h *Host) staysUp(ctx context.Context, name string, length time.Duration) error {
	if length <= 0 {
		return nil
	}
	first, err := h.systemd.Unit(ctx, name)
	if err != nil {
		return err
	}
	began := time.Now()
	for state := first; ; {
		switch {
		case state.Active != "active" && state.Active != "reloading":
			return fmt.Errorf("%s did not stay up: %s after it was started it is %s", name, time.Since(began).Round(time.Second/10), state.Active)
		case state.Restarts != first.Restarts:
			return fmt.Errorf("%s did not stay up: %s after it was started it has ended, and systemd has started it again", name, time.Since(began).Round(time.Second/10))
		case time.Since(began) >= length:
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(steadyLooks):
		}
		if state, err = h.systemd.Unit(ctx, name); err != nil {
			return err
		}
	}
}
