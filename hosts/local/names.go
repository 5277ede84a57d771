//go:build linux

package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
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
		note:   remember(hosts.Prior{Setting: "hostname", Value: was, Set: a.Name}),
		act:    func(context.Context) error { return h.nameHost(a.Name, a.Name) },
	})
}

// priorNames are the running and the static name of before; the latter is empty where there was none.
func priorNames(prior hosts.Prior) (running, static string) {
	running, static, differ := strings.Cut(prior.Value, " ")
	switch {
	case !differ:
		static = running
	case static == noStaticName:
		static = ""
	}
	return running, static
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

const hostsFile = "/etc/hosts"

// ownHostsLine tells whether a line is Slipway's for an address.
func ownHostsLine(line, address string) bool {
	line = strings.TrimSpace(line)
	return strings.HasSuffix(line, hosts.HostsMark) && strings.HasPrefix(line, address+"\t")
}

// withHostsLine is the file with Slipway's line for an address as given, "" for none, and
// everything else as it was.
func withHostsLine(file []byte, address, wanted string) []byte {
	var out bytes.Buffer
	placed := wanted == ""
	for line := range bytes.Lines(file) {
		if !ownHostsLine(string(line), address) {
			out.Write(line)
			continue
		}
		if !placed {
			out.WriteString(wanted + "\n")
			placed = true
		}
	}
	if !placed {
		if out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			out.WriteByte('\n')
		}
		out.WriteString(wanted + "\n")
	}
	return out.Bytes()
}

// addHostsEntry adds a line to /etc/hosts, or replaces Slipway's own for that address.
func (h *Host) addHostsEntry(ctx context.Context, a hosts.AddHostsEntry) (hosts.Outcome, error) {
	if _, err := netip.ParseAddr(a.Address); err != nil {
		return hosts.Outcome{}, err
	}
	if len(a.Names) == 0 || slices.ContainsFunc(a.Names, func(name string) bool { return !validName.MatchString(name) }) {
		return hosts.Outcome{}, fmt.Errorf("%q are not host names", a.Names)
	}
	defer h.paths.lock(h.at(hostsFile))()
	before, err := readIfThere(h.at(hostsFile))
	if err != nil {
		return hosts.Outcome{}, err
	}
	after := withHostsLine(before, a.Address, hosts.HostsLine(a.Address, a.Names))
	if bytes.Equal(before, after) {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: strings.Join(a.Names, " "),
		note:   remember(hosts.Prior{Setting: "hosts/" + a.Address, Absent: true}),
		act:    func(context.Context) error { return rewrite(h.at(hostsFile), after) },
	})
}

// removeHostsEntry takes Slipway's line for an address out again.
func (h *Host) removeHostsEntry(address string) error {
	defer h.paths.lock(h.at(hostsFile))()
	return edit(h.at(hostsFile), func(before []byte) []byte { return withHostsLine(before, address, "") })
}
