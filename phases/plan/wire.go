package plan

import (
	"encoding/json"
	"fmt"

	"github.com/slipway-k8s/slipway/hosts"
)

// bareStep is Step without its methods, so that encoding it does not recurse.
type bareStep Step

type wireStep struct {
	bareStep
	Action  json.RawMessage `json:"action,omitempty"`
	Cluster json.RawMessage `json:"clusterAction,omitempty"`
}

// MarshalJSON writes the step with its action in an envelope that names its kind.
func (s Step) MarshalJSON() ([]byte, error) {
	wire := wireStep{bareStep: bareStep(s)}
	var err error
	if s.Action != nil {
		if wire.Action, err = hosts.EncodeAction(s.Action); err != nil {
			return nil, fmt.Errorf("encode step %s: %w", s.ID, err)
		}
	}
	if s.Cluster != nil {
		if wire.Cluster, err = clusterActions.Encode(Kind(s), s.Cluster); err != nil {
			return nil, fmt.Errorf("encode step %s: %w", s.ID, err)
		}
	}
	return json.Marshal(wire)
}

// Encode writes a plan as canonical JSON: the same plan gives the same bytes.
func Encode(p Plan) ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	return data, nil
}
