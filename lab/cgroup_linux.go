package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupRoot is the folder that holds all labs' cgroups, in every hierarchy.
const cgroupRoot = "slipway-lab"

// hierarchy is one cgroup hierarchy as this machine has it mounted.
type hierarchy struct {
	Mount   string `json:"mount"`
	Unified bool   `json:"unified,omitempty"` // cgroup v2
	Options string `json:"options,omitempty"` // of v1: the controllers, or name=systemd

	controllers bool // of v2: it has them, and hands them down
}

// hierarchies gives what a host of this machine is to get: every v1 hierarchy and, as
// the last, that of v2. Where there are v1 ones, systemd mounts v2 by itself to keep
// track of its processes, so a host needs a cgroup of its own there too.
func hierarchies() ([]hierarchy, error) {
	mounts, err := readMounts()
	if err != nil {
		return nil, fmt.Errorf("look for cgroups: %w", err)
	}
	return hierarchiesOf(mounts)
}

func hierarchiesOf(mounts []mountPoint) ([]hierarchy, error) {
	var legacy, unified []hierarchy // of a machine with v1, unified may be empty
	for _, m := range mounts {
		switch m.filesystem {
		case "cgroup":
			h := hierarchy{Mount: m.path, Options: controllers(m.options)}
			if !slices.ContainsFunc(legacy, func(o hierarchy) bool { return o.Options == h.Options }) {
				legacy = append(legacy, h)
			}
		case "cgroup2":
			unified = append(unified, hierarchy{Mount: m.path, Unified: true})
		}
	}
	switch {
	case len(legacy) == 0 && len(unified) == 0:
		return nil, errors.New("no cgroup hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup")
	case len(legacy) == 0:
		return unified[:1], nil
	case !slices.ContainsFunc(legacy, func(h hierarchy) bool { return h.Options == "name=systemd" }):
		return nil, errors.New("cgroup v1 without the hierarchy that systemd keeps its units in: " +
			"mkdir -p /sys/fs/cgroup/systemd && mount -t cgroup -o none,name=systemd systemd /sys/fs/cgroup/systemd")
	}
	return append(legacy, unified[:min(1, len(unified))]...), nil
}

// controllers leaves of a v1 superblock's options those that say which hierarchy it is.
func controllers(options string) string {
	other := []string{"rw", "ro", "xattr", "clone_children", "noprefix", "cpuset_v2_mode"}
	var keep []string
	for _, option := range strings.Split(options, ",") {
		if !slices.Contains(other, option) && !strings.HasPrefix(option, "release_agent=") {
			keep = append(keep, option)
		}
	}
	return strings.Join(keep, ",")
}

// cgroup is the lab's folder in a hierarchy. Labs of one name may exist under several
// folders, so the folder is part of it.
func (l *Lab) cgroup(h hierarchy) string {
	sum := sha256.Sum256([]byte(l.dir))
	return filepath.Join(h.Mount, cgroupRoot, l.name+"-"+hex.EncodeToString(sum[:4]))
}

func (l *Lab) hostCgroup(h hierarchy, host string) string {
	return filepath.Join(l.cgroup(h), host)
}

// makeCgroups makes a host's cgroup in every hierarchy, or the lab's own where no host
// is named.
func (l *Lab) makeCgroups(all []hierarchy, host string) error {
	for _, h := range all {
		if h.Unified && len(all) == 1 { // else the controllers are v1's
			h.controllers = true
		}
		path := h.Mount
		for _, part := range strings.Split(strings.TrimPrefix(l.hostCgroup(h, host), h.Mount+"/"), "/") {
			if err := makeCgroup(h, path, part); err != nil {
				return fmt.Errorf("make the cgroup %s: %w", filepath.Join(path, part), err)
			}
			path = filepath.Join(path, part)
		}
	}
	return nil
}

// makeCgroup makes one child, fit to hold processes with the parent's controllers.
func makeCgroup(h hierarchy, parent, name string) error {
	if h.controllers {
		enableControllers(parent)
	}
	child := filepath.Join(parent, name)
	if err := os.Mkdir(child, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if h.Unified || !slices.Contains(strings.Split(h.Options, ","), "cpuset") {
		return nil
	}
	// A v1 cpuset begins empty, and no process can enter it so.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(child, file), value, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(child, "cgroup.clone_children"), []byte("1"), 0o644)
}

// enableControllers hands what a v2 cgroup has to its children, one by one: a machine
// that keeps one back (because of processes beside the children, or of a controller
// that cannot be delegated) still boots hosts, which then show that they lack it.
func enableControllers(path string) {
	data, err := os.ReadFile(filepath.Join(path, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, controller := range strings.Fields(string(data)) {
		_ = os.WriteFile(filepath.Join(path, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
}

// enterCgroups moves a process into a host's cgroups.
func (l *Lab) enterCgroups(all []hierarchy, host string, pid int) error {
	for _, h := range all {
		file := filepath.Join(l.hostCgroup(h, host), "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return fmt.Errorf("move the init of %s into its cgroup: %w", host, err)
		}
	}
	return nil
}

// emptyCgroup ends whatever is in a cgroup or below, and removes it.
func emptyCgroup(ctx context.Context, path string) error {
	for {
		inside, err := processesInCgroup(path)
		if err != nil {
			return err
		}
		// Waited for, not only killed: a process leaves its cgroup before it is gone.
		if err := endProcesses(ctx, inside); err != nil {
			return err
		}
		err = removeCgroup(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		if stop := pause(ctx, 5*time.Millisecond); stop != nil {
			return fmt.Errorf("remove cgroup %s: %w", path, err)
		}
	}
}

// removeCgroup removes a cgroup and those below; EBUSY while processes are left.
func removeCgroup(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := removeCgroup(filepath.Join(path, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return unix.Rmdir(path)
}

// processesInCgroup gives the processes in a cgroup and below.
func processesInCgroup(path string) ([]process, error) {
	var found []process
	err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return nil // removed in this moment, or threaded: then it is listed further up
		}
		for _, field := range strings.Fields(string(data)) {
			pid, err := strconv.Atoi(field)
			if err != nil || pid <= 1 { // 0 is a process that this PID namespace does not see
				continue
			}
			if p, err := findProcess(pid); err == nil {
				found = append(found, p)
			}
		}
		return nil
	})
	return found, err
}
