//go:build linux

package local_test

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

func TestAHostIsRebootedOutOfOneBootOnly(t *testing.T) {
	m := newMachine(t)
	m.put("/proc/sys/kernel/random/boot_id", "one\n", 0o644)
	host := m.host()
	outcome, err := host.Do(t.Context(), hosts.Reboot{Boot: "one"}, nil)
	if took := m.systemd.took(); err != nil || outcome.Result != hosts.Changed || !slices.Equal(took, []string{"reboot"}) {
		t.Errorf("%v, %v: systemd was asked for %q", outcome, err, took)
	}
	m.put("/proc/sys/kernel/random/boot_id", "two\n", 0o644)
	m.once(host, hosts.Reboot{Boot: "one"}, hosts.Unchanged)
	if took := m.systemd.took(); len(took) > 0 {
		t.Errorf("a host that has booted since was asked for %v", took)
	}
}
