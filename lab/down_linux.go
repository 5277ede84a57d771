package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Hosts gives the lab's hosts as they are now.
func (l *Lab) Hosts() ([]Host, error) {
	r, err := l.load()
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	r.atBoot(boot)
	var hosts []Host
	for _, h := range r.Hosts {
		host := Host{Name: h.Name, Role: h.Role, Kind: h.Kind, Address: h.Address, State: StateDown}
		if h.process().alive() {
			host.State, host.PID = StateUp, h.PID
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// Down ends the lab and removes all that it is made of. It goes by the record and by
// what it finds under the lab's name, so it also clears what a crash left; a lab of
// which nothing exists is no error.
func Down(ctx context.Context, dir, name string) error {
	l, err := find(dir, name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Dir(l.dir)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := lockFile(ctx, l.dir+".lock")
	if err != nil {
		return fmt.Errorf("lock lab %s: %w", name, err)
	}
	defer lock.Close()
	if err := l.remove(ctx); err != nil {
		return fmt.Errorf("take lab %s down: %w", name, err)
	}
	return nil
}

// Down is the package's Down for this lab.
func (l *Lab) Down(ctx context.Context) error {
	return Down(ctx, filepath.Dir(l.dir), l.name)
}

func (l *Lab) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	r, err := l.load()
	if err != nil {
		r = &record{Name: l.name} // none, or half of one: what can be found is found below
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	r.atBoot(boot)
	var inits []process
	for _, h := range r.Hosts {
		inits = append(inits, h.process())
	}
	// An init's end is that of all in its PID namespace. One that is not in the record yet is in its
	// cgroups: before that it holds the lock (startInit).
	errs := []error{endProcesses(ctx, inits)}
	all, err := hierarchies()
	if err == nil {
		err = l.giveBack(ctx, all)
	}
	errs = append(errs, err, l.removeNetwork(ctx, r))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return l.removeFiles()
}

// removeNetwork ends who is still in the lab's network (a dial that waits for a host
// which is no more) and lets go of the namespace.
func (l *Lab) removeNetwork(ctx context.Context, r *record) error {
	inode, err := namespaceAt(l.networkFile())
	if err != nil {
		inode = r.Network
	}
	if inode != 0 {
		inside, err := processesWhere(func(pid int) bool { return l.touches(pid, inode) })
		if err != nil {
			return err
		}
		if err := endProcesses(ctx, inside); err != nil {
			return err
		}
	}
	mounts, err := mountsUnder(l.dir)
	if err != nil {
		return err
	}
	for _, path := range mounts {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
	return nil
}

// touches tells whether a thread of a process is in the lab's network namespace, or the
// process holds it open: by its name, or by the file that it is pinned at.
func (l *Lab) touches(pid int, inode uint64) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	name := "net:[" + strconv.FormatUint(inode, 10) + "]"
	threads, _ := filepath.Glob(dir + "/task/*/ns/net")
	files, _ := filepath.Glob(dir + "/fd/*")
	for _, link := range append(threads, files...) {
		to, err := os.Readlink(link)
		if err != nil {
			continue
		}
		if to == name {
			return true
		}
		// "/" is where a file seems to lie whose mount is no more.
		if to == l.networkFile() || to == "/" {
			if held, err := namespaceAt(link); err == nil && held == inode {
				return true
			}
		}
	}
	return false
}

// removeFiles removes the lab's folder, after it made sure that nothing is mounted in
// there: nothing but the lab's own files shall go.
func (l *Lab) removeFiles() error {
	mounts, err := mountsUnder(l.dir)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("%s is still mounted", strings.Join(mounts, ", "))
	}
	if err := os.RemoveAll(l.dir); err != nil {
		return err
	}
	if err := os.Remove(l.dir + ".lock"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(filepath.Dir(l.dir)) // unless there are other labs
	return nil
}
