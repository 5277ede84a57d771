package plan

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/slipway-k8s/slipway/hosts"
)

// clusterActions maps each kind to a decoder; it is the closed set once more, and a test
// holds it against the types of cluster.go.
var clusterActions = map[string]func(json.RawMessage) (ClusterAction, error){
	Apply{}.Kind():         decode[Apply],
	Delete{}.Kind():        decode[Delete],
	MarkNode{}.Kind():      decode[MarkNode],
	Cordon{}.Kind():        decode[Cordon],
	Uncordon{}.Kind():      decode[Uncordon],
	Drain{}.Kind():         decode[Drain],
	WaitAPI{}.Kind():       decode[WaitAPI],
	WaitNode{}.Kind():      decode[WaitNode],
	WaitPods{}.Kind():      decode[WaitPods],
	WaitAvailable{}.Kind(): decode[WaitAvailable],
	WaitTurn{}.Kind():      decode[WaitTurn],
	WaitEndpoint{}.Kind():  decode[WaitEndpoint],
	MemberAdd{}.Kind():     decode[MemberAdd],
	MemberPromote{}.Kind(): decode[MemberPromote],
	MemberRemove{}.Kind():  decode[MemberRemove],
	MoveLeader{}.Kind():    decode[MoveLeader],
	QuorumHolds{}.Kind():   decode[QuorumHolds],
	DeletePods{}.Kind():    decode[DeletePods],
}

type envelope struct {
	Kind string          `json:"kind"`
	Args json.RawMessage `json:"args"`
}

// EncodeClusterAction writes a cluster action as JSON with its kind.
func EncodeClusterAction(action ClusterAction) ([]byte, error) {
	args, err := json.Marshal(action)
	if err != nil {
		return nil, fmt.Errorf("encode cluster action %s: %w", action.Kind(), err)
	}
	return json.Marshal(envelope{Kind: action.Kind(), Args: args})
}

// DecodeClusterAction reads what EncodeClusterAction wrote; unknown kinds and fields are errors.
func DecodeClusterAction(data []byte) (ClusterAction, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decode cluster action: %w", err)
	}
	decoder, ok := clusterActions[e.Kind]
	if !ok {
		return nil, fmt.Errorf("decode cluster action: no cluster action is called %q", e.Kind)
	}
	return decoder(e.Args)
}

func decode[A ClusterAction](args json.RawMessage) (ClusterAction, error) {
	var action A
	if err := strict(args, &action); err != nil {
		return nil, fmt.Errorf("decode cluster action %s: %w", action.Kind(), err)
	}
	return action, nil
}

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
		if wire.Cluster, err = EncodeClusterAction(s.Cluster); err != nil {
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
		if step.Cluster, err = DecodeClusterAction(wire.Cluster); err != nil {
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
