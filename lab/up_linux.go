package lab

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Up boots a lab, or grows one to the asked counts; hosts that were stopped or killed on
// purpose stay so. It completes what an earlier Up left half-done.
func Up(ctx context.Context, o Options) (*Lab, error) {
	l, err := find(o.Dir, o.Name)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkMachine(), o.CheckKind()); err != nil {
		return nil, err
	}
	if _, err := os.Stat(l.dir); errors.Is(err, fs.ErrNotExist) {
		if err := o.checkNew(); err != nil {
			return nil, err
		}
	}
	// First, for it is where most machines fail that have never had a lab.
	if _, err := o.ensureImage(ctx, o.Kind); err != nil {
		return nil, err
	}
	s, err := l.begin(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.lock.Close()
	testOnlyAt("recorded")
	if err := s.prepare(ctx, o); err != nil {
		return nil, err
	}
	testOnlyAt("prepared")
	if err := s.bootAll(ctx, o); err != nil {
		return nil, err
	}
	testOnlyAt("booted")
	if o.ClusterFile != "" {
		if err := s.writeClusterFile(o); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (o Options) tell(host, text string) {
	if o.Progress != nil {
		o.Progress(Progress{Host: host, Text: text})
	}
}

// ensureImage gives the root that hosts of a kind are made from.
func (o Options) ensureImage(ctx context.Context, kind Kind) (string, error) {
	flavour := namespaceImage
	if kind == KindVM {
		if err := checkVirtualization(); err != nil {
			return "", err
		}
		flavour = vmImage
	}
	flavour, err := flavour.with(o.Packages)
	if err != nil {
		return "", err
	}
	return ensureImage(ctx, flavour, func(text string) { o.tell("", text) })
}

func checkMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("a lab makes namespaces, mounts and cgroups: run it as root")
	}
	return nil
}

// checkNew says what is wrong with the options of a lab that is not there yet.
func (o Options) checkNew() error {
	if o.Counts == (Counts{}) {
		return errors.New("a lab without hosts: say how many control planes and workers it shall have")
	}
	first, second, err := o.subnets()
	if err != nil {
		return err
	}
	r := &record{Name: o.Name, Subnet: first, Second: second}
	if err := r.grow(o); err != nil { // whether it has room
		return err
	}
	return r.checkClusterFile(o)
}

// checkClusterFile tells, before anything is made, whether the cluster file can have the
// endpoint that is asked for.
func (r *record) checkClusterFile(o Options) error {
	if o.ClusterFile == "" {
		return nil
	}
	existing, err := readClusterFile(o.ClusterFile)
	if err != nil {
		return fmt.Errorf("read the cluster file: %w", err)
	}
	if err := r.checkEndpoint(o.Endpoint, existing); err != nil {
		return fmt.Errorf("cluster file %s: %w", o.ClusterFile, err)
	}
	return nil
}

// begin takes a lab that may be new: locked, and with all hosts in its record that there
// are to be.
func (l *Lab) begin(ctx context.Context, o Options) (*session, error) {
	lock, err := l.lockNew(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock lab %s: %w", l.name, err)
	}
	s := &session{lab: l, lock: lock}
	if err := s.begin(o); err != nil {
		if _, missing := os.Stat(l.dir); missing != nil {
			_ = os.Remove(l.dir + ".lock")
		}
		lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) begin(o Options) error {
	first, second, wrong := o.subnets()
	if wrong != nil {
		return wrong
	}
	r, err := s.lab.load()
	if errors.Is(err, ErrNotFound) {
		r, err = &record{Name: s.lab.name, Subnet: first, Second: second}, s.lab.makeFolder(o)
	}
	if err != nil {
		return err
	}
	s.record = r
	if o.Subnet.IsValid() && first != r.Subnet {
		return fmt.Errorf("lab %s has the subnet %s, which cannot be changed to %s", r.Name, r.Subnet, first)
	}
	if o.Family != "" && (second != r.Second || first.Addr().Is4() != r.Subnet.Addr().Is4()) {
		return fmt.Errorf("lab %s has hosts of another family than %s, which cannot be changed", r.Name, o.Family)
	}
	if err := r.grow(o); err != nil {
		return err
	}
	if err := r.checkClusterFile(o); err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	return s.change(func(r *record) { r.atBoot(boot) })
}

// makeFolder makes the lab's folder, in a place that hosts' disks can lie in.
func (l *Lab) makeFolder(o Options) error {
	if err := o.checkNew(); err != nil {
		return err
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("make the lab's folder: %w", err)
	}
	var place unix.Statfs_t
	if err := unix.Statfs(l.dir, &place); err == nil && place.Type == unix.OVERLAYFS_SUPER_MAGIC {
		_ = os.Remove(l.dir)
		return fmt.Errorf("%s is on an overlay file system, which hosts' disks cannot be laid over: set %s to a folder on a disk", filepath.Dir(l.dir), DirVariable)
	}
	return nil
}

// atBoot forgets the processes of an earlier boot of the machine.
func (r *record) atBoot(boot string) {
	if r.BootID == boot {
		return
	}
	r.BootID, r.Network = boot, 0
	for _, h := range r.Hosts {
		h.PID, h.Started = 0, 0
	}
}

// prepare makes what the hosts share.
func (s *session) prepare(ctx context.Context, o Options) error {
	if _, err := s.lab.keyAt(s.lab.IdentityFile(), "slipway-lab-"+s.lab.name); err != nil {
		return fmt.Errorf("make the lab's SSH key: %w", err)
	}
	if err := s.writeKnownHosts(); err != nil {
		return fmt.Errorf("write known_hosts: %w", err)
	}
	cgroups, err := hierarchies()
	if err != nil {
		return err
	}
	if err := s.lab.borrow(ctx, cgroups); err != nil {
		return err
	}
	testOnlyAt("borrowed")
	if err := s.lab.makeNetwork(s.record); err != nil {
		return err
	}
	testOnlyAt("network pinned")
	return s.giveImages(ctx, o)
}

// giveImages notes which root each new host is made from.
func (s *session) giveImages(ctx context.Context, o Options) error {
	for _, h := range s.record.Hosts {
		if h.Image != "" {
			continue
		}
		image, err := o.ensureImage(ctx, h.Kind)
		if err != nil {
			return err
		}
		h.Image = image
	}
	return s.change(func(*record) {})
}

// How long a boot may take unless Options says otherwise. An emulated machine on a busy one takes
// minutes.
const (
	bootTimeout        = 2 * time.Minute
	machineBootTimeout = 15 * time.Minute
)

func (h *hostRecord) bootTimeout() time.Duration {
	if h.Kind == KindVM {
		return machineBootTimeout
	}
	return bootTimeout
}

// bootAll boots, all at once, the hosts that are down and not meant to be.
func (s *session) bootAll(ctx context.Context, o Options) error {
	var group errgroup.Group
	for _, h := range s.record.Hosts {
		if h.Off {
			continue
		}
		group.Go(func() error {
			return s.bootOne(ctx, o, h, cmp.Or(o.BootTimeout, h.bootTimeout()))
		})
	}
	return group.Wait()
}

// bootOne boots a host that is down. One that seemed up and then ends was a waiting
// init of an Up that was killed before it had sent the specification: it is booted now.
func (s *session) bootOne(ctx context.Context, o Options, h *hostRecord, bound time.Duration) error {
	begin, booted := time.Now(), false
	for {
		if !h.process().alive() {
			o.tell(h.Name, "boot")
			if err := s.boot(ctx, h); err != nil {
				return err
			}
			booted = true
		}
		err := s.lab.awaitBoot(ctx, h, bound)
		if errors.Is(err, errInitEnded) && !booted {
			continue
		}
		if err != nil {
			return err
		}
		o.tell(h.Name, fmt.Sprintf("up at %s after %.1f s", h.Address, time.Since(begin).Seconds()))
		return nil
	}
}

// readClusterFile gives nil where there is no file yet.
func readClusterFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// writeClusterFile writes the file for Up.
func (s *session) writeClusterFile(o Options) error {
	existing, err := readClusterFile(o.ClusterFile)
	if err != nil {
		return fmt.Errorf("read the cluster file: %w", err)
	}
	program := o.Program
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return fmt.Errorf("find the program for proxyCommand: %w", err)
		}
	}
	data, err := s.lab.render(s.record, program, o.Endpoint, existing)
	if err != nil {
		return fmt.Errorf("add hosts to %s: %w", o.ClusterFile, err)
	}
	if bytes.Equal(data, existing) {
		return nil
	}
	if err := writeFile(o.ClusterFile, data, 0o644); err != nil {
		return fmt.Errorf("write the cluster file: %w", err)
	}
	return nil
}
