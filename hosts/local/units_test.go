//go:build linux

package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

func unit(load, active, enabled, fragment string) local.UnitState {
	return local.UnitState{Load: load, Active: active, Enabled: enabled, Fragment: fragment}
}

func asError(err error, target **hosts.Error) bool { return errors.As(err, target) }

func decodeLine(t *testing.T, line string) map[string]string {
	t.Helper()
	var entry map[string]string
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	return entry
}

// setUnitInputs are the inputs that the cases ask for.
const setUnitInputs = "sha256:new"

var setUnitCases = []struct {
	name   string
	state  local.UnitState
	inputs string // as noted before
	want   hosts.SetUnit
	jobs   []string
}{
	{"starts and enables", unit("loaded", "inactive", "disabled", ""), "",
		hosts.SetUnit{Enabled: true, Active: true}, []string{"enable x.service", "start x.service"}},
	{"starts what failed", unit("loaded", "failed", "enabled", ""), "",
		hosts.SetUnit{Enabled: true, Active: true}, []string{"start x.service"}},
	{"waits for what starts", unit("loaded", "activating", "enabled", ""), "",
		hosts.SetUnit{Enabled: true, Active: true}, []string{"start x.service"}},
	{"leaves what is right", unit("loaded", "active", "enabled", ""), setUnitInputs,
		hosts.SetUnit{Enabled: true, Active: true, Inputs: setUnitInputs}, nil},
	{"restarts on other inputs", unit("loaded", "active", "enabled", ""), "sha256:old",
		hosts.SetUnit{Enabled: true, Active: true, Inputs: setUnitInputs}, []string{"restart x.service"}},
	{"restarts on unknown inputs", unit("loaded", "active", "enabled", ""), "",
		hosts.SetUnit{Enabled: true, Active: true, Inputs: setUnitInputs}, []string{"restart x.service"}},
	{"reloads where that is enough", unit("loaded", "active", "enabled", ""), "sha256:old",
		hosts.SetUnit{Enabled: true, Active: true, Inputs: setUnitInputs, Reload: true}, []string{"reload x.service"}},
	{"starts what can be reloaded but does not run", unit("loaded", "failed", "enabled", ""), "sha256:old",
		hosts.SetUnit{Enabled: true, Active: true, Inputs: setUnitInputs, Reload: true}, []string{"start x.service"}},
	{"leaves what is right and can be reloaded", unit("loaded", "active", "enabled", ""), setUnitInputs,
		hosts.SetUnit{Enabled: true, Active: true, Inputs: setUnitInputs, Reload: true}, nil},
	{"reads changed unit files", local.UnitState{Load: "loaded", Active: "active", Enabled: "enabled", NeedsReload: true}, "sha256:old",
		hosts.SetUnit{Enabled: true, Active: true, Inputs: setUnitInputs}, []string{"daemon-reload", "restart x.service"}},
	{"does not enable a static one", unit("loaded", "active", "static", ""), "",
		hosts.SetUnit{Enabled: true, Active: true}, nil},
	{"stops and disables", unit("loaded", "active", "enabled", ""), setUnitInputs,
		hosts.SetUnit{}, []string{"disable x.service", "stop x.service"}},
	{"clears a failure", unit("loaded", "failed", "disabled", ""), "",
		hosts.SetUnit{}, []string{"stop x.service"}},
	{"leaves what is not there", unit("not-found", "inactive", "", ""), "",
		hosts.SetUnit{}, nil},
}

func TestSetUnit(t *testing.T) {
	for _, test := range setUnitCases {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t)
			host := m.host()
			m.systemd.units["x.service"] = test.state
			if test.inputs != "" {
				m.write("/run/slipway/units/x.service", test.inputs+"\n")
			}
			action := test.want
			action.Name = "x.service"
			want := hosts.Changed
			if test.jobs == nil {
				want = hosts.Unchanged
			}
			m.once(host, action, want)
			if jobs := m.systemd.took(); !slices.Equal(jobs, test.jobs) {
				t.Errorf("systemd did %q, want %q", jobs, test.jobs)
			}
			m.once(host, action, hosts.Unchanged)
			if jobs := m.systemd.took(); jobs != nil {
				t.Errorf("the second time systemd did %q", jobs)
			}
			facts := m.observe(host, hosts.Query{Units: []string{"x.service"}})
			if got := facts.Units["x.service"].Inputs; got != action.Inputs {
				t.Errorf("inputs are seen as %q, want %q", got, action.Inputs)
			}
		})
	}
}

// TestUnitsStopOneRightAfterAnother: nothing is done between the end of one and of the next.
func TestUnitsStopOneRightAfterAnother(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.systemd.units["a.service"] = unit("loaded", "active", "enabled", "")
	m.systemd.units["b.service"] = unit("loaded", "active", "disabled", "")
	m.systemd.units["c.service"] = unit("loaded", "failed", "enabled", "")
	m.systemd.units["d.service"] = unit("loaded", "inactive", "disabled", "")
	action := hosts.StopUnits{Names: []string{"c.service", "a.service", "b.service", "d.service", "none.service"}}
	m.once(host, action, hosts.Changed)
	want := []string{"disable c.service", "disable a.service", "stop c.service", "stop a.service", "stop b.service"}
	if jobs := m.systemd.took(); !slices.Equal(jobs, want) {
		t.Errorf("systemd did %q, want %q", jobs, want)
	}
	m.once(host, action, hosts.Unchanged)

	m.systemd.units["a.service"] = unit("loaded", "active", "disabled", "")
	m.systemd.units["b.service"] = unit("loaded", "active", "enabled", "")
	m.systemd.failing["a.service"] = errors.New("systemd says failed")
	pair := hosts.StopUnits{Names: []string{"a.service", "b.service"}, Enabled: true}
	err := m.fails(host, pair)
	if !strings.Contains(err.Error(), "stop a.service, then b.service") {
		t.Errorf("the error does not say what was to be stopped: %v", err)
	}
	want = []string{"enable a.service", "stop a.service", "stop b.service"}
	if jobs := m.systemd.took(); !slices.Equal(jobs, want) {
		t.Errorf("where one fails systemd did %q, want %q", jobs, want)
	}
	delete(m.systemd.failing, "a.service")
	m.once(host, pair, hosts.Changed)
	if jobs := m.systemd.took(); !slices.Equal(jobs, []string{"stop a.service"}) {
		t.Errorf("the second time systemd did %q", jobs)
	}
	if err := m.fails(host, hosts.StopUnits{Names: []string{"b.service", "../x"}}); !strings.Contains(err.Error(), "not a unit's name") {
		t.Errorf("of a name that is none: %v", err)
	}
}

// TestInterruptedStopIsWhole: with the first of several units gone, the rest go too.
func TestInterruptedStopIsWhole(t *testing.T) {
	m := newMachine(t)
	m.systemd.units["a.service"] = unit("loaded", "active", "disabled", "")
	m.systemd.units["b.service"] = unit("loaded", "active", "disabled", "")
	ctx, cancel := context.WithCancel(t.Context())
	m.systemd.begun = cancel
	_, err := m.host().Do(ctx, hosts.StopUnits{Names: []string{"a.service", "b.service"}}, nil)
	if jobs := m.systemd.took(); !slices.Equal(jobs, []string{"stop a.service", "stop b.service"}) {
		t.Errorf("systemd did %q, and the end was %v", jobs, err)
	}
}

func TestNewUnitFileIsReadFirst(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	action := hosts.SetUnit{Name: "new.service", Active: true}
	if err := m.fails(host, action); !strings.Contains(err.Error(), "no such unit") {
		t.Errorf("a unit that does not exist: %v", err)
	}
	m.systemd.took()
	m.systemd.pending["new.service"] = unit("loaded", "inactive", "disabled", "")
	m.once(host, action, hosts.Changed)
	if jobs := m.systemd.took(); !slices.Equal(jobs, []string{"daemon-reload", "start new.service"}) {
		t.Errorf("systemd did %q", jobs)
	}
}

func TestFailedStartCarriesTheJournal(t *testing.T) {
	m := newMachine(t)
	m.systemd.units["x.service"] = unit("loaded", "inactive", "disabled", "")
	m.systemd.failing["x.service"] = errors.New("systemd says failed")
	m.systemd.journal = []string{"cannot bind port 6443"}
	err := m.fails(m.host(), hosts.SetUnit{Name: "x.service", Active: true})
	if !strings.Contains(err.Error(), "systemd says failed") || !strings.Contains(err.Error(), "cannot bind port 6443") {
		t.Errorf("the error is %v", err)
	}
}

// TestFailedReloadIsTriedAgain: a unit that refused its new configuration goes on with the
// old one, and nobody takes it for one that has read the new.
func TestFailedReloadIsTriedAgain(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.systemd.units["x.service"] = unit("loaded", "active", "enabled", "")
	m.write("/run/slipway/units/x.service", "sha256:old\n")
	m.systemd.failing["x.service"] = errors.New("systemd says failed")
	m.systemd.journal = []string{"line 12: unknown keyword"}
	action := hosts.SetUnit{Name: "x.service", Enabled: true, Active: true, Inputs: "sha256:new", Reload: true}
	if err := m.fails(host, action); !strings.Contains(err.Error(), "line 12: unknown keyword") {
		t.Errorf("the error is %v", err)
	}
	if got := m.observe(host, hosts.Query{Units: []string{"x.service"}}).Units["x.service"].Inputs; got != "sha256:old" {
		t.Errorf("inputs are seen as %q", got)
	}
	clear(m.systemd.failing)
	m.systemd.took()
	m.do(host, action)
	if jobs := m.systemd.took(); !slices.Equal(jobs, []string{"reload x.service"}) {
		t.Errorf("systemd did %q", jobs)
	}
}

// TestRestartIsAReloadWhereThatIsEnough: what was put right under a unit is read again.
func TestRestartIsAReloadWhereThatIsEnough(t *testing.T) {
	for reload, want := range map[bool]string{true: "reload x.service", false: "restart x.service"} {
		m := newMachine(t)
		host := m.host()
		m.systemd.units["x.service"] = unit("loaded", "active", "enabled", "")
		m.write("/run/slipway/units/x.service", "sha256:1\n")
		action := hosts.SetUnit{Name: "x.service", Enabled: true, Active: true, Inputs: "sha256:1", Reload: reload, Restart: true}
		m.once(host, action, hosts.Changed)
		if jobs := m.systemd.took(); !slices.Equal(jobs, []string{want}) {
			t.Errorf("systemd did %q, want %q", jobs, want)
		}
	}
}

// TestUnitFileInFrontOfTheDistributionsIsRead: systemd may still know the file that ours hides.
func TestUnitFileInFrontOfTheDistributionsIsRead(t *testing.T) {
	const name, ours, theirs = "haproxy.service", "/etc/systemd/system/haproxy.service", "/lib/systemd/system/haproxy.service"
	m := newMachine(t)
	host := m.host()
	m.write("/etc/systemd/system/.keep", "")
	m.systemd.units[name] = unit("loaded", "inactive", "disabled", theirs)
	m.do(host, m.writeFile(host, ours, "slipway's", 0o644))
	m.systemd.pending[name] = unit("loaded", "inactive", "disabled", ours)
	m.do(host, hosts.SetUnit{Name: name, Enabled: true, Active: true})
	if jobs := m.systemd.took(); !slices.Equal(jobs, []string{"daemon-reload", "enable " + name, "start " + name}) {
		t.Errorf("systemd did %q", jobs)
	}
	if units := m.record(host).Units; !slices.Equal(units, []string{name}) {
		t.Errorf("the record names units %v", units)
	}
}

func TestMaskedUnitIsNotOverruled(t *testing.T) {
	m := newMachine(t)
	m.systemd.units["x.service"] = unit("masked", "inactive", "masked", "")
	err := m.fails(m.host(), hosts.SetUnit{Name: "x.service", Active: true})
	if err.Kind != hosts.KindForeign || !strings.Contains(err.Fix, "unmask") {
		t.Errorf("a masked unit: %q, %v, fix %q", err.Kind, err, err.Fix)
	}
}

func TestUnitsOnRecord(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.do(host, m.writeFile(host, "/etc/systemd/system/ours.service", "[Unit]", 0o644))
	m.systemd.units["ours.service"] = unit("loaded", "inactive", "disabled", "/etc/systemd/system/ours.service")
	m.systemd.units["theirs.service"] = unit("loaded", "active", "enabled", "/lib/systemd/system/theirs.service")
	m.do(host, hosts.SetUnit{Name: "ours.service", Enabled: true, Active: true, Inputs: "sha256:1"})
	m.do(host, hosts.SetUnit{Name: "theirs.service"})
	m.do(host, hosts.SetUnit{Name: "theirs.service", Enabled: true})
	record := m.record(host)
	if diff := cmp.Diff([]string{"ours.service"}, record.Units); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	want := []hosts.Prior{{Setting: "unit/theirs.service", Value: "enabled active"}}
	if diff := cmp.Diff(want, record.Priors); diff != "" {
		t.Errorf("priors (-want +got):\n%s", diff)
	}
	m.do(host, hosts.Restore{Setting: "unit/theirs.service"})
	state := m.systemd.units["theirs.service"]
	if state.Active != "active" || state.Enabled != "enabled" {
		t.Errorf("the unit came back as %+v", state)
	}
}

func TestAUnitGoesWithItsFile(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.do(host, m.writeFile(host, "/etc/systemd/system/ours.service", "[Unit]", 0o644))
	m.systemd.units["ours.service"] = unit("loaded", "inactive", "disabled", "/etc/systemd/system/ours.service")
	m.do(host, hosts.SetUnit{Name: "ours.service", Enabled: true, Active: true})
	m.do(host, hosts.StopUnits{Names: []string{"ours.service"}})
	m.systemd.took()
	m.once(host, hosts.RemovePath{Path: "/etc/systemd/system/ours.service"}, hosts.Changed)
	if jobs := m.systemd.took(); !slices.Equal(jobs, []string{"daemon-reload"}) {
		t.Errorf("done are %q", jobs)
	}
	if record := m.record(host); len(record.Units) > 0 {
		t.Errorf("on record are still %q", record.Units)
	}
}

func TestInputsOutliveAReboot(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.systemd.units["x.service"] = unit("loaded", "inactive", "enabled", "")
	action := hosts.SetUnit{Name: "x.service", Enabled: true, Active: true, Inputs: "sha256:1"}
	m.do(host, action)
	if err := os.RemoveAll(m.at("/run/slipway")); err != nil { // a boot empties /run
		t.Fatal(err)
	}
	m.once(m.host(), action, hosts.Unchanged)
	// So do those of a unit that was stopped for the time until then.
	m.do(m.host(), hosts.StopUnits{Names: []string{"x.service"}, Enabled: true})
	m.systemd.units["x.service"] = unit("loaded", "active", "enabled", "")
	m.once(m.host(), action, hosts.Unchanged)
}

func TestDisableSwap(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	const fstab = "# swap was here\nUUID=1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n"
	m.put("/etc/fstab", fstab, 0o640)
	m.write("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n")
	fromFstab := unit("loaded", "inactive", "generated", "/run/systemd/generator/dev-sda2.swap")
	fromFstab.Source = "/etc/fstab"
	m.systemd.units["dev-sda2.swap"] = fromFstab
	m.systemd.units["dev-zram0.swap"] = unit("loaded", "inactive", "generated", "/run/systemd/generator/dev-zram0.swap")
	m.systemd.units["swapfile.swap"] = unit("loaded", "inactive", "enabled", "/etc/systemd/system/swapfile.swap")
	m.systemd.units["unused.swap"] = unit("loaded", "inactive", "disabled", "/etc/systemd/system/unused.swap")
	m.write("/etc/systemd/system/later.swap", "")
	m.systemd.unloaded = []string{"later.swap"}
	m.systemd.units["later.swap"] = unit("loaded", "inactive", "enabled", "/etc/systemd/system/later.swap")
	m.systemd.units["found.swap"] = unit("loaded", "active", "", "")
	facts := m.observe(host, hosts.Query{})
	if diff := cmp.Diff([]string{"dev-zram0.swap", "swapfile.swap", "later.swap", "fstab /dev/sda2"}, facts.SwapUnits); diff != "" {
		t.Errorf("what brings swap back (-want +got):\n%s", diff)
	}
	m.do(host, hosts.DisableSwap{})
	want := "# swap was here\nUUID=1 / ext4 defaults 0 1\n#slipway# /dev/sda2 none swap sw 0 0\n"
	if content, mode := m.look("/etc/fstab"); content != want || mode != 0o640 {
		t.Errorf("fstab is %q, %04o", content, mode)
	}
	if jobs := m.systemd.took(); !slices.Equal(jobs, []string{"daemon-reload", "mask dev-zram0.swap", "disable swapfile.swap", "disable later.swap"}) {
		t.Errorf("systemd did %q", jobs)
	}
	m.put("/etc/fstab", want+"/dev/sdb1 /data ext4 defaults 0 2\n", 0o640) // the user goes on
	for _, prior := range m.record(host).Priors {
		m.do(host, hosts.Restore{Setting: prior.Setting})
	}
	if got := m.read("/etc/fstab"); got != fstab+"/dev/sdb1 /data ext4 defaults 0 2\n" {
		t.Errorf("fstab came back as %q", got)
	}
	if state := m.systemd.units["dev-zram0.swap"]; state.Load != "loaded" || m.systemd.units["swapfile.swap"].Enabled != "enabled" {
		t.Errorf("the swap unit came back as %+v", state)
	}
}
