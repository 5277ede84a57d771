//go:build linux

package local_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// TestARecordThatIsNotUnderstood is an error of every look and change that says what to do.
func TestARecordThatIsNotUnderstood(t *testing.T) {
	for name, test := range map[string]struct{ path, record, fix string }{
		"a newer Slipway's": {"", `{"version": 99}`, "the Slipway that wrote it, or a newer one"},
		"cut off":           {"", `{"version": 1, "clu`, "/var/lib/slipway/record.json from a backup"},
		"empty":             {"", ``, "/var/lib/slipway/record.json from a backup"},
		"not read":          {"/a-folder", ``, "see that the host's disk works"},
	} {
		m := newMachine(t)
		m.write("/var/lib/slipway/record.json"+test.path, test.record)
		host := m.host()
		_, looked := host.Observe(t.Context(), hosts.Query{})
		_, done := host.Do(t.Context(), hosts.Claim{Cluster: hosts.Identity{ID: "0123", Name: "demo"}}, nil)
		for _, err := range []error{looked, done} {
			known, ok := errors.AsType[*hosts.Error](err)
			if !ok || !strings.Contains(known.Fix, test.fix) || !strings.Contains(err.Error(), "/var/lib/slipway/record.json") {
				t.Errorf("%s: %v, to do: %+v", name, err, known)
			}
		}
	}
}
