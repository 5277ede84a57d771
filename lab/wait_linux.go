package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// errInitEnded tells that a host's first process is gone.
var errInitEnded = errors.New("its init has ended")

// awaitBanner waits until sshd says its version.
func (l *Lab) awaitBanner(ctx context.Context, h *hostRecord) error {
	last := error(nil)
	for {
		if !h.process().alive() {
			return errInitEnded
		}
		if last = l.banner(ctx, h); last == nil {
			return nil
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("sshd does not answer: %w", errors.Join(last, ctx.Err()))
		}
	}
}

func (l *Lab) banner(ctx context.Context, h *hostRecord) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	connection, err := l.DialContext(ctx, "tcp", netip.AddrPortFrom(h.Address, 22).String())
	if err != nil {
		return err
	}
	defer connection.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := connection.SetReadDeadline(deadline); err != nil {
			return err
		}
	}
	version, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(version, "SSH-") {
		return fmt.Errorf("not an SSH server: %q", version)
	}
	return nil
}

// awaitSystem waits until systemd has done what it set out to do. Degraded is as good as
// running: a unit that fails is for the user to see, not for the lab to judge.
func (l *Lab) awaitSystem(ctx context.Context, h *hostRecord) error {
	for {
		result, err := l.Exec(ctx, h.Name, nil, "systemctl", "is-system-running", "--wait")
		state := strings.TrimSpace(string(result.Stdout))
		if slices.Contains([]string{"running", "degraded"}, state) {
			return nil
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("systemd says it is %q: %s%w", state, result.Stderr, ctx.Err())
		}
		if err != nil {
			return err
		}
	}
}

// bootLog is the end of what a host said when it booted: its journal, or what its init
// wrote before there was one.
func (l *Lab) bootLog(h *hostRecord) string {
	if h.Kind == KindVM {
		return l.consoleLog(h)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	result, err := l.Exec(ctx, h.Name, nil, "journalctl", "--boot", "--no-pager", "--lines=20", "--output=cat")
	if err == nil && len(result.Stdout) > 0 {
		return lastLines(string(result.Stdout), 20)
	}
	data, err := os.ReadFile(l.bootLogFile(h.Name))
	if err != nil {
		return ""
	}
	return lastLines(string(data), 20)
}
