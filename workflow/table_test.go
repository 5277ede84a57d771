package workflow

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/phases/checks"
)

// TestEveryWorkflowIsChecked: one whose name no check has would be carried out unchecked.
func TestEveryWorkflowIsChecked(t *testing.T) {
	for _, w := range All {
		if !slices.ContainsFunc(checks.Table, func(check checks.Check) bool { return slices.Contains(check.In, w.inChecks()) }) {
			t.Errorf("%s: no check is for %q", w.Name, w.inChecks())
		}
	}
}
