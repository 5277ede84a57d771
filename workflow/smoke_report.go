package workflow

import (
	"fmt"

	"github.com/slipway-k8s/slipway/phases/engine/api"
)

// SmokeReport is what a smoke found.
type SmokeReport struct {
	Promises []api.SmokeResult `json:"promises"`
	LeftOut  []string          `json:"leftOut,omitempty"` // nodes that were not asked, and why
	Seconds  float64           `json:"seconds"`
}

func (r SmokeReport) String() string {
	count := map[api.SmokeOutcome]int{}
	for _, one := range r.Promises {
		count[one.Outcome]++
	}
	return fmt.Sprintf("%d of %d promises kept, %d broken, %d not asked, in %.1f s", count[api.SmokeKept], len(r.Promises), count[api.SmokeBroken], count[api.SmokeNotAsked], r.Seconds)
}
