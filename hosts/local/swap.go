//go:build linux

package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const fstabFile = "/etc/fstab"

// fstabMark comments out a line of fstab that would bring swap back.
const fstabMark = "#slipway# "

// swapArea is one device or file in use as swap.
type swapArea struct {
	device   string
	priority int
	used     int64 // bytes
}

// readSwaps reads /proc/swaps.
func (h *Host) readSwaps() ([]swapArea, error) {
	data, err := readIfThere(h.at("/proc/swaps")) // not there: a kernel without swap
	if err != nil {
		return nil, err
	}
	return parseSwaps(string(data))
}

// usedSwap is how many bytes lie in swap.
func (h *Host) usedSwap() (total int64, err error) {
	areas, err := h.readSwaps()
	for _, area := range areas {
		total += area.used
	}
	return total, err
}

func parseSwaps(table string) ([]swapArea, error) {
	var areas []swapArea
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[0] == "Filename" {
			continue // the heading
		}
		priority, err := strconv.Atoi(fields[4])
		if err != nil {
			return nil, fmt.Errorf("read /proc/swaps: line %q is not understood", strings.TrimSpace(line))
		}
		kilobytes, _ := strconv.ParseInt(fields[3], 10, 64) // only told
		areas = append(areas, swapArea{device: unescapeOctal(fields[0]), priority: priority, used: kilobytes << 10})
	}
	return areas, nil
}

// octal is how the kernel writes blanks and the like in a path: \040.
var octal = regexp.MustCompile(`\\[0-3][0-7]{2}`)

func unescapeOctal(path string) string {
	return octal.ReplaceAllStringFunc(path, func(code string) string {
		char, _ := strconv.ParseUint(code[1:], 8, 8) // it has matched
		return string([]byte{byte(char)})
	})
}

// fstabSwaps lists the lines of fstab that bring swap, by what they name.
func fstabSwaps(fstab []byte) []string {
	var devices []string
	for line := range bytes.Lines(fstab) {
		if device, ok := fstabSwap(string(line)); ok {
			devices = append(devices, device)
		}
	}
	return devices
}

// fstabSwap tells whether a line of fstab brings swap, and which.
func fstabSwap(line string) (device string, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 3 || strings.HasPrefix(fields[0], "#") || fields[2] != "swap" {
		return "", false
	}
	return fields[0], true
}

// disableFstabSwaps comments every swap line out; enableFstabSwaps undoes it.
func disableFstabSwaps(fstab []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(fstab) {
		if _, ok := fstabSwap(string(line)); ok {
			out.WriteString(fstabMark)
		}
		out.Write(line)
	}
	return out.Bytes()
}

func enableFstabSwaps(fstab []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(fstab) {
		rest, _ := bytes.CutPrefix(line, []byte(fstabMark))
		out.Write(rest)
	}
	return out.Bytes()
}

// swapSources are the units and fstab lines that would bring swap back.
func (h *Host) swapSources(ctx context.Context) (units, lines []string, err error) {
	fstab, err := readIfThere(h.at(fstabFile))
	if err != nil {
		return nil, nil, err
	}
	lines = fstabSwaps(fstab)
	names, err := h.systemd.List(ctx, "*.swap")
	if errors.Is(err, errNoSystemd) {
		return nil, lines, nil
	}
	if err != nil {
		return nil, nil, err
	}
	record, err := h.record.read()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Concat(h.withUnitFiles(names), hosts.SwapServices) {
		state, err := h.systemd.Unit(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		_, ours := record.PriorOf("unit/" + name)
		brings := bringsSwap(state)
		if strings.HasSuffix(name, ".service") {
			brings = state.Load == "loaded" && state.Enabled == "enabled" || (state.Load == "loaded" || ours) && makesSwap(name, state)
		}
		if brings {
			units = append(units, name)
		}
	}
	return units, lines, nil
}

// swapUnitFiles are where units that nothing has loaded yet lie: one that was enabled since the boot, for example.
var swapUnitFiles = []string{"/etc/systemd/system/*.swap", "/usr/local/lib/systemd/system/*.swap", "/usr/lib/systemd/system/*.swap"}

// withUnitFiles adds those to the units that systemd has loaded.
func (h *Host) withUnitFiles(names []string) []string {
	for _, pattern := range swapUnitFiles {
		for _, file := range h.glob(pattern) {
			names = addOnce(names, filepath.Base(file))
		}
	}
	return names
}

// bringsSwap tells whether a swap unit would be started by itself: not one that systemd
// makes of fstab, which goes with its line, nor one that it only found in use, nor one that
// nothing enables.
func bringsSwap(state UnitState) bool {
	if state.Load != "loaded" || state.Fragment == "" || state.Source == fstabFile {
		return false
	}
	return !isAdministrators(state) || state.Enabled == "enabled"
}

// makesSwap tells whether a unit is a service that goes on making swap (swapspace). One that has made it and ended is
// not stopped: its device stays as it is, and a reset turns that on again.
func makesSwap(name string, state UnitState) bool {
	return strings.HasSuffix(name, ".service") && state.Active == "active" && state.Sub == "running"
}

// isAdministrators tells whether a unit's file lies where masking would put a link: such a
// unit is disabled instead.
func isAdministrators(state UnitState) bool {
	return strings.HasPrefix(state.Fragment, "/etc/systemd/system/")
}

// disableSwap turns all swap off, now and for the next boot.
func (h *Host) disableSwap(ctx context.Context, a hosts.DisableSwap, report func(hosts.Progress)) (hosts.Outcome, error) {
	areas, err := h.readSwaps()
	if err != nil {
		return hosts.Outcome{}, err
	}
	units, lines, err := h.swapSources(ctx)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if len(areas)+len(units)+len(lines) == 0 {
		return unchanged, nil
	}
	var priors []hosts.Prior
	var names []string
	for _, area := range areas {
		names = append(names, area.device)
		priors = append(priors, hosts.Prior{Setting: "swap/" + area.device, Value: fmt.Sprintf("on, priority %d", area.priority)})
	}
	for _, line := range lines {
		names = append(names, "fstab "+line)
		priors = append(priors, hosts.Prior{Setting: "swap/fstab", Value: "on: " + strings.Join(lines, " ")})
	}
	for _, unit := range units {
		state, err := h.systemd.Unit(ctx, unit)
		if err != nil {
			return hosts.Outcome{}, err
		}
		names = append(names, unit)
		priors = append(priors, hosts.Prior{Setting: "unit/" + unit, Value: state.prior()})
	}
	return h.apply(ctx, change{
		action: a,
		detail: strings.Join(names, ", "),
		note:   remember(priors...),
		act:    func(ctx context.Context) error { return h.swapOff(ctx, units, report) },
	})
}

func (h *Host) swapOff(ctx context.Context, units []string, report func(hosts.Progress)) error {
	if err := edit(h.at(fstabFile), disableFstabSwaps); err != nil {
		return err
	}
	// Its units of fstab's lines are made anew, or rather not.
	if err := h.readUnits(ctx); err != nil {
		return err
	}
	for _, unit := range units {
		if err := h.keepOff(ctx, unit); err != nil {
			return err
		}
	}
	areas, err := h.readSwaps() // again: a service may have made one until it was stopped
	if err != nil {
		return err
	}
	stop := tellSwap(ctx, h.usedSwap, report)
	for _, area := range areas {
		if err = ctx.Err(); err != nil {
			break
		}
		if err = swapoff(ctx, h.at(area.device)); err != nil {
			err = fmt.Errorf("turn swap on %s off: %w", area.device, err)
			break
		}
	}
	return errors.Join(err, stop())
}

// keepOff has a unit bring no swap any more, at the next boot or in this one.
func (h *Host) keepOff(ctx context.Context, unit string) error {
	state, err := h.systemd.Unit(ctx, unit)
	if err != nil {
		return err
	}
	change := UnitMask
	if isAdministrators(state) {
		change = UnitDisable
	}
	if state.Load != "masked" {
		if err := h.systemd.Change(ctx, change, unit); err != nil {
			return err
		}
	}
	if makesSwap(unit, state) {
		return h.systemd.Run(ctx, JobStop, unit)
	}
	return nil
}

// swapLooks is how often it is looked at how much is left in swap.
const swapLooks = 5 * time.Second

// tellSwap tells how much of what lay in swap is back in memory, until it is stopped: the kernel reads it page by page,
// and /proc/swaps counts down.
func tellSwap(ctx context.Context, used func() (int64, error), report func(hosts.Progress)) (stop func() error) {
	total, _ := used() // it is progress alone that is not told
	ctx, cancel := context.WithCancel(ctx)
	var watcher errgroup.Group
	watcher.Go(caught(func() error {
		ticker := time.NewTicker(swapLooks)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
			}
			if left, err := used(); err == nil && left < total {
				report(hosts.Progress{Done: total - left, Total: total, Note: "reading swap back"})
			}
		}
	}))
	return func() error {
		cancel()
		return watcher.Wait()
	}
}

func swapoff(ctx context.Context, device string) error {
	path, err := unix.BytePtrFromString(device)
	if err != nil {
		return err
	}
	for {
		_, _, errno := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(path)), 0, 0)
		switch {
		case errno == syscall.EINTR && ctx.Err() == nil: // a signal, of a child that ended for example: what is read stays read
		case errno == 0, errno == syscall.EINVAL: // EINVAL: it is off already
			return nil
		default:
			return errno
		}
	}
}

// swapon turns swap on again with the priority that it had.
func swapon(device string, priority int) error {
	const prefer, mask = 0x8000, 0x7fff
	flags := 0
	if priority >= 0 {
		flags = prefer | priority&mask
	}
	path, err := unix.BytePtrFromString(device)
	if err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(path)), uintptr(flags), 0)
	if errno != 0 && errno != syscall.EBUSY { // EBUSY: it is on already
		return errno
	}
	return nil
}
