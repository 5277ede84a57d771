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

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// validHostname is what the kernel takes and Kubernetes too; validName what DNS takes.
var (
	validHostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$`)
	validName     = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$`)
)

// noStaticName is what the record says in place of a static name that was not there.
const noStaticName = "(no static name)"

// hostnames are the running and the static name of the host.
func (h *Host) hostnames() (running, static string, err error) {
	running, err = h.runningHostname()
	if err != nil {
		return "", "", err
	}
	data, err := readIfThere(h.at("/etc/hostname"))
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			static = line
			break
		}
	}
	return running, static, nil
}

// runningHostname is the kernel's, or the one that a scratch root shows.
func (h *Host) runningHostname() (string, error) {
	data, err := os.ReadFile(h.at("/proc/sys/kernel/hostname"))
	return strings.TrimSpace(string(data)), err
}

// setHostname sets the static and the running name.
func (h *Host) setHostname(ctx context.Context, a hosts.SetHostname) (hosts.Outcome, error) {
	if !validHostname.MatchString(a.Name) {
		return hosts.Outcome{}, fmt.Errorf("%q is not a host name", a.Name)
	}
	running, static, err := h.hostnames()
	if err != nil {
		return hosts.Outcome{}, err
	}
	if running == a.Name && static == a.Name {
		return unchanged, nil
	}
	was := running
	switch static {
	case running:
	case "":
		was = running + " " + noStaticName
	default:
		was = running + " " + static
	}
	return h.apply(ctx, change{
		action: a,
		detail: "was " + running,
		note:   remember(hosts.Prior{Setting: "hostname", Value: was}),
		act:    func(context.Context) error { return h.nameHost(a.Name, a.Name) },
	})
}

// nameHost writes the static name first: it is what a crash in between leaves for the
// next boot.
func (h *Host) nameHost(running, static string) error {
	path := h.at("/etc/hostname")
	if static == "" {
		err := removeFile(path)
		if errors.Is(err, syscall.EBUSY) {
			err = overwrite(path, nil) // a mount of its own
		}
		if err != nil {
			return err
		}
	} else if err := rewrite(path, []byte(static+"\n")); err != nil {
		return err
	}
	if h.root != "/" {
		return os.WriteFile(h.at("/proc/sys/kernel/hostname"), []byte(running+"\n"), 0o644)
	}
	if err := unix.Sethostname([]byte(running)); err != nil {
		return fmt.Errorf("set the running name: %w", err)
	}
	return nil
}
