//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"github.com/slipway-k8s/slipway/hosts"
)

// noSuchUnit is what systemd calls a unit that is not loaded.
const noSuchUnit = "org.freedesktop.systemd1.NoSuchUnit"

// bus is systemd over D-Bus: the system bus or, where that does not run, its private socket.
type bus struct {
	mu   sync.Mutex
	conn *dbus.Conn
}

func newBus() *bus { return &bus{} }

// connect opens the bus once, and again after it was cut.
func (b *bus) connect(ctx context.Context) (*dbus.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil && b.conn.Connected() {
		return b.conn, nil
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil, errNoSystemd
	}
	// The connection outlives the call that opened it.
	conn, err := dbus.NewWithContext(context.WithoutCancel(ctx))
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	b.conn = conn
	return conn, nil
}

func (b *bus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil {
		b.conn.Close()
		b.conn = nil
	}
	return nil
}

func (b *bus) Manager(ctx context.Context) (hosts.Systemd, error) {
	conn, err := b.connect(ctx)
	if errors.Is(err, errNoSystemd) {
		return hosts.Systemd{}, nil
	}
	if err != nil {
		return hosts.Systemd{}, err
	}
	version, err := conn.GetManagerProperty("Version")
	if err != nil {
		return hosts.Systemd{}, fmt.Errorf("ask systemd for its version: %w", err)
	}
	state, err := conn.SystemStateContext(ctx)
	if err != nil {
		return hosts.Systemd{}, fmt.Errorf("ask systemd for the system's state: %w", err)
	}
	word, _ := state.Value.Value().(string)
	return hosts.Systemd{Version: systemdVersion(version), State: word}, nil
}

func (b *bus) Environment(ctx context.Context) ([]string, error) {
	conn, err := b.connect(ctx)
	if errors.Is(err, errNoSystemd) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := conn.GetManagerProperty("Environment")
	if err != nil {
		return nil, fmt.Errorf("ask systemd for its environment: %w", err)
	}
	value, err := godbus.ParseVariant(text, godbus.SignatureOf([]string{}))
	if err != nil {
		return nil, fmt.Errorf("read systemd's environment: %w", err)
	}
	variables, _ := value.Value().([]string)
	return variables, nil
}

// systemdVersion reads the number out of "252 (252.30-1~deb12u2)", quoted or not.
func systemdVersion(text string) int {
	text = strings.Trim(text, `"`)
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(text)
	}
	version, err := strconv.Atoi(text[:end])
	if err != nil {
		return 0
	}
	return version
}

func (b *bus) Unit(ctx context.Context, name string) (UnitState, error) {
	conn, err := b.connect(ctx)
	if err != nil {
		return UnitState{}, err
	}
	properties, err := conn.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return UnitState{}, fmt.Errorf("ask systemd for %s: %w", name, err)
	}
	text := func(key string) string { value, _ := properties[key].(string); return value }
	needsReload, _ := properties["NeedDaemonReload"].(bool)
	state := UnitState{
		Load: text("LoadState"), Active: text("ActiveState"), Sub: text("SubState"), Enabled: text("UnitFileState"),
		Fragment: text("FragmentPath"), Source: text("SourcePath"), NeedsReload: needsReload,
	}
	if since, _ := properties["StateChangeTimestamp"].(uint64); since > 0 {
		state.Changed = time.UnixMicro(int64(since))
	}
	if state.Load == "loaded" && state.Enabled != "enabled" {
		// The property is what systemd last read; the list is what lies there now.
		if files, err := conn.ListUnitFilesByPatternsContext(ctx, nil, []string{name}); err == nil && len(files) == 1 {
			state.Enabled = files[0].Type
		}
	}
	if strings.HasSuffix(name, ".service") && state.Load == "loaded" {
		if service, err := conn.GetUnitTypePropertiesContext(ctx, name, "Service"); err == nil {
			restarts, _ := service["NRestarts"].(uint32)
			pid, _ := service["MainPID"].(uint32)
			state.Restarts, state.PID = int(restarts), int(pid)
		}
	}
	return state, nil
}

func (b *bus) List(ctx context.Context, patterns ...string) ([]string, error) {
	conn, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	units, err := conn.ListUnitsByPatternsContext(ctx, nil, patterns)
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	var names []string
	for _, unit := range units {
		if unit.LoadState != "not-found" {
			names = addOnce(names, unit.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (b *bus) Reload(ctx context.Context) error {
	conn, err := b.connect(ctx)
	if err != nil {
		return err
	}
	if err := conn.ReloadContext(ctx); err != nil {
		return fmt.Errorf("have systemd read its units: %w", err)
	}
	return nil
}

func (b *bus) Change(ctx context.Context, change UnitChange, name string) error {
	conn, err := b.connect(ctx)
	if err != nil {
		return err
	}
	units := []string{name}
	switch change {
	case UnitEnable:
		_, _, err = conn.EnableUnitFilesContext(ctx, units, false, true)
	case UnitDisable:
		_, err = conn.DisableUnitFilesContext(ctx, units, false)
	case UnitMask:
		_, err = conn.MaskUnitFilesContext(ctx, units, false, false)
	case UnitUnmask:
		_, err = conn.UnmaskUnitFilesContext(ctx, units, false)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", change, name, err)
	}
	if change == UnitEnable {
		return nil // only the next boot needs it, and to read all units again takes a second on a busy host
	}
	return b.Reload(ctx)
}

func (b *bus) Run(ctx context.Context, job UnitJob, name string) error {
	conn, err := b.connect(ctx)
	if err != nil {
		return err
	}
	// A unit that gave up stays failed through a start limit until that is reset.
	if job == JobStart || job == JobRestart {
		_ = conn.ResetFailedUnitContext(ctx, name) // not failed, then
	}
	result := make(chan string, 1)
	switch job {
	case JobStart:
		_, err = conn.StartUnitContext(ctx, name, "replace", result)
	case JobStop:
		_, err = conn.StopUnitContext(ctx, name, "replace", result)
	case JobRestart:
		_, err = conn.RestartUnitContext(ctx, name, "replace", result)
	case JobReload:
		_, err = conn.ReloadUnitContext(ctx, name, "replace", result)
	}
	var refused godbus.Error
	if job == JobStop && errors.As(err, &refused) && refused.Name == noSuchUnit {
		_ = conn.ResetFailedUnitContext(ctx, name) // its file went while it was failed
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", job, name, err)
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s %s: %w", job, name, ctx.Err())
	case word := <-result:
		if word != "done" {
			return fmt.Errorf("%s %s: systemd says the job's result is %q", job, name, word)
		}
	}
	if job == JobStop {
		_ = conn.ResetFailedUnitContext(ctx, name) // not failed, then
	}
	return nil
}

// Reboot starts the target of a reboot, as systemctl reboot does where there is no logind. The manager's own
// call of that name would stop no unit.
func (b *bus) Reboot(ctx context.Context) error {
	conn, err := b.connect(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.StartUnitContext(ctx, "reboot.target", "replace-irreversibly", nil); err != nil {
		return fmt.Errorf("start reboot.target: %w", err)
	}
	return nil
}

// Journal reads with journalctl: the library for it needs cgo.
func (b *bus) Journal(ctx context.Context, name string, lines int) ([]string, error) {
	output, err := exec.CommandContext(ctx, "journalctl", "--no-pager", "--quiet", "--output=cat", "--boot",
		"--lines="+strconv.Itoa(lines), "--unit="+name).Output()
	if err != nil {
		return nil, fmt.Errorf("run journalctl: %w", err)
	}
	var all []string
	for line := range strings.Lines(string(output)) {
		all = append(all, strings.TrimRight(line, "\n"))
	}
	return all[max(0, len(all)-lines):], nil // an entry may have several lines
}

// steadyLooks is how often a unit is looked at that has to stay up.
const steadyLooks = 250 * time.Millisecond

// staysUp looks at a unit for as long as it has to stay up. One that ends is perhaps up again at
// the next look: systemd counts how often it has started it by itself.
func (h *Host) staysUp(ctx context.Context, name string, length time.Duration) error {
	if length <= 0 {
		return nil
	}
	first, err := h.systemd.Unit(ctx, name)
	if err != nil {
		return err
	}
	began := time.Now()
	for state := first; ; {
		switch {
		case state.Active != "active" && state.Active != "reloading":
			return fmt.Errorf("%s did not stay up: %s after it was started it is %s", name, time.Since(began).Round(time.Second/10), state.Active)
		case state.Restarts != first.Restarts:
			return fmt.Errorf("%s did not stay up: %s after it was started it has ended, and systemd has started it again", name, time.Since(began).Round(time.Second/10))
		case time.Since(began) >= length:
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(steadyLooks):
		}
		if state, err = h.systemd.Unit(ctx, name); err != nil {
			return err
		}
	}
}
