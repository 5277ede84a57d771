//go:build linux

package local

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// containerSign is how a container stands; before is its attempt before, if there was one.
func (h *Host) containerSign(source string, c, before Container) hosts.Sign {
	sign := hosts.Sign{Source: source, State: hosts.StateCreated, Attempt: int(c.Attempt), CPU: c.CPU.Seconds(), Log: size(h.at(c.Log))}
	since := c.Created
	switch {
	case c.Running:
		sign.State, since = hosts.StateRunning, c.Started
	case !c.Finished.IsZero():
		sign.State, since = hosts.StateEnded, c.Finished
	}
	sign.Seconds = h.passed(since)
	switch {
	case sign.State == hosts.StateEnded:
		sign.Ended = ending(c)
	case !before.Finished.IsZero():
		sign.Ended = ending(before)
	}
	return sign
}

func ending(c Container) *hosts.Ending {
	ended := &hosts.Ending{Code: int(c.ExitCode), Reason: c.Reason}
	if !c.Started.IsZero() {
		ended.Ran = max(0, c.Finished.Sub(c.Started).Seconds())
	}
	return ended
}

// unitSign is how a unit stands.
func (h *Host) unitSign(name string, state UnitState) hosts.Sign {
	return hosts.Sign{
		Source: name, State: fmt.Sprintf("%s (%s)", state.Active, state.Sub), Attempt: state.Restarts,
		Seconds: h.passed(state.Changed), CPU: h.processTime(state.PID).Seconds(),
	}
}

// imageSigns tells how much has come of images that are being fetched, if any are.
func (h *Host) imageSigns(ctx context.Context) []hosts.Sign {
	bytes, err := h.containerd.Fetched(ctx)
	if err != nil || bytes == 0 {
		return nil
	}
	return []hosts.Sign{{Source: hosts.SourceImages, Fetched: bytes}}
}

// passed is how many seconds have passed since a moment; 0 where it is not known.
func (h *Host) passed(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, h.now().Sub(since).Seconds())
}

// size is a file's; 0 where there is none.
func size(path string) int64 {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return info.Size()
	}
	return 0
}

// clockTick is the unit of the times in /proc: USER_HZ, which is 100 on every platform of Linux that
// Slipway is built for.
const clockTick = time.Second / 100

// processTime is how much of a processor's time a process has used; 0 where that is not known.
func (h *Host) processTime(pid int) time.Duration {
	if pid <= 0 {
		return 0
	}
	data, err := os.ReadFile(h.at("/proc/" + strconv.Itoa(pid) + "/stat"))
	if err != nil {
		return 0
	}
	// The second field is the program's name in brackets, which may hold anything (proc(5)); utime and
	// stime are the 14th and 15th.
	_, rest, found := cutLast(string(data), ")")
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(user+system) * clockTick
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}
