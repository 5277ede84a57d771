package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a process that can't be mistaken for a later one with the same PID.
type process struct {
	pid     int
	started uint64 // clock ticks since the machine's boot
}

// findProcess gives the process that has this PID now.
func findProcess(pid int) (process, error) {
	started, err := startTime(pid)
	return process{pid: pid, started: started}, err
}

// startTime reads field 22 of /proc/PID/stat; fs.ErrNotExist for a process that is gone or only waits to be reaped.
func startTime(pid int) (uint64, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	// The second field, the command's name in parentheses, may hold anything.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("read /proc/%d/stat: too few fields", pid)
	}
	if state := fields[0]; state == "Z" || state == "X" {
		return 0, os.ErrNotExist
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// alive tells whether this very process still runs.
func (p process) alive() bool {
	if p.pid == 0 {
		return false
	}
	started, err := startTime(p.pid)
	return err == nil && started == p.started
}

// open gives a pidfd of this very process, or unix.ESRCH when it is gone.
func (p process) open() (int, error) {
	if p.pid == 0 {
		return -1, unix.ESRCH
	}
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return -1, err
	}
	// Asked after the pidfd was opened, so the answer is about the same process.
	if !p.alive() {
		unix.Close(fd)
		return -1, unix.ESRCH
	}
	return fd, nil
}

// signal sends a signal to this very process; one that is gone is no error.
func (p process) signal(s unix.Signal) error {
	fd, err := p.open()
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, s, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// wait returns when the process has ended.
func (p process) wait(ctx context.Context) error {
	fd, err := p.open()
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 100)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// endProcesses kills processes and waits until they are gone.
func endProcesses(ctx context.Context, all []process) error {
	for _, p := range all {
		if err := p.signal(unix.SIGKILL); err != nil {
			return fmt.Errorf("kill process %d: %w", p.pid, err)
		}
	}
	for _, p := range all {
		if err := p.wait(ctx); err != nil {
			return fmt.Errorf("wait for the end of process %d: %w", p.pid, err)
		}
	}
	return nil
}

// processesWhere gives the processes, this one excepted, of which something is true.
func processesWhere(holds func(pid int) bool) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() || !holds(pid) {
			continue
		}
		if p, err := findProcess(pid); err == nil {
			found = append(found, p)
		}
	}
	return found, nil
}

// bootID is the machine's own boot.
func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}

// pause waits a moment between two looks at something that the kernel gives no notice of.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
