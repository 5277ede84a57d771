//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// taskDir holds a directory for each task of the k8s.io namespace.
	taskDir = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
	// orphanTimeout is how long killed processes may take to be gone.
	orphanTimeout = 10 * time.Second
)

// tasks lists the directories of the tasks that there are, whether containerd runs or not.
func (h *Host) tasks() ([]os.DirEntry, error) {
	tasks, err := os.ReadDir(h.at(taskDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return tasks, nil
}

// processes lists the host's processes.
func (h *Host) processes() ([]int, error) {
	entries, err := os.ReadDir(h.at("/proc"))
	if err != nil {
		return nil, err
	}
	var all []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all, nil
}

// proc is where the kernel shows something of a process.
func (h *Host) proc(pid int, name string) string {
	return h.at(filepath.Join("/proc", strconv.Itoa(pid), name))
}

// orphans gives the processes of Kubernetes' containers and shims, with what each is: those
// whose control group names a task of the k8s.io namespace, and the shims of that namespace.
func (h *Host) orphans() (map[int]string, error) {
	tasks, err := h.tasks()
	if err != nil {
		return nil, err
	}
	processes, err := h.processes()
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, pid := range processes {
		switch {
		case pid == os.Getpid():
		case h.isShim(pid):
			found[pid] = "a shim"
		case h.taskOf(pid, tasks) != nil:
			found[pid] = "a container"
		}
	}
	return found, nil
}

// orphansOf gives the processes of those Pods of kube-system that are named, with the Pod of each.
func (h *Host) orphansOf(names []string) (map[int]string, error) {
	tasks, err := h.tasks()
	if err != nil {
		return nil, err
	}
	pods := map[string]string{} // of a task
	for _, entry := range tasks {
		config, err := h.taskConfigOf(entry)
		if errors.Is(err, os.ErrNotExist) {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		if of := config.Annotations; of.Namespace == systemNamespace && slices.Contains(names, of.Pod) {
			pods[entry.Name()] = of.Pod
		}
	}
	processes, err := h.processes()
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, pid := range processes {
		if task := h.taskOf(pid, tasks); task != nil && pods[task.Name()] != "" {
			found[pid] = pods[task.Name()]
		}
	}
	return found, nil
}

// isShim tells whether a process is a shim of the k8s.io namespace.
func (h *Host) isShim(pid int) bool {
	data, err := os.ReadFile(h.proc(pid, "cmdline"))
	if err != nil {
		return false
	}
	args := strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
	if !strings.HasPrefix(filepath.Base(args[0]), "containerd-shim-") {
		return false
	}
	at := slices.Index(args, "-namespace")
	return at >= 0 && at+1 < len(args) && args[at+1] == kubernetesNamespace
}

// taskOf is the task that a process's control groups name, nil where they name none: an id of
// 64 hexadecimal digits, so never by chance.
func (h *Host) taskOf(pid int, tasks []os.DirEntry) os.DirEntry {
	if len(tasks) == 0 {
		return nil
	}
	data, err := os.ReadFile(h.proc(pid, "cgroup"))
	if err != nil {
		return nil
	}
	const idLength = 64
	for _, task := range tasks {
		if len(task.Name()) == idLength && strings.Contains(string(data), task.Name()) {
			return task
		}
	}
	return nil
}

// orphanPods names those Pods of kube-system, of the ones named, whose processes outlive
// a containerd that does not run.
func (h *Host) orphanPods(names []string) ([]string, error) {
	processes, err := h.orphansOf(names)
	return slices.Compact(slices.Sorted(maps.Values(processes))), err
}

// endOrphans kills all processes of Kubernetes' containers and shims.
func (h *Host) endOrphans(ctx context.Context) error {
	return h.signalUntilGone(ctx, h.orphans, unix.SIGKILL, orphanTimeout)
}

// endOrphanPods asks the Pods' processes to end, and kills those that have not within grace.
func (h *Host) endOrphanPods(ctx context.Context, names []string, grace time.Duration) error {
	left := func() (map[int]string, error) { return h.orphansOf(names) }
	if err := h.signalUntilGone(ctx, left, unix.SIGTERM, grace); err == nil || ctx.Err() != nil {
		return err
	}
	return h.signalUntilGone(ctx, left, unix.SIGKILL, orphanTimeout)
}

// signalUntilGone sends every process a signal once, those too that were forked in between,
// and waits until none is left.
func (h *Host) signalUntilGone(ctx context.Context, list func() (map[int]string, error), signal syscall.Signal, within time.Duration) error {
	if h.root != "/" {
		return errors.New("a scratch directory has no processes of its own to end")
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	signalled := map[int]bool{}
	for {
		processes, err := list()
		if err != nil || len(processes) == 0 {
			return err
		}
		var left []string
		for pid, of := range processes {
			left = append(left, fmt.Sprintf("%d of %s", pid, of))
			if signalled[pid] {
				continue
			}
			signalled[pid] = true
			if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end process %d of %s: %w", pid, of, err)
			}
		}
		select {
		case <-ctx.Done():
			slices.Sort(left)
			return fmt.Errorf("processes do not end: %s: %w", strings.Join(left, ", "), ctx.Err())
		case <-ticker.C:
		}
	}
}

// leftoverGroups are the control groups that the kubelet made for Pods, in every hierarchy,
// children before parents; none while a kubelet runs, which uses them.
func (h *Host) leftoverGroups(ctx context.Context) ([]string, error) {
	if runs, err := h.runs(ctx, "kubelet.service"); runs || err != nil {
		return nil, err
	}
	var groups []string
	for _, pattern := range []string{
		// The two names that a kubelet uses, by its driver, and none that only begins alike.
		"/sys/fs/cgroup/kubepods", "/sys/fs/cgroup/kubepods.slice",
		"/sys/fs/cgroup/*/kubepods", "/sys/fs/cgroup/*/kubepods.slice",
	} {
		roots, err := filepath.Glob(h.at(pattern))
		if err != nil {
			return nil, err
		}
		for _, root := range roots {
			if liesInLink(root) { // cpu may be a link to cpu,cpuacct
				continue
			}
			err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					groups = append(groups, path)
				}
				return nil // one that goes meanwhile is gone
			})
			if err != nil {
				return nil, err
			}
		}
	}
	slices.Reverse(groups)
	return groups, nil
}

// podsSlice is the unit that a kubelet with systemd's driver makes for all Pods. If only the folder
// of its control group is removed, systemd makes it again.
const podsSlice = "kubepods.slice"

// podsSlice tells whether systemd has that unit left over from a kubelet that does not run.
func (h *Host) podsSlice(ctx context.Context) (bool, error) {
	if runs, err := h.runs(ctx, "kubelet.service"); runs || err != nil {
		return false, err
	}
	state, err := h.unitIfAny(ctx, podsSlice)
	return state.Active == "active", err
}

// liesInLink tells whether the folder that a path lies in is a link.
func liesInLink(path string) bool {
	info, err := os.Lstat(filepath.Dir(path))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// removeGroups removes control groups that hold no process.
func removeGroups(groups []string) error {
	for _, group := range groups {
		err := syscall.Rmdir(group)
		if err != nil && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("remove control group %s: %w", group, err)
		}
	}
	return nil
}
