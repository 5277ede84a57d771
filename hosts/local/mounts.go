//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// mountsBelow lists what is mounted strictly below a path of the host, or below what it is
// a link to: mount points as the kernel names them, deepest and latest first.
func (h *Host) mountsBelow(path string) ([]string, error) {
	at := h.at(path)
	if resolved, err := filepath.EvalSymlinks(at); err == nil {
		at = resolved // the kernel knows mount points by their resolved paths
	}
	mounts, err := mountinfo.GetMounts(func(mount *mountinfo.Info) (skip, stop bool) {
		return !strings.HasPrefix(mount.Mountpoint, strings.TrimSuffix(at, "/")+"/"), false
	})
	if err != nil {
		return nil, err
	}
	var below []string
	for _, mount := range mounts {
		below = append(below, mount.Mountpoint)
	}
	slices.Reverse(below)
	slices.SortStableFunc(below, func(a, b string) int {
		return strings.Count(b, "/") - strings.Count(a, "/")
	})
	return below, nil
}

// unmount unmounts all that is mounted below a path, the deepest first.
func (h *Host) unmount(ctx context.Context, a hosts.Unmount) (hosts.Outcome, error) {
	if _, err := h.absolute(a.Below); err != nil {
		return hosts.Outcome{}, err
	}
	below, err := h.mountsBelow(a.Below)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if len(below) == 0 {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: fmt.Sprintf("%d mounts", len(below)),
		act: func(ctx context.Context) error {
			for _, mount := range below {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := unmountPoint(mount); err != nil {
					return fmt.Errorf("unmount %s: %w", mount, err)
				}
			}
			return nil
		},
	})
}

// unmountPoint unmounts one mount point; a busy one is detached, and unmounted when its last
// user ends.
func unmountPoint(path string) error {
	dir, err := walk{noLinks: true}.to(filepath.Dir(path)) // the kernel's path has no links
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	held, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer held.Close()
	point := fmt.Sprintf("/proc/self/fd/%d/%s", held.Fd(), filepath.Base(path))
	err = unix.Unmount(point, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EBUSY) {
		err = unix.Unmount(point, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH)
	}
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil // gone in between
	}
	return err
}

// mountHolding is the one of the mounts that a path of the host lies on, or would once it is made; nil: none does.
func (h *Host) mountHolding(all []*mountinfo.Info, path string) *mountinfo.Info {
	real := h.realPlace(h.at(path))
	var holder *mountinfo.Info
	for _, mount := range all { // of those at one place the last is on top
		if liesWithin(real, mount.Mountpoint) && (holder == nil || len(mount.Mountpoint) >= len(holder.Mountpoint)) {
			holder = mount
		}
	}
	return holder
}

// liesWithin tells whether a path is a folder or lies below it.
func liesWithin(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

// realPlace is what a path leads to: of what is not there yet, what its parents lead to.
func (h *Host) realPlace(path string) string {
	for rest := ""; ; path, rest = filepath.Dir(path), filepath.Join(filepath.Base(path), rest) {
		if real, err := filepath.EvalSymlinks(path); err == nil || path == "/" {
			return filepath.Join(real, rest)
		}
	}
}
