package lab

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// machineSettings are the settings under /proc/sys that no namespace keeps apart, and
// that systemd, the preparation of a Kubernetes host or the kubelet may set. A host gets
// a copy of each, so it reads back what it wrote, and the machine keeps its own.
var machineSettings = []string{
	"fs/aio-max-nr", "fs/file-max", "fs/nr_open", "fs/pipe-max-size", "fs/suid_dumpable", "fs/may_detach_mounts",
	"fs/inotify/max_queued_events", "fs/inotify/max_user_instances", "fs/inotify/max_user_watches",
	"fs/protected_fifos", "fs/protected_hardlinks", "fs/protected_regular", "fs/protected_symlinks",
	"kernel/core_pattern", "kernel/core_pipe_limit", "kernel/core_uses_pid", "kernel/dmesg_restrict",
	"kernel/keys/maxbytes", "kernel/keys/maxkeys", "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys",
	"kernel/kptr_restrict", "kernel/panic", "kernel/panic_on_oops", "kernel/panic_on_warn",
	"kernel/perf_event_paranoid", "kernel/pid_max", "kernel/printk", "kernel/randomize_va_space",
	"kernel/softlockup_panic", "kernel/sysrq", "kernel/threads-max", "kernel/unprivileged_bpf_disabled",
	"kernel/yama/ptrace_scope",
	"vm/compact_memory", "vm/dirty_background_ratio", "vm/dirty_ratio", "vm/drop_caches", "vm/max_map_count",
	"vm/min_free_kbytes", "vm/mmap_min_addr", "vm/oom_kill_allocating_task", "vm/overcommit_memory",
	"vm/overcommit_ratio", "vm/panic_on_oom", "vm/swappiness", "vm/vfs_cache_pressure",
}

// noSwap is /proc/swaps of a host that has none: the machine's swap is the machine's.
const noSwap = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

// coverKernelFiles lays files of the host's own over those of /proc that speak of the
// machine or for it. They lie in a tmpfs that no path leads to any more.
func coverKernelFiles(_ hostSpec, root string) error {
	boot, err := randomUUID()
	if err != nil {
		return err
	}
	store := filepath.Join(root, "mnt")
	if err := mount("tmpfs", store, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=700"); err != nil {
		return err
	}
	proc := filepath.Join(root, "proc")
	for _, setting := range machineSettings {
		value, err := os.ReadFile(filepath.Join("/proc/sys", setting))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil { // some can only be written
			value = nil
		}
		if err := cover(store, filepath.Join(proc, "sys", setting), value); err != nil {
			return err
		}
	}
	// Every boot of a host has an ID of its own, as on a machine.
	if err := cover(store, filepath.Join(proc, "sys/kernel/random/boot_id"), []byte(boot+"\n")); err != nil {
		return err
	}
	if err := cover(store, filepath.Join(proc, "swaps"), []byte(noSwap)); err != nil {
		return err
	}
	sysrq := filepath.Join(proc, "sysrq-trigger")
	if err := unix.Mount(filepath.Join(root, "dev/null"), sysrq, "", unix.MS_BIND, ""); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cover %s: %w", sysrq, err)
	}
	return unix.Unmount(store, unix.MNT_DETACH)
}

// cover lays a file with this content over another.
func cover(store, target string, content []byte) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(target); err == nil {
		mode = info.Mode().Perm()
	}
	file, err := os.CreateTemp(store, "")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Chmod(mode), file.Close()); err != nil {
		return err
	}
	if err := unix.Mount(file.Name(), target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cover %s: %w", target, err)
	}
	return nil
}

func randomUUID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
