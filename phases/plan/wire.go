package plan

import (
	"bytes"
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

// UnmarshalJSON reads what MarshalJSON wrote; unknown kinds and fields are errors.
func (s *Step) UnmarshalJSON(data []byte) error {
	var wire wireStep
	if err := strict(data, &wire); err != nil {
		return fmt.Errorf("decode step: %w", err)
	}
	step := Step(wire.bareStep)
	var err error
	if wire.Action != nil {
		if step.Action, err = hosts.DecodeAction(wire.Action); err != nil {
			return fmt.Errorf("decode step %s: %w", step.ID, err)
		}
	}
	if wire.Cluster != nil {
		if step.Cluster, err = clusterActions.Decode(wire.Cluster); err != nil {
			return fmt.Errorf("decode step %s: %w", step.ID, err)
		}
	}
	*s = step
	return nil
}

// Encode writes a plan as canonical JSON: the same plan gives the same bytes.
func Encode(p Plan) ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	return data, nil
}

// Decode reads what Encode wrote, and refuses what is not valid.
func Decode(data []byte) (Plan, error) {
	var p Plan
	if err := strict(data, &p); err != nil {
		return Plan{}, fmt.Errorf("decode plan: %w", err)
	}
	if err := Validate(p); err != nil {
		return Plan{}, fmt.Errorf("decode plan: %w", err)
	}
	return p, nil
}

func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
