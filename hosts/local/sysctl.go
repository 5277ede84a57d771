//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

var sysctlKey = regexp.MustCompile(`^[A-Za-z0-9_./*:-]+$`)

// sysctlPath is where a kernel parameter lies.
func (h *Host) sysctlPath(key string) (string, error) {
	if !sysctlKey.MatchString(key) || strings.Contains(key, "..") || strings.Contains(key, "//") {
		return "", fmt.Errorf("%q is not a kernel parameter's name", key)
	}
	return h.at("/proc/sys/" + hosts.Slashed(key)), nil
}

// readSysctl reads a kernel parameter; blanks between its numbers are single ones.
func (h *Host) readSysctl(key string) (string, error) {
	path, err := h.sysctlPath(key)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return strings.Join(strings.Fields(string(data)), " "), nil
}

// writeSysctl writes a kernel parameter.
func (h *Host) writeSysctl(key, value string) error {
	path, err := h.sysctlPath(key)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(value + "\n")
		err = errors.Join(err, file.Close())
	}
	switch {
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return fmt.Errorf("the kernel does not let this host set it (a container, or a lockdown?): %w", err)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("the kernel does not take the value %q: %w", value, err)
	}
	return err
}

// setSysctl sets a kernel parameter now.
func (h *Host) setSysctl(ctx context.Context, a hosts.SetSysctl) (hosts.Outcome, error) {
	have, err := h.readSysctl(a.Key)
	if errors.Is(err, os.ErrNotExist) {
		return hosts.Outcome{}, errors.New("this kernel has no such parameter; is its module loaded?")
	}
	if err != nil {
		return hosts.Outcome{}, err
	}
	want := strings.Join(strings.Fields(a.Value), " ")
	if have == want {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: "was " + have,
		note:   remember(hosts.Prior{Setting: "sysctl/" + a.Key, Value: have, Set: want}),
		act: func(context.Context) error {
			if err := h.writeSysctl(a.Key, want); err != nil {
				return err
			}
			now, err := h.readSysctl(a.Key)
			if err == nil && now != want {
				err = fmt.Errorf("%q was written, and the kernel keeps %q", want, now)
			}
			return err
		},
	})
}
