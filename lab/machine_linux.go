package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machineDir holds what all labs of this machine, wherever they are kept, must agree
// on. It is gone when the machine boots, and so is all that it speaks of.
const machineDir = "/run/slipway-lab"

// Every host needs some dozens of inotify instances once a cluster runs on it, and
// machines allow 128 in all to root unless told otherwise.
const (
	inotifyInstances = "/proc/sys/fs/inotify/max_user_instances"
	inotifyWanted    = 8192
)

// borrowed is what labs changed in the machine's own settings, and how it was. The last
// lab to go gives it back.
type borrowed struct {
	// Inotify is what inotifyInstances was; 0 when it was high enough.
	Inotify int `json:"inotify,omitempty"`
	// Controllers of cgroup v2 that the root cgroup did not hand down before.
	Controllers []string `json:"controllers,omitempty"`
}

func borrowedFile() string { return filepath.Join(machineDir, "borrowed.json") }

// borrow makes a lab's cgroups, and sets what a machine with labs needs. Both happen
// under one lock, because giveBack concludes from missing cgroups that no lab is left.
func (l *Lab) borrow(ctx context.Context, all []hierarchy) error {
	lock, err := lockMachine(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	b, err := loadBorrowed()
	if err != nil {
		return err
	}
	was := b.Inotify
	raise := false
	if now, err := readNumber(inotifyInstances); err == nil && now < inotifyWanted {
		b.Inotify, raise = now, true
	}
	if pure := all[0]; pure.Unified {
		b.Controllers = append(b.Controllers, notHandedDown(pure.Mount)...)
	}
	if b.Inotify != was || len(b.Controllers) > 0 {
		if err := saveBorrowed(b); err != nil {
			return err
		}
	}
	if raise {
		// A machine that forbids it may still have room enough for this lab.
		_ = os.WriteFile(inotifyInstances, []byte(strconv.Itoa(inotifyWanted)), 0o644)
	}
	return l.makeCgroups(all, "")
}

// giveBack removes a lab's cgroups and, after the last lab, undoes what was borrowed.
func (l *Lab) giveBack(ctx context.Context, all []hierarchy) error {
	lock, err := lockMachine(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	others := false
	for _, h := range all {
		if err := emptyCgroup(ctx, l.cgroup(h)); err != nil {
			return err
		}
		err := unix.Rmdir(filepath.Join(h.Mount, cgroupRoot))
		others = others || err != nil && !errors.Is(err, unix.ENOENT)
	}
	if others {
		return nil // not the last lab
	}
	b, err := loadBorrowed()
	if err != nil {
		return err
	}
	if b.Inotify != 0 {
		if err := os.WriteFile(inotifyInstances, []byte(strconv.Itoa(b.Inotify)), 0o644); err != nil {
			return fmt.Errorf("set inotify's limit back: %w", err)
		}
	}
	for _, controller := range b.Controllers {
		// One that somebody else uses by now stays.
		_ = os.WriteFile(filepath.Join(all[0].Mount, "cgroup.subtree_control"), []byte("-"+controller), 0o644)
	}
	return os.RemoveAll(machineDir)
}

func lockMachine(ctx context.Context) (*os.File, error) {
	for {
		if err := os.MkdirAll(machineDir, 0o700); err != nil {
			return nil, fmt.Errorf("make %s: %w", machineDir, err)
		}
		lock, err := lockFile(ctx, filepath.Join(machineDir, "lock"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the last lab took the folder away in this moment
		}
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", machineDir, err)
		}
		return lock, nil
	}
}

func loadBorrowed() (borrowed, error) {
	var b borrowed
	data, err := os.ReadFile(borrowedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &b)
	}
	if err != nil {
		return b, fmt.Errorf("read what labs have changed on this machine: %w", err)
	}
	return b, nil
}

func saveBorrowed(b borrowed) error {
	data, err := json.Marshal(b)
	if err == nil {
		err = writeFile(borrowedFile(), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("note what the lab changes on this machine: %w", err)
	}
	return nil
}

// notHandedDown gives the controllers that a v2 root has, but keeps from its children.
func notHandedDown(root string) []string {
	has, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	given, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control"))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(strings.Fields(string(has)), func(c string) bool {
		return slices.Contains(strings.Fields(string(given)), c)
	})
}

func readNumber(path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}
