package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

func (l *Lab) hostDir(host string) string     { return filepath.Join(l.dir, "hosts", host) }
func (l *Lab) bootLogFile(host string) string { return filepath.Join(l.hostDir(host), "boot.log") }

// process is the init of a host as it was recorded.
func (h *hostRecord) process() process { return process{pid: h.PID, started: h.Started} }

// boot starts a host's init and sees it through to the exec of systemd. Whoever calls it
// holds the lab's lock.
func (s *session) boot(ctx context.Context, h *hostRecord) error {
	if err := s.seed(h); err != nil {
		return fmt.Errorf("prepare the disk of %s: %w", h.Name, err)
	}
	cgroups, err := hierarchies()
	if err != nil {
		return err
	}
	if err := s.lab.clearAway(ctx, h); err != nil {
		return err
	}
	if err := s.lab.makeCgroups(cgroups, h.Name); err != nil {
		return err
	}
	testOnlyAt("disk and cgroups made")
	started, err := s.startInit(h)
	if err != nil {
		return fmt.Errorf("start %s: %w", h.Name, err)
	}
	testOnlyAt("init born")
	if err := s.configureInit(h, started, cgroups); err != nil {
		_ = started.process.signal(unix.SIGKILL)
		return fmt.Errorf("start %s: %w", h.Name, err)
	}
	return nil
}

// configureInit moves a waiting init into its cgroups, sends it its specification, and reads
// its error, if it has one.
func (s *session) configureInit(h *hostRecord, init *waitingInit, cgroups []hierarchy) error {
	defer init.spec.Close()
	defer init.report.Close()
	if err := s.lab.enterCgroups(cgroups, h.Name, init.process.pid); err != nil {
		return err
	}
	testOnlyAt("init in its cgroups")
	err := s.change(func(*record) { h.PID, h.Started = init.process.pid, init.process.started })
	if err != nil {
		return err
	}
	testOnlyAt("init noted")
	if err := s.lab.connect(s.record, h, init.process.pid); err != nil {
		return err
	}
	testOnlyAt("host connected")
	spec, err := s.specification(h, cgroups)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(init.spec).Encode(spec); err != nil {
		return err
	}
	testOnlyAt("init told")
	said, err := io.ReadAll(init.report)
	if err != nil {
		return err
	}
	if len(said) > 0 {
		return errors.New(string(said))
	}
	return nil
}

// specification is what a host's first process has to know to become the host.
func (s *session) specification(h *hostRecord, cgroups []hierarchy) (any, error) {
	if h.Kind == KindVM {
		return s.machineSpec(h)
	}
	return hostSpec{
		Name: h.Name, Image: h.Image, Disk: s.lab.hostDir(h.Name),
		Places: s.record.places(h), Cgroups: cgroups,
	}, nil
}

// waitingInit is a process in new namespaces that waits for its specification. It ends when
// this program ends before it has sent one.
type waitingInit struct {
	process process
	spec    *os.File // the spec goes in here
	report  *os.File // why it could not become a host; empty when it did
}

// startInit starts the first process of a host, by its watch where it has one. Both hold the lab's lock, until the init
// is told what it is to become or sees that nobody will tell it: where this program is killed, its lock is
// freed only when nothing is left of what it has begun, and nobody has to look for it.
func (s *session) startInit(h *hostRecord) (*waitingInit, error) {
	log, err := os.OpenFile(s.lab.bootLogFile(h.Name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	specOut, specIn, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer specOut.Close()
	reportOut, reportIn, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, specIn.Close())
	}
	defer reportIn.Close()
	start := s.startWatch
	if h.Kind == KindVM {
		start = s.startMachine
	}
	p, err := start(h.Name, log, specOut, reportIn)
	if err != nil {
		return nil, errors.Join(err, specIn.Close(), reportOut.Close())
	}
	return &waitingInit{process: p, spec: specIn, report: reportOut}, nil
}

// awaitBoot waits until sshd answers and systemd has nothing left to start.
func (l *Lab) awaitBoot(ctx context.Context, h *hostRecord, bound time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	err := l.awaitBanner(ctx, h)
	if err == nil {
		err = l.awaitSystem(ctx, h)
	}
	if err == nil {
		return nil
	}
	if log := l.bootLog(h); log != "" {
		return fmt.Errorf("boot %s: %w\nits log ends:\n%s", h.Name, err, log)
	}
	return fmt.Errorf("boot %s: %w", h.Name, err)
}
