package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// hostSpec is what a host's init is told through its pipe before it becomes init.
type hostSpec struct {
	Name    string      `json:"name"`
	Image   string      `json:"image"`
	Disk    string      `json:"disk"` // the host's folder
	Places  []place     `json:"places"`
	Cgroups []hierarchy `json:"cgroups"`
}

// The file descriptors that a host's init begins with.
const (
	specDescriptor  = 3 // the spec, when the parent has put the process where it belongs
	errorDescriptor = 4 // what went wrong; closed and empty when init runs
	lockDescriptor  = 5 // the lab's lock, held until the spec is there or will not come
)

// plainFolders are the parts of a host's disk that lie on the machine's own file
// system, because an overlay cannot be laid over them or should not be written through.
var plainFolders = []string{"containerd", "kubelet", "etcd"}

// hostMain is the first process of a host. It mounts the host's root in its new
// namespaces and becomes systemd.
func hostMain() error {
	runtime.LockOSThread() // the cgroup namespace is this thread's alone until exec
	unix.CloseOnExec(specDescriptor)
	unix.CloseOnExec(errorDescriptor)
	report := os.NewFile(errorDescriptor, "error")
	var spec hostSpec
	lock := os.NewFile(lockDescriptor, "lock")
	if err := json.NewDecoder(os.NewFile(specDescriptor, "spec")).Decode(&spec); err != nil {
		return fmt.Errorf("read the specification of the host: %w", err) // the parent is gone: so is this
	}
	if err := lock.Close(); err != nil {
		return err
	}
	err := becomeHost(spec)
	fmt.Fprint(report, err)
	return err
}

// becomeHost returns only when something fails.
func becomeHost(spec hostSpec) error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare the cgroups: %w", err)
	}
	if err := unix.Sethostname([]byte(spec.Name)); err != nil {
		return fmt.Errorf("set the host's name: %w", err)
	}
	if err := configureNetwork(spec.Places); err != nil {
		return err
	}
	if err := mountRoot(spec); err != nil {
		return err
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	unix.Umask(0o022)
	env := []string{"container=slipway-lab", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=linux"}
	return fmt.Errorf("run /sbin/init: %w", unix.Exec("/sbin/init", []string{"/sbin/init"}, env))
}

// mountRoot makes the host's root out of the image and its disk, and makes it the root.
func mountRoot(spec hostSpec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	root := filepath.Join(spec.Disk, "root")
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s",
		overlayPath(spec.Image), overlayPath(filepath.Join(spec.Disk, "upper")), overlayPath(filepath.Join(spec.Disk, "work")))
	if err := unix.Mount("overlay", root, "overlay", 0, layers); err != nil {
		return fmt.Errorf("lay the host's disk over %s: %w", spec.Image, err)
	}
	steps := []func(hostSpec, string) error{
		mountKernelFiles, mountDevices, coverKernelFiles, mountCgroups, mountPlainFolders, mountModules,
	}
	for _, step := range steps {
		if err := step(spec, root); err != nil {
			return err
		}
	}
	return pivotRoot(root)
}

// overlayPath escapes what has a meaning in overlay's options.
func overlayPath(path string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `:`, `\:`).Replace(path)
}

// mount makes the mount point, then mounts.
func mount(source, target, filesystem string, flags uintptr, options string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, target, filesystem, flags, options); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

// mountKernelFiles mounts what every Linux has at these places.
func mountKernelFiles(_ hostSpec, root string) error {
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	return errors.Join(
		mount("proc", filepath.Join(root, "proc"), "proc", quiet, ""),
		mount("sysfs", filepath.Join(root, "sys"), "sysfs", quiet, ""),
		mount("tmpfs", filepath.Join(root, "run"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"),
		mount("tmpfs", filepath.Join(root, "tmp"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"),
	)
}

// devices are those that a host has beside its terminals.
var devices = []struct {
	name         string
	major, minor uint32
	mode         uint32
}{
	{"null", 1, 3, 0o666}, {"zero", 1, 5, 0o666}, {"full", 1, 7, 0o666}, {"random", 1, 8, 0o666},
	{"urandom", 1, 9, 0o666}, {"kmsg", 1, 11, 0o644}, {"tty", 5, 0, 0o666},
	{"fuse", 10, 229, 0o666}, {"net/tun", 10, 200, 0o666},
}

// mountDevices makes a small /dev.
func mountDevices(_ hostSpec, root string) error {
	dev := filepath.Join(root, "dev")
	if err := mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	for _, device := range devices {
		path := filepath.Join(dev, device.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := unix.Mknod(path, unix.S_IFCHR|device.mode, int(unix.Mkdev(device.major, device.minor))); err != nil {
			return fmt.Errorf("make /dev/%s: %w", device.name, err)
		}
		if err := os.Chmod(path, fs.FileMode(device.mode)); err != nil {
			return err
		}
	}
	links := map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx", "core": "/proc/kcore",
	}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return errors.Join(
		mount("devpts", filepath.Join(dev, "pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5"),
		mount("tmpfs", filepath.Join(dev, "shm"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"),
	)
}

// mountCgroups mounts the hierarchies of the machine again; in the new namespace each
// begins at the host's own cgroup.
func mountCgroups(spec hostSpec, root string) error {
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	top := filepath.Join(root, "sys/fs/cgroup")
	// What else is under /sys is the machine's: its modules' parameters, its power.
	if err := unix.Mount("", filepath.Join(root, "sys"), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|quiet, ""); err != nil {
		return fmt.Errorf("make /sys read-only: %w", err)
	}
	if spec.Cgroups[0].Unified {
		return mount("cgroup2", top, "cgroup2", quiet, "")
	}
	if err := mount("tmpfs", top, "tmpfs", quiet, "mode=755"); err != nil {
		return err
	}
	for _, h := range spec.Cgroups {
		if h.Unified { // where systemd looks for it when there are v1 hierarchies
			if err := mount("cgroup2", filepath.Join(top, "unified"), "cgroup2", quiet, ""); err != nil {
				return err
			}
			continue
		}
		name, named := strings.CutPrefix(h.Options, "name=")
		options := h.Options
		if named {
			options = "none," + options
		}
		if err := mount("cgroup", filepath.Join(top, name), "cgroup", quiet, options); err != nil {
			return err
		}
		if !strings.Contains(name, ",") {
			continue
		}
		for _, controller := range strings.Split(name, ",") {
			if err := os.Symlink(name, filepath.Join(top, controller)); err != nil {
				return err
			}
		}
	}
	return nil
}

func mountPlainFolders(spec hostSpec, root string) error {
	for _, name := range plainFolders {
		if err := mount(filepath.Join(spec.Disk, name), filepath.Join(root, "var/lib", name), "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// mountModules shows the host the modules that fit its kernel, where the machine has any.
func mountModules(_ hostSpec, root string) error {
	const modules = "/lib/modules"
	if _, err := os.Stat(modules); err != nil {
		return nil
	}
	target := filepath.Join(root, "usr", modules)
	if err := mount(modules, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// pivotRoot makes the folder the root directory, and detaches the machine's.
func pivotRoot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	// With both the same, the old root is stacked on the new one and can be detached there.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("turn to the host's root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the machine's root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	// As on every machine that systemd boots: what Pods mount must reach the host.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share the host's mounts: %w", err)
	}
	return nil
}

// dropCapabilities takes from this thread, and from what it starts, what would reach
// beyond a host's namespaces and what no cluster needs: there is one clock, and it is
// the machine's.
func dropCapabilities() error {
	for _, capability := range []uintptr{unix.CAP_SYS_TIME} {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
			return fmt.Errorf("drop a capability: %w", err)
		}
	}
	return nil
}
