package tui

import (
	"testing"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

func TestEachWorkflowIsSaidInEachLanguage(t *testing.T) {
	for _, w := range workflow.All {
		if text.Chinese.Short(w.Name, w.Short) == w.Short {
			t.Errorf("%s is not said in Chinese", w.Name)
		}
		if got := text.English.Short(w.Name, w.Short); got != w.Short {
			t.Errorf("%s: %s", w.Name, got)
		}
	}
}
