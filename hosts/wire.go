package hosts

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// actions maps each kind to a decoder; it is the closed set once more, and a test holds
// it against the types of action.go.
var actions = map[string]func(json.RawMessage) (Action, error){
	WriteFile{}.Kind():     decode[WriteFile],
	MakeDirectory{}.Kind(): decode[MakeDirectory],
	MakeSymlink{}.Kind():   decode[MakeSymlink],
	RemovePath{}.Kind():    decode[RemovePath],
	Unpack{}.Kind():        decode[Unpack],
	SetUnit{}.Kind():       decode[SetUnit],
	StopUnits{}.Kind():     decode[StopUnits],
	LoadImage{}.Kind():     decode[LoadImage],
	SetSysctl{}.Kind():     decode[SetSysctl],
	LoadModule{}.Kind():    decode[LoadModule],
	DisableSwap{}.Kind():   decode[DisableSwap],
	SetHostname{}.Kind():   decode[SetHostname],
	AddHostsEntry{}.Kind(): decode[AddHostsEntry],
	TakeLease{}.Kind():     decode[TakeLease],
	ReleaseLease{}.Kind():  decode[ReleaseLease],
	Claim{}.Kind():         decode[Claim],
	StopPods{}.Kind():      decode[StopPods],
	Unmount{}.Kind():       decode[Unmount],
	RemoveNetwork{}.Kind(): decode[RemoveNetwork],
	Restore{}.Kind():       decode[Restore],
	TidyStore{}.Kind():     decode[TidyStore],
	Forget{}.Kind():        decode[Forget],
}

type envelope struct {
	Kind string          `json:"kind"`
	Args json.RawMessage `json:"args"`
}

// EncodeAction writes an action as JSON with its kind.
func EncodeAction(action Action) ([]byte, error) {
	args, err := json.Marshal(action)
	if err != nil {
		return nil, fmt.Errorf("encode action %s: %w", action.Kind(), err)
	}
	return json.Marshal(envelope{Kind: action.Kind(), Args: args})
}

// DecodeAction reads what EncodeAction wrote; unknown kinds and fields are errors.
func DecodeAction(data []byte) (Action, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decode action: %w", err)
	}
	decoder, ok := actions[e.Kind]
	if !ok {
		return nil, fmt.Errorf("decode action: no action is called %q", e.Kind)
	}
	return decoder(e.Args)
}

func decode[A Action](args json.RawMessage) (Action, error) {
	var action A
	decoder := json.NewDecoder(bytes.NewReader(args))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&action); err != nil {
		return nil, fmt.Errorf("decode action %s: %w", action.Kind(), err)
	}
	return action, nil
}
