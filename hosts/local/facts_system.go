//go:build linux

package local

import (
	"context"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// bootIDFile has the ID of the running boot.
const bootIDFile = "/proc/sys/kernel/random/boot_id"

// writtenPlaces are where Slipway, and what it sets up, writes.
var writtenPlaces = []string{"/", "/opt", "/var/lib/slipway", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd", "/var/log"}

func (h *Host) observeSystem(_ context.Context, _ hosts.Query, facts *hosts.Facts) error {
	running, static, err := h.hostnames()
	if err != nil {
		return err
	}
	facts.Hostname, facts.StaticHostname = running, static
	facts.MachineID = h.line("/etc/machine-id")
	facts.SystemUUID = strings.ToLower(h.line("/sys/class/dmi/id/product_uuid"))
	facts.BootID = h.line(bootIDFile)
	facts.OS = h.release()
	facts.CPUs = runtime.NumCPU()
	facts.Memory = h.kilobytes("/proc/meminfo", "MemTotal:") << 10
	facts.User = "uid " + strconv.Itoa(os.Geteuid())
	if who, err := user.Current(); err == nil {
		facts.User = who.Username
	}
	switch h.line("/sys/fs/selinux/enforce") {
	case "1":
		facts.SELinux = "enforcing"
	case "0":
		facts.SELinux = "permissive"
	}
	return nil
}

// line is the first line of a file, "" where there is none.
func (h *Host) line(path string) string {
	data, err := os.ReadFile(h.at(path))
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(first)
}

// value is what follows a key in a file of lines.
func (h *Host) value(path, key string) (value string) {
	hasLine(h.at(path), func(line string) bool {
		rest, found := strings.CutPrefix(line, key)
		if found {
			value = strings.TrimSpace(rest)
		}
		return found
	})
	return value
}

func (h *Host) kilobytes(path, key string) int64 {
	number, _, _ := strings.Cut(h.value(path, key), " ")
	count, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return count
}

// release reads os-release: for people, nothing is decided by it.
func (h *Host) release() hosts.OS {
	path := "/etc/os-release"
	if !h.exists(path) {
		path = "/usr/lib/os-release"
	}
	get := func(key string) string { return strings.Trim(h.value(path, key+"="), `"'`) }
	return hosts.OS{ID: get("ID"), Version: get("VERSION_ID"), Pretty: get("PRETTY_NAME")}
}

func (h *Host) observeCgroups(_ context.Context, _ hosts.Query, facts *hosts.Facts) error {
	if unified := strings.Fields(h.line("/sys/fs/cgroup/cgroup.controllers")); len(unified) > 0 {
		facts.Cgroup = hosts.Cgroup{Version: 2, Controllers: unified}
		return nil
	}
	facts.Cgroup = hosts.Cgroup{Version: 1, Controllers: []string{}}
	data, err := readIfThere(h.at("/proc/cgroups"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line) // name, hierarchy, groups, enabled
		if len(fields) != 4 || strings.HasPrefix(line, "#") || fields[3] != "1" {
			continue
		}
		if h.exists("/sys/fs/cgroup/" + fields[0]) {
			facts.Cgroup.Controllers = append(facts.Cgroup.Controllers, fields[0])
		}
	}
	slices.Sort(facts.Cgroup.Controllers)
	return nil
}

func (h *Host) observeKernel(ctx context.Context, _ hosts.Query, facts *hosts.Facts) error {
	facts.CanRaiseOOMScore = h.hasCapability(unix.CAP_SYS_RESOURCE)
	facts.ConntrackWritable = h.conntrackWritable()
	facts.NFTables = nftablesAnswer()
	facts.IPTables = h.offersModule("ip_tables") || h.offersModule("nft_compat")
	lookingAt(ctx, "/var/lib/containerd")
	facts.OverlayFS = h.overlayUsable()
	return nil
}

// hasCapability tells whether this process has a capability.
func (h *Host) hasCapability(capability uint) bool {
	effective, err := strconv.ParseUint(h.value("/proc/self/status", "CapEff:"), 16, 64)
	return err == nil && effective&(1<<capability) != 0
}

// conntrackWritable tells whether the size of the table of connections can be set: not in
// a network namespace of its own, nor where /proc/sys is read-only.
func (h *Host) conntrackWritable() bool {
	err := unix.Access(h.at("/proc/sys/net/netfilter/nf_conntrack_max"), unix.W_OK)
	if errors.Is(err, unix.ENOENT) { // its module is not loaded yet
		err = unix.Access(h.at("/proc/sys/net/ipv4/ip_forward"), unix.W_OK)
	}
	return err == nil
}

// offersModule tells whether the kernel has a module's function or could load it.
func (h *Host) offersModule(name string) bool {
	if h.hasModule(name) {
		return true
	}
	list := filepath.Join(h.at("/lib/modules"), kernelRelease(), "modules.dep")
	return hasLine(list, func(line string) bool {
		file, _, _ := strings.Cut(line, ":")
		base, _, _ := strings.Cut(filepath.Base(file), ".ko")
		return strings.ReplaceAll(base, "-", "_") == name
	})
}

// overlayUsable tells whether containerd's overlay snapshotter can work: the kernel has
// overlayfs, and what its directory lies on may carry upper directories.
func (h *Host) overlayUsable() bool {
	if !h.offersModule("overlay") {
		return false
	}
	path := h.at("/var/lib/containerd")
	for {
		var stat unix.Statfs_t
		err := unix.Statfs(path, &stat)
		if err == nil {
			switch stat.Type {
			case unix.OVERLAYFS_SUPER_MAGIC, unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
				return false
			}
			return true
		}
		if !errors.Is(err, unix.ENOENT) || path == "/" {
			return false
		}
		path = filepath.Dir(path)
	}
}

func (h *Host) observeDisks(ctx context.Context, _ hosts.Query, facts *hosts.Facts) error {
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return err
	}
	for _, path := range writtenPlaces {
		lookingAt(ctx, path)
		disk, err := diskAt(h.at(path))
		if err != nil {
			return err
		}
		disk.Path = path
		if mount := h.mountHolding(mounts, path); mount != nil && strings.HasPrefix(mount.Source, "/") {
			disk.Device = mount.Source
		}
		facts.Disks = append(facts.Disks, disk)
	}
	return nil
}

func (h *Host) observeSwap(ctx context.Context, _ hosts.Query, facts *hosts.Facts) error {
	areas, err := h.readSwaps()
	if err != nil {
		return err
	}
	for _, area := range areas {
		facts.Swaps = append(facts.Swaps, area.device)
	}
	units, lines, err := h.swapSources(ctx)
	if err != nil {
		return err
	}
	facts.SwapUnits = units
	for _, line := range lines {
		facts.SwapUnits = append(facts.SwapUnits, "fstab "+line)
	}
	return nil
}

func (h *Host) ufwEnabled() bool {
	return strings.EqualFold(h.value("/etc/ufw/ufw.conf", "ENABLED="), "yes")
}
