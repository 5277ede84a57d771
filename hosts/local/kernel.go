//go:build linux

package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

var moduleName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// moduleFeatures are files by which the kernel shows that it has a module that is built in.
var moduleFeatures = map[string]string{
	"br_netfilter": "/proc/sys/net/bridge/bridge-nf-call-iptables",
	"nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
	"ip_tables":    "/proc/net/ip_tables_names",
	"ip6_tables":   "/proc/net/ip6_tables_names",
	"ip_vs":        "/proc/net/ip_vs",
}

// hasModule tells whether the kernel has what a module brings: loaded or built in.
func (h *Host) hasModule(name string) bool {
	if !moduleName.MatchString(name) {
		return false
	}
	kernelName := hosts.Underscored(name)
	loaded := func(line string) bool { return strings.HasPrefix(line, kernelName+" ") }
	overlay := func(line string) bool { return strings.HasSuffix(line, "\toverlay") }
	feature, known := moduleFeatures[kernelName]
	return h.exists("/sys/module/"+kernelName) || hasLine(h.at("/proc/modules"), loaded) ||
		known && h.exists(feature) || kernelName == "overlay" && hasLine(h.at("/proc/filesystems"), overlay) ||
		h.isBuiltIn(name)
}

// isBuiltIn tells whether a module is part of the kernel itself, which no file keeps away.
func (h *Host) isBuiltIn(name string) bool {
	kernelName := hosts.Underscored(name)
	builtin := filepath.Join(h.at("/lib/modules"), kernelRelease(), "modules.builtin")
	return hasLine(builtin, func(line string) bool {
		base, _, _ := strings.Cut(path.Base(line), ".ko")
		return hosts.Underscored(base) == kernelName
	})
}

func hasLine(path string, matches func(string) bool) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if matches(scanner.Text()) {
			return true
		}
	}
	return false
}

func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// loadModule loads a kernel module now.
func (h *Host) loadModule(ctx context.Context, a hosts.LoadModule) (hosts.Outcome, error) {
	if !moduleName.MatchString(a.Name) {
		return hosts.Outcome{}, fmt.Errorf("%q is not a module's name", a.Name)
	}
	if h.hasModule(a.Name) {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: "was not loaded",
		note:   remember(hosts.Prior{Setting: "module/" + a.Name, Absent: true}),
		act:    func(ctx context.Context) error { return h.modprobe(ctx, a.Name) },
	})
}

// modprobe has kmod load a module with what it depends on.
func (h *Host) modprobe(ctx context.Context, name string) error {
	if !h.exists("/proc/modules") {
		return errors.New("this kernel takes no modules and does not have it built in")
	}
	command := exec.CommandContext(ctx, "modprobe", "--", name)
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Run(); err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			return fmt.Errorf("modprobe: %s", text)
		}
		return fmt.Errorf("modprobe: %w", err)
	}
	return nil
}

// modulesLoad are where systemd-modules-load, and Debian before it, read what to load.
var modulesLoad = []string{
	"/etc/modules-load.d/*.conf", "/run/modules-load.d/*.conf", "/usr/lib/modules-load.d/*.conf", "/etc/modules",
}

// asksForModule is the file, other than Slipway's own, that has a module loaded; "" where
// none does.
func (h *Host) asksForModule(record *hosts.Record, name string) string {
	kernelName := hosts.Underscored(name)
	for _, pattern := range modulesLoad {
		for _, path := range h.glob(pattern) {
			if _, ours := record.OwnedAt(path); ours {
				continue
			}
			if hasLine(h.at(path), func(line string) bool {
				return hosts.Underscored(strings.TrimSpace(line)) == kernelName
			}) {
				return path
			}
		}
	}
	return ""
}

// unloadModule takes out a module, if nothing uses it.
func unloadModule(name string) error {
	err := unix.DeleteModule(hosts.Underscored(name), unix.O_NONBLOCK)
	for _, stays := range []error{unix.ENOENT, unix.EBUSY, unix.EWOULDBLOCK, unix.EPERM, unix.ENOSYS} {
		if errors.Is(err, stays) {
			return nil
		}
	}
	return err
}

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

// acceptRedirects is the parameter of all links that the kernel writes itself where forwarding changes
// (inet_forward_change in net/ipv4/devinet.c): 0 for a host that begins to forward, 1 for one that stops.
const acceptRedirects = "net.ipv4.conf.all.accept_redirects"

// switchesForwarding tells whether a parameter is the one that has the host forward IPv4, by either of its names.
func switchesForwarding(key string) bool {
	switch hosts.Slashed(key) {
	case "net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding":
		return true
	}
	return false
}

// writeSysctl writes a kernel parameter. A host that takes no ICMP redirects does not begin to because it stops
// forwarding.
func (h *Host) writeSysctl(key, value string) error {
	if !switchesForwarding(key) {
		return h.putSysctl(key, value)
	}
	redirects, _ := h.readSysctl(acceptRedirects) // "" where the kernel has none
	err := h.putSysctl(key, value)
	if err == nil && redirects == "0" {
		err = h.putSysctl(acceptRedirects, redirects)
	}
	return err
}

func (h *Host) putSysctl(key, value string) error {
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
		note:   remember(append(h.changedAlong(a.Key, want), hosts.Prior{Setting: "sysctl/" + a.Key, Value: have, Set: want})...),
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

// changedAlong is what the kernel changes when a parameter is set: a host that begins to forward takes no redirects any
// more, which is right for a router and stays so while it is one. It is noted before the parameter, since a reset goes
// backwards: put back before forwarding ends, it would have a router take redirects.
func (h *Host) changedAlong(key, want string) []hosts.Prior {
	if !switchesForwarding(key) || want == "0" {
		return nil
	}
	redirects, err := h.readSysctl(acceptRedirects)
	if err != nil || redirects == "0" {
		return nil
	}
	return []hosts.Prior{{Setting: "sysctl/" + acceptRedirects, Value: redirects, Set: "0"}}
}
