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

// orphanPods names those Pods of kube-system, of the ones named, whose processes outlive
// a containerd that does not run.
func (h *Host) orphanPods(names []string) ([]string, error) {
	processes, err := h.orphansOf(names)
	if err != nil {
		return nil, err
	}
	var running []string
	for _, pods := range processes {
		running = addOnce(running, pods)
	}
	slices.Sort(running)
	return running, nil
}

// orphansOf gives the processes of the Pods, with the Pod of each.
func (h *Host) orphansOf(names []string) (map[int]string, error) {
	tasks, err := os.ReadDir(h.at(taskDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	found := map[int]string{}
	for _, entry := range tasks {
		one, err := h.taskOf(entry)
		if errors.Is(err, os.ErrNotExist) {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		pod := one.Annotations.Pod
		if one.Annotations.Namespace != systemNamespace || !slices.Contains(names, pod) {
			continue
		}
		processes, err := h.processesIn(entry)
		if err != nil {
			return nil, err
		}
		for _, pid := range processes {
			found[pid] = pod
		}
	}
	return found, nil
}

// processesIn lists the processes of a task.
func (h *Host) processesIn(task os.DirEntry) ([]int, error) {
	processes, err := os.ReadDir(h.at("/proc"))
	if err != nil {
		return nil, err
	}
	var found []int
	for _, process := range processes {
		pid, err := strconv.Atoi(process.Name())
		if err == nil && inTask(h.at(filepath.Join("/proc", process.Name())), []os.DirEntry{task}) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// endOrphanPods asks the Pods' processes to end, and kills those that have not within grace.
func (h *Host) endOrphanPods(ctx context.Context, names []string, grace time.Duration) error {
	if h.root != "/" {
		return errors.New("a scratch directory has no processes of its own to end")
	}
	if err := h.signalUntilGone(ctx, names, syscall.SIGTERM, grace); err == nil || ctx.Err() != nil {
		return err
	}
	return h.signalUntilGone(ctx, names, syscall.SIGKILL, orphanPatience)
}

// signalUntilGone sends every process of the Pods a signal once, and waits until none is left.
func (h *Host) signalUntilGone(ctx context.Context, names []string, signal syscall.Signal, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	told := map[int]bool{}
	for {
		processes, err := h.orphansOf(names)
		if err != nil || len(processes) == 0 {
			return err
		}
		var left []string
		for pid, pod := range processes {
			left = append(left, fmt.Sprintf("%d of %s", pid, pod))
			if told[pid] {
				continue
			}
			told[pid] = true
			if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end process %d of %s: %w", pid, pod, err)
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
