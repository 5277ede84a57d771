package phases

import (
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestOnlyAConfigurationIsReloaded: whatever else of a unit's inputs changes needs a
// restart, and so does a change of both.
func TestOnlyAConfigurationIsReloaded(t *testing.T) {
	const program, config = "/usr/sbin/thing", "/etc/thing.conf"
	unit := manifests.Unit{
		Phase: plan.PhaseLoadBalancer, Name: "thing.service", Enabled: true, Active: true,
		Inputs: []string{program}, Reloads: []string{config},
	}
	draft := func(content string, have map[string]string, inputs string) *hostDraft {
		d := newDraft(Input{})
		h := d.forHost(cluster.Host{Name: "a"}, manifests.HostState{Units: []manifests.Unit{unit}})
		h.state.Files = []manifests.File{{Path: config, Mode: 0o644, Content: []byte(content), Compare: manifests.Exact}}
		h.facts.Files = map[string]hosts.File{}
		for path, digest := range have {
			h.facts.Files[path] = hosts.File{Type: hosts.TypeFile, Mode: 0o644, Digest: digest}
		}
		h.facts.Units = map[string]hosts.Unit{unit.Name: {Load: "loaded", Active: "active", Enabled: "enabled", Inputs: inputs}}
		return h
	}
	old := map[string]string{program: "sha256:1", config: plan.Ref([]byte("old"))}
	started := draft("old", old, "").inputs(unit)
	newer := map[string]string{program: "sha256:2", config: old[config]}
	for name, test := range map[string]struct {
		content string
		have    map[string]string
		inputs  string
		acts    bool
		reload  bool
	}{
		"nothing changes":               {"old", old, started, false, false},
		"the configuration changes":     {"new", old, started, true, true},
		"it changed, and was cut":       {"new", map[string]string{program: "sha256:1", config: plan.Ref([]byte("new"))}, started, true, true},
		"the program changes":           {"old", newer, started, true, false},
		"both change":                   {"new", newer, started, true, false},
		"nobody knows what it runs as":  {"old", old, "", true, false},
		"it was started before reloads": {"old", old, startedFor(started), true, true},
	} {
		h := draft(test.content, test.have, test.inputs)
		h.setUnit(unit, nil)
		if acts := h.makes(starts(unit.Name)); acts != test.acts {
			t.Errorf("%s: planned %v, want %v", name, acts, test.acts)
			continue
		}
		if !test.acts {
			continue
		}
		if action := h.plan.Steps[0].Action.(hosts.SetUnit); action.Reload != test.reload {
			t.Errorf("%s: %+v, want reload %v", name, action, test.reload)
		}
	}
}
