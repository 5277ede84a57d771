// Package hosttest is what tests of hosts need: Fake, a small machine in memory that
// really applies actions, and Server, an sshd in this process with faults to inject.
package hosttest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// Fake is a machine in memory. Host opens it; what one Host did, another sees.
type Fake struct {
	// Before, if set, is asked before each action; its error is the action's. It may
	// block, and is called without any lock held. Set it before the machine is used.
	Before func(ctx context.Context, action hosts.Action) error
	// Network, if set, finds what the machine reaches beside what Serve offers: where it really
	// listens, on this machine's loopback. Set it before the machine is used.
	Network func(address string) (listens string, err error)
	// Rebooted, if set, is called in the moment in which the machine boots because it was asked to, with a
	// lock held. Set it before the machine is used.
	Rebooted func()
	// Followed, if set, is called when who follows a unit's journal has read all that is there. Set it before
	// the machine is used.
	Followed func(unit string)
	// Now tells the time; nil means the clock.
	Now func() time.Time

	mutex     sync.Mutex
	base      hosts.Facts
	files     map[string]*node
	backups   map[string]*node  // what was at a path before Slipway's file
	store     map[string][]byte // blobs by ref
	units     map[string]*unit
	sysctls   map[string]string
	modules   map[string]bool
	images    map[string]string // those that are pinned
	unpinned  map[string]string
	used      map[string]bool // images that containers are made of
	names     map[string][]string
	pods      []string
	mounts    []string
	links     []string
	tables    []string
	chains    []string
	record    *hosts.Record
	holder    *opened // who has the lease
	lease     hosts.LeaseHolder
	listeners map[string]*listener
	stuck     string              // a path below which nothing answers
	done      []hosts.Action      // that changed something
	journals  map[string][]string // of units
	logged    chan struct{}       // closed when a journal has more
	passes    func(hosts.Probe) hosts.Probed
}

// NewFake makes a bare machine: an ordinary current Linux, nothing of Slipway's on it.
func NewFake(hostname string, addresses ...string) *Fake {
	if len(addresses) == 0 {
		addresses = []string{"192.0.2.10/24"}
	}
	f := &Fake{
		base:    ordinaryFacts(hostname, addresses),
		files:   map[string]*node{},
		backups: map[string]*node{},
		store:   map[string][]byte{},
		units:   map[string]*unit{},
		sysctls: map[string]string{
			"net.ipv4.ip_forward": "0", "vm.swappiness": "60", "net.ipv6.conf.all.forwarding": "0",
			"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.default.disable_ipv6": "0",
		},
		modules:   map[string]bool{},
		images:    map[string]string{},
		unpinned:  map[string]string{},
		used:      map[string]bool{},
		names:     map[string][]string{"localhost": {"127.0.0.1"}, hostname: {"127.0.1.1"}},
		listeners: map[string]*listener{},
	}
	for _, dir := range []string{"/etc", "/etc/systemd/system", "/usr/local/bin", "/var/lib", "/run", "/tmp"} {
		f.makeParents(dir + "/x")
	}
	return f
}

// Host opens the machine. The Host keeps secrets and the lease until it is closed.
func (f *Fake) Host() hosts.Host {
	return &opened{machine: f, secrets: map[string][]byte{}}
}

// opened is a machine that was opened once.
type opened struct {
	machine *Fake
	mutex   sync.Mutex
	closed  bool
	calls   sync.WaitGroup    // that run
	secrets map[string][]byte // guarded by the machine's mutex
}

var errClosed = errors.New("the host was closed")

func (o *opened) enter(op string) error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.closed {
		return &hosts.Error{Kind: hosts.KindBroken, Op: op, Err: errClosed}
	}
	o.calls.Add(1)
	return nil
}

// Close waits for the calls that run, then frees the lease.
func (o *opened) Close() error {
	o.mutex.Lock()
	o.closed = true
	o.mutex.Unlock()
	o.calls.Wait()
	f := o.machine
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.holder == o {
		f.holder = nil
	}
	o.secrets = nil
	return nil
}

// Do compares, then carries out one action.
func (o *opened) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	op := hosts.Describe(action).Deed
	if err := o.enter(op); err != nil {
		return hosts.Outcome{}, err
	}
	defer o.calls.Done()
	if o.machine.Before != nil {
		if err := o.machine.Before(ctx, action); err != nil {
			return hosts.Outcome{}, failure(op, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return hosts.Outcome{}, failure(op, err)
	}
	outcome, err := o.apply(action)
	if err != nil {
		return hosts.Outcome{}, failure(op, err)
	}
	if progress != nil {
		progress(hosts.Progress{Done: 1, Total: 1})
	}
	return outcome, nil
}

func (o *opened) apply(action hosts.Action) (hosts.Outcome, error) {
	f := o.machine
	switch a := action.(type) {
	case hosts.RunCommand: // which asks for no lease
		return runCommand(a)
	case hosts.ProveSnapshot:
		return o.proveSnapshot(a)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.holder != nil && f.holder != o {
		return hosts.Outcome{}, &hosts.Error{
			Kind: hosts.KindLease, Err: f.lease, Fix: "wait until it is done, or end that process",
		}
	}
	detail, err := o.change(action)
	switch {
	case err != nil:
		return hosts.Outcome{}, err
	case detail == "":
		return hosts.Outcome{Result: hosts.Unchanged}, nil
	default:
		f.done = append(f.done, action)
		return hosts.Outcome{Result: hosts.Changed, Detail: detail}, nil
	}
}

// change applies an action and says what it changed; "" is nothing.
func (o *opened) change(action hosts.Action) (string, error) {
	f := o.machine
	switch a := action.(type) {
	case hosts.WriteFile:
		return o.writeFile(a)
	case hosts.MakeDirectory:
		return f.makeDirectory(a)
	case hosts.MakeSymlink:
		return f.makeSymlink(a)
	case hosts.RemovePath:
		return f.removePath(a)
	case hosts.Unpack:
		return f.unpack(a)
	case hosts.SetUnit:
		return f.setUnit(a)
	case hosts.StopUnits:
		return f.stopUnits(a)
	case hosts.Reboot:
		return f.reboot(a)
	case hosts.LoadImage:
		return f.loadImage(a)
	case hosts.NameImage:
		return f.nameImage(a)
	case hosts.UnloadImage:
		return f.unloadImage(a)
	case hosts.SetSysctl:
		return f.setSysctl(a)
	case hosts.LoadModule:
		return f.loadModule(a)
	case hosts.LoadPolicyModule:
		return f.loadPolicyModule(a)
	case hosts.OpenFirewall:
		return f.openFirewall(a)
	case hosts.DisableSwap:
		return f.disableSwap()
	case hosts.SetTimeZone:
		return f.setTimeZone(a)
	case hosts.SetNTP:
		return f.setNTP(a)
	case hosts.SetHostname:
		return f.setHostname(a)
	case hosts.AddHostsEntry:
		return f.addHostsEntry(a)
	case hosts.TakeLease:
		return o.takeLease(a)
	case hosts.ReleaseLease:
		return o.releaseLease()
	case hosts.Claim:
		return f.claim(a)
	case hosts.StopPods:
		return f.stopPods(a)
	case hosts.Unmount:
		return f.unmount(a)
	case hosts.RemoveNetwork:
		return f.removeNetwork(a)
	case hosts.Restore:
		return f.restore(a)
	case hosts.KeepVersion:
		return f.keepVersion(a)
	case hosts.ForgetVersion:
		return f.forgetVersion(a)
	case hosts.TidyStore:
		return f.tidyStore()
	case hosts.Forget:
		return f.forget()
	default:
		return "", fmt.Errorf("the fake knows no action %T", action)
	}
}

// Dial connects to what Serve offers at an address.
func (o *opened) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	op := "connect to " + address
	if err := o.enter(op); err != nil {
		return nil, err
	}
	defer o.calls.Done()
	o.machine.mutex.Lock()
	l := o.machine.listeners[network+" "+address]
	o.machine.mutex.Unlock()
	listens, err := "", errors.New("connection refused")
	if l != nil {
		listens, err = l.Addr().String(), nil
	} else if o.machine.Network != nil && network == "tcp" {
		listens, err = o.machine.Network(address)
	}
	if err != nil {
		return nil, failure(op, err)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", listens)
	if err != nil {
		return nil, failure(op, err)
	}
	return conn, nil
}

// failure says what was done, and keeps the kind of the error that it wraps.
func failure(op string, err error) error {
	wrapped := &hosts.Error{Kind: hosts.KindBroken, Op: op, Err: err}
	var known *hosts.Error
	if errors.As(err, &known) {
		wrapped.Kind, wrapped.Fix, wrapped.Err = known.Kind, known.Fix, known.Err
	}
	return wrapped
}

// ordinaryFacts is a current Debian on a machine of modest size.
func ordinaryFacts(hostname string, addresses []string) hosts.Facts {
	return hosts.Facts{
		Hostname:       hostname,
		StaticHostname: hostname,
		MachineID:      digest([]byte("machine " + hostname))[len("sha256:"):][:32],
		BootID:         "boot-1",
		OS:             hosts.OS{ID: "debian", Version: "12", Pretty: "Debian GNU/Linux 12 (bookworm)"},
		Arch:           "amd64",
		Kernel:         "6.1.0-28-amd64",
		CPUs:           4,
		Memory:         8 << 30,
		User:           "root",
		Cgroup: hosts.Cgroup{
			Version: 2, Controllers: []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids"},
		},
		Systemd: hosts.Systemd{Version: 252, State: "running"},
		Interfaces: []hosts.Link{
			{Name: "lo", MTU: 65536, Up: true, Addresses: []string{"127.0.0.1/8", "::1/128"}},
			{Name: "eth0", MAC: macOf(hostname), MTU: 1500, Up: true, Addresses: addresses},
		},
		CanRaiseOOMScore: true, ConntrackWritable: true,
		NFTables: true, IPTables: true, OverlayFS: true,
		Disks:    []hosts.Disk{{Path: "/var/lib", Free: 40 << 30, Size: 50 << 30}},
		Resolver: "/etc/resolv.conf", NameServers: []string{"192.0.2.53"},
		Sync: 2 * time.Millisecond,
	}
}

// macOf is a hardware address that no other machine has.
func macOf(hostname string) string {
	sum := sha256.Sum256([]byte(hostname))
	return net.HardwareAddr(append([]byte{0x52, 0x54}, sum[:4]...)).String()
}
