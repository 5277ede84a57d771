//go:build linux

package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/slipway-k8s/slipway/hosts"
)

// Host is this machine.
type Host struct {
	root     string
	stateDir string
	runDir   string
	holder   string
	now      func() time.Time
	timeout  time.Duration // of an observer, while it makes no progress

	systemd    Systemd
	containerd Containerd
	resolver   Resolver
	journalctl string
	systemBus  func() (*dbus.Conn, error)
	programs   string

	streams streams
	lease   lease
	record  recordFile
	journal journal
	digests digestCache
	store   store

	paths   keyedLocks // one writer at a time on a path
	loading sync.Mutex // one image at a time: they share layers

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // that run
	acting atomic.Int32   // actions that run, but those of the lease
}

var _ hosts.Host = (*Host)(nil)

// errClosed is what a closed Host answers.
var errClosed = errors.New("the host was closed")

// New opens the machine. It changes nothing.
func New(options Options) (*Host, error) {
	h := &Host{
		root:     cmp.Or(options.Root, "/"),
		stateDir: cmp.Or(options.StateDir, DefaultStateDir),
		runDir:   cmp.Or(options.RunDir, DefaultRunDir),
		holder:   cmp.Or(options.Holder, thisProcess()),
		now:      options.Now,
		timeout:  cmp.Or(options.Timeout, stuckAfter),
	}
	if !filepath.IsAbs(h.root) || !filepath.IsAbs(h.stateDir) || !filepath.IsAbs(h.runDir) {
		return nil, fmt.Errorf("open the local host: root %q, state %q and run directory %q must be absolute",
			h.root, h.stateDir, h.runDir)
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.systemd = options.Systemd; h.systemd == nil {
		h.systemd = newBus()
	}
	if h.containerd = options.Containerd; h.containerd == nil {
		h.containerd = newDaemon(h.at(containerdSocket))
	}
	h.journalctl, h.programs = options.Journalctl, options.Programs
	if h.systemBus = options.SystemBus; h.systemBus == nil {
		h.systemBus = func() (*dbus.Conn, error) { return dbus.ConnectSystemBus() }
	}
	if h.resolver = options.Resolver; h.resolver == nil {
		h.resolver = net.DefaultResolver
	}
	h.lease = lease{path: h.run("lease"), now: h.now}
	h.record = recordFile{path: h.state("record.json"), lock: h.run("record.lock")}
	h.journal = journal{path: h.state("journal.jsonl"), holder: h.holder, now: h.now}
	h.digests = digestCache{path: h.state("digests.json"), now: h.now}
	h.store = newStore(h.state("store"))
	return h, nil
}

// Do compares, then carries out one action.
func (h *Host) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	if err := h.enter(); err != nil {
		return hosts.Outcome{}, failure(hosts.Describe(action).Deed, err)
	}
	defer h.calls.Done()
	if err := ctx.Err(); err != nil {
		return hosts.Outcome{}, failure(hosts.Describe(action).Deed, err)
	}
	switch action.(type) {
	case hosts.TakeLease, hosts.ReleaseLease:
	default:
		h.acting.Add(1)
		defer h.acting.Add(-1)
	}
	report, done := guardProgress(progress)
	defer done()
	outcome, err := h.dispatch(withActivity(ctx, &activity{report: reportRead(report)}), action, report)
	if err != nil {
		return hosts.Outcome{}, h.explain(action, orCanceled(ctx, err))
	}
	return outcome, nil
}

// orCanceled adds the context's error to one that comes from it: containerd's clients give
// gRPC's, which errors.Is does not know.
func orCanceled(ctx context.Context, err error) error {
	if code := status.Code(err); ctx.Err() != nil && (code == codes.Canceled || code == codes.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

func (h *Host) dispatch(ctx context.Context, action hosts.Action, report func(hosts.Progress)) (hosts.Outcome, error) {
	switch a := action.(type) {
	case hosts.WriteFile:
		return h.writeFile(ctx, a)
	case hosts.MakeDirectory:
		return h.makeDirectory(ctx, a)
	case hosts.MakeSymlink:
		return h.makeSymlink(ctx, a)
	case hosts.RemovePath:
		return h.removePath(ctx, a, report)
	case hosts.Unpack:
		return h.unpack(ctx, a, report)
	case hosts.SetUnit:
		return h.setUnit(ctx, a)
	case hosts.StopUnits:
		return h.stopUnits(ctx, a)
	case hosts.Reboot:
		return h.reboot(ctx, a)
	case hosts.LoadImage:
		return h.loadImage(ctx, a, report)
	case hosts.NameImage:
		return h.nameImage(ctx, a)
	case hosts.UnloadImage:
		return h.unloadImage(ctx, a)
	case hosts.SetSysctl:
		return h.setSysctl(ctx, a)
	case hosts.LoadModule:
		return h.loadModule(ctx, a)
	case hosts.DisableSwap:
		return h.disableSwap(ctx, a, report)
	case hosts.OpenFirewall:
		return h.openFirewall(ctx, a)
	case hosts.LoadPolicyModule:
		return h.loadPolicyModule(ctx, a)
	case hosts.SetHostname:
		return h.setHostname(ctx, a)
	case hosts.SetTimeZone:
		return h.setTimeZone(ctx, a)
	case hosts.SetNTP:
		return h.setNTP(ctx, a)
	case hosts.AddHostsEntry:
		return h.addHostsEntry(ctx, a)
	case hosts.TakeLease:
		return h.takeLease(ctx, a)
	case hosts.ReleaseLease:
		return h.releaseLease(ctx, a)
	case hosts.Claim:
		return h.claim(ctx, a)
	case hosts.StopPods:
		return h.stopPods(ctx, a, report)
	case hosts.Unmount:
		return h.unmount(ctx, a)
	case hosts.RemoveNetwork:
		return h.removeNetwork(ctx, a)
	case hosts.Restore:
		return h.restore(ctx, a)
	case hosts.KeepVersion:
		return h.keepVersion(ctx, a, report)
	case hosts.ForgetVersion:
		return h.forgetVersion(ctx, a)
	case hosts.TidyStore:
		return h.tidyStore(ctx, a, report)
	case hosts.Forget:
		return h.forget(ctx, a, report)
	case hosts.RunCommand:
		return h.runCommand(ctx, a)
	case hosts.ProveSnapshot:
		return h.proveSnapshot(ctx, a, report)
	default:
		return hosts.Outcome{}, fmt.Errorf("this version of Slipway knows no action %T", action)
	}
}

// Dial connects to an address as this machine sees it.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	op := "connect to " + address
	if network != "tcp" && network != "unix" {
		return nil, failure(op, fmt.Errorf("network is %q, want tcp or unix", network))
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, failure(op, err)
	}
	return conn, nil
}

// Close waits for the calls that run, for half the timeout, then frees the lease. While an action
// does not end, the lease stays: the kernel frees it when the process ends, and the action with it.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	h.mu.Unlock()
	h.streams.close()
	if err := h.awaitCalls(); err != nil {
		return err
	}
	return errors.Join(h.lease.free(), h.containerd.Close(), h.systemd.Close())
}

// awaitCalls waits until no call runs any more, or only observations that get no answer.
func (h *Host) awaitCalls() error {
	ended := make(chan struct{})
	go func() {
		h.calls.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(h.timeout / 2):
		if count := h.acting.Load(); count > 0 {
			return failure("close the host", fmt.Errorf("%d actions do not end", count))
		}
	}
	return nil
}

// enter counts one more call, unless the Host was closed.
func (h *Host) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errClosed
	}
	h.calls.Add(1)
	return nil
}

// at is where a path of the machine lies in this process's file system.
func (h *Host) at(path string) string { return filepath.Join(h.root, path) }

func (h *Host) state(name string) string { return h.at(filepath.Join(h.stateDir, name)) }

func (h *Host) run(name string) string { return h.at(filepath.Join(h.runDir, name)) }

// guardProgress makes progress safe to call from any goroutine, and a no-op after done.
func guardProgress(progress func(hosts.Progress)) (report func(hosts.Progress), done func()) {
	if progress == nil {
		return func(hosts.Progress) {}, func() {}
	}
	var mu sync.Mutex
	ended := false
	report = func(p hosts.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			progress(p)
		}
	}
	return report, func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
	}
}

func thisProcess() string {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return fmt.Sprintf("root@%s, process %d", name, os.Getpid())
}
