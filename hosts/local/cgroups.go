//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

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
