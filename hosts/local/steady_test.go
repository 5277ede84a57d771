//go:build linux

package local_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// TestAUnitThatDoesNotStayUpHasFailed: also where it is up again at each look. What it was started
// with is not noted then, so that the next run starts it anew.
func TestAUnitThatDoesNotStayUpHasFailed(t *testing.T) {
	for name, test := range map[string]struct {
		later func(*local.UnitState) // 2.9 s after the start
		want  string
	}{
		"it stays up":         {func(*local.UnitState) {}, ""},
		"it is reloaded":      {func(s *local.UnitState) { s.Active = "reloading" }, ""},
		"it ends":             {func(s *local.UnitState) { s.Active = "failed" }, "did not stay up: 3s after it was started it is failed"},
		"it is started again": {func(s *local.UnitState) { s.Restarts++ }, "did not stay up: 3s after it was started it has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t)
				host := m.host()
				m.systemd.units["x.service"] = unit("loaded", "inactive", "enabled", "")
				m.systemd.journal = []string{"out of memory"}
				m.systemd.begun = func() {
					time.AfterFunc(2900*time.Millisecond, func() {
						m.systemd.mu.Lock()
						defer m.systemd.mu.Unlock()
						state := m.systemd.units["x.service"]
						test.later(&state)
						m.systemd.units["x.service"] = state
					})
				}
				action := hosts.SetUnit{Name: "x.service", Enabled: true, Active: true, Inputs: "sha256:new", Steady: 5}
				began := time.Now()
				if test.want == "" {
					m.once(host, action, hosts.Changed)
					if took := time.Since(began); took != 5*time.Second {
						t.Errorf("it was looked at for %s", took)
					}
					return
				}
				if err := m.fails(host, action); !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "out of memory") {
					t.Errorf("%v", err)
				}
				facts := m.observe(host, hosts.Query{Units: []string{"x.service"}})
				if got := facts.Units["x.service"].Inputs; got != "" {
					t.Errorf("it counts as started with %q", got)
				}
			})
		})
	}
}
