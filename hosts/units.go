package hosts

import (
	"fmt"
	"strings"
)

var _ = register(SetUnit{}, StopUnits{})

// SetUnit brings a systemd unit into a state.
type SetUnit struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	Active  bool   `json:"active"`
	// Inputs is the digest of all that the unit reads: where it differs from the one it
	// was last started with, the unit is restarted, or reloaded if Reload is set.
	Inputs string `json:"inputs,omitempty"`
	Reload bool   `json:"reload,omitempty"`
	// Restart restarts (or reloads) a running unit even where Inputs are those that it was
	// started with: some of them had been changed since, and it may have read them.
	Restart bool `json:"restart,omitempty"`
	// Steady is how many seconds the unit has to stay up by itself after it was started, restarted
	// or reloaded: one that ends before, or that systemd starts again, has failed.
	Steady int `json:"steadySeconds,omitempty"`
}

func (a SetUnit) describe() Description {
	enabled := map[bool]string{true: "enabled", false: "disabled"}[a.Enabled]
	active := map[bool]string{true: "running", false: "stopped"}[a.Active]
	return Description{Kind: "set-unit", Deed: "set unit " + a.Name, Detail: fmt.Sprintf(": %s, %s", enabled, active)}
}

// StopUnits stops units in this order without a pause between them, for units that need each
// other. No name may be there twice.
type StopUnits struct {
	Names []string `json:"names"`
	// Enabled has them start again at the host's next boot; else they are disabled.
	Enabled bool `json:"enabled,omitempty"`
}

func (a StopUnits) describe() Description {
	names := strings.Join(a.Names, ", then ")
	if a.Enabled {
		return Description{Kind: "stop-units", Deed: "stop " + names, Detail: " until the next boot"}
	}
	return Description{Kind: "stop-units", Deed: "stop and disable " + names}
}
