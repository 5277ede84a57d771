//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
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
	// orphanPatience is how long killed processes may take to be gone.
	orphanPatience = 10 * time.Second
)

// endOrphans kills until none is left: a container may have forked in between.
func (h *Host) endOrphans(ctx context.Context) error {
	if h.root != "/" {
		return errors.New("a scratch directory has no processes of its own to end")
	}
	ctx, cancel := context.WithTimeout(ctx, orphanPatience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		orphans, err := h.orphans()
		if err != nil || len(orphans) == 0 {
			return err
		}
		for _, pid := range orphans {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v do not end: %w", orphans, ctx.Err())
		case <-ticker.C:
		}
	}
}

// orphans lists the processes of Kubernetes' containers and shims: those whose control
// group names a task of the k8s.io namespace, and the shims of that namespace.
func (h *Host) orphans() ([]int, error) {
	tasks, err := os.ReadDir(h.at(taskDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	processes, err := os.ReadDir(h.at("/proc"))
	if err != nil {
		return nil, err
	}
	var found []int
	for _, process := range processes {
		pid, err := strconv.Atoi(process.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := h.at(filepath.Join("/proc", process.Name()))
		if isShim(dir) || inTask(dir, tasks) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// isShim tells whether a process is a shim of the k8s.io namespace.
func isShim(process string) bool {
	data, err := os.ReadFile(filepath.Join(process, "cmdline"))
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

// inTask tells whether a process's control groups name one of the tasks: an id of 64
// hexadecimal digits, so never by chance.
func inTask(process string, tasks []os.DirEntry) bool {
	if len(tasks) == 0 {
		return false
	}
	data, err := os.ReadFile(filepath.Join(process, "cgroup"))
	if err != nil {
		return false
	}
	const idLength = 64
	return slices.ContainsFunc(tasks, func(task os.DirEntry) bool {
		return len(task.Name()) == idLength && strings.Contains(string(data), task.Name())
	})
}
