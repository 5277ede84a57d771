package hosts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// Action is one thing that a host can be asked to do. The set is closed. An action's type
// stands, with its description, in the file of what it is about (files.go, units.go, …);
// beside that it is what hosts/local does for it, and the fake of hosts/hosttest. One that may take
// longer than two minutes without progress is in patienceFor of hosts/agent too. The repository's
// actions_test.go finds what is missing.
type Action interface {
	describe() Description
}

// Description is what an action says about itself.
type Description struct {
	Kind   string   // its name on the wire, in plans, events and journals
	Deed   string   // what is done to what, for errors and journals
	Detail string   // what a plan adds to the deed
	Refs   []string // the contents that it needs: a Blob's Ref, or a digest of the bundle
}

// Text is what a plan shows of an action.
func (d Description) Text() string { return d.Deed + d.Detail }

// Describe asks an action for its description.
func Describe(action Action) Description { return action.describe() }

// Kinds is a closed set of actions: a zero value for each kind.
type Kinds[A any] map[string]A

type envelope struct {
	Kind string          `json:"kind"`
	Args json.RawMessage `json:"args"`
}

// Encode writes an action of the set as JSON with its kind.
func (k Kinds[A]) Encode(kind string, action A) ([]byte, error) {
	args, err := json.Marshal(action)
	if err != nil {
		return nil, fmt.Errorf("encode action %s: %w", kind, err)
	}
	return json.Marshal(envelope{Kind: kind, Args: args})
}

// Decode reads what Encode wrote; unknown kinds and fields are errors.
func (k Kinds[A]) Decode(data []byte) (action A, err error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return action, fmt.Errorf("decode action: %w", err)
	}
	zero, known := k[e.Kind]
	if !known {
		return action, fmt.Errorf("decode action: no action is called %q", e.Kind)
	}
	value := reflect.New(reflect.TypeOf(zero))
	decoder := json.NewDecoder(bytes.NewReader(e.Args))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value.Interface()); err != nil {
		return action, fmt.Errorf("decode action %s: %w", e.Kind, err)
	}
	return value.Elem().Interface().(A), nil
}

// actions is the closed set, filled by register.
var actions = Kinds[Action]{}

// register adds action types to the closed set: `var _ = register(X{})` stands where X does.
func register(zeros ...Action) Kinds[Action] {
	for _, zero := range zeros {
		actions[zero.describe().Kind] = zero
	}
	return actions
}

// EncodeAction writes an action as JSON with its kind.
func EncodeAction(action Action) ([]byte, error) {
	return actions.Encode(Describe(action).Kind, action)
}

// DecodeAction reads what EncodeAction wrote; unknown kinds and fields are errors.
func DecodeAction(data []byte) (Action, error) { return actions.Decode(data) }
