package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/ssh"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Probe looks at hosts that need not stand in a valid cluster file yet. It changes nothing on
// them, and leaves a bare host bare. Its connections stay until Close, so that a host is logged in
// to once.
type Probe struct {
	file   string
	dial   Dialer
	logins *logins
	ctx    context.Context // over once the probe is closed
	cancel context.CancelFunc

	mu    sync.Mutex
	over  bool
	calls sync.WaitGroup   // that run
	seats map[string]*seat // by how a host is reached: a host may be called otherwise meanwhile
}

// seat is one host's connection. One call at a time has its turn.
type seat struct {
	turn chan struct{}
	host hosts.Host   // nil where it is not connected
	up   atomic.Bool  // it is connected, for who has no turn
	user atomic.Value // who has logged in, a string
}

// take has a host, or none, be the connection.
func (s *seat) take(host hosts.Host) {
	s.host = host
	s.up.Store(host != nil)
	if known, says := host.(interface{ LoginUser() string }); says {
		s.user.Store(known.LoginUser())
	}
}

// NewProbe makes a Probe. Of the options it uses Version, Agent, Dial (by SSH unless said), and File:
// the files that hosts name lie beside it.
func NewProbe(options Options) *Probe {
	// As an absolute path, so that a host that was completed once may be tried again.
	file, err := filepath.Abs(cmp.Or(options.File, "-"))
	if err != nil {
		file = options.File
	}
	p := &Probe{file: file, dial: options.Dial, seats: map[string]*seat{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	note := options.Note
	if note == nil {
		note = func(string, ...any) {}
	}
	p.logins = newLogins(options.Login, options.Version, options.Ask, note)
	if p.dial == nil {
		p.dial = p.logins.by(func(_ context.Context, platform ssh.Platform) (ssh.Binary, error) {
			return carried(options.Agent, platform, "such a host is looked at by: slipway plan --bundle FILE, with a bundle for it")
		})
	}
	return p
}

// Probed is what a look at a host has shown.
type Probed struct {
	Host  cluster.Host // as it was reached: completed, with the paths of its files
	User  string       // who logs in
	Facts hosts.Facts  // none where there is an error
	Err   error
	Key   *HostKey // the key that the host shows, where no known_hosts file has it; Err says so too
}

// ConnectionKind is ok, failed, or a kind of hosts.Error.
func (p Probed) ConnectionKind() string {
	if p.Err == nil {
		return ConnectionOK
	}
	return connectionKind(p.Err)
}

// Fix is what to do about Err, where that is known; file is the cluster file that the host stands in.
func (p Probed) Fix(file string) string {
	if p.Key != nil {
		return fmt.Sprintf("compare its key with what `%s` says on the host, and if it is the same: slipway hosts trust -f %s %s %s",
			p.Key.Compare, Quoted(file), Quoted(p.Host.Name), p.Key.Fingerprint)
	}
	if known, is := errors.AsType[*hosts.Error](p.Err); is {
		return known.Fix
	}
	return ""
}

// HostKey is a host's key that is not known yet.
type HostKey struct {
	Type        string // ssh-ed25519, for example
	Fingerprint string // SHA256:…, as ssh-keygen writes it
	File        string // what Accept adds Line to
	Line        string
	Other       string // where, as file:line, a key of another type stands for the same host; empty: nowhere
	Compare     string // what to type on the host itself to see the fingerprint that it should be

	key *ssh.UnknownKey
}

func hostKey(err error) *HostKey {
	key, is := errors.AsType[*ssh.UnknownKey](err)
	if !is {
		return nil
	}
	return &HostKey{Type: key.Type, Fingerprint: key.Fingerprint, File: key.File, Line: key.Line, Other: key.Other, Compare: key.Where(), key: key}
}

// Accept adds the key to File, for somebody who has compared it. Twice is once.
func (k *HostKey) Accept() error { return k.key.Accept() }

var errProbeClosed = errors.New("nothing is looked at any more")

// Try connects to a host where it is not connected, and looks at it. What h does not say of SSH has the
// defaults of a cluster file. tell, which may be nil, is told what is waited for. Several hosts may be
// tried at the same time; the same one is, one after the other.
func (p *Probe) Try(ctx context.Context, h cluster.Host, tell func(string)) Probed {
	h = p.complete(h)
	probed := Probed{Host: h}
	if tell == nil {
		tell = func(string) {}
	}
	probed.Facts, probed.Err = p.look(ctx, h, hosts.Query{}, tell)
	probed.Key = hostKey(probed.Err)
	probed.User = p.loginUser(ctx, h)
	return probed
}

// loginUser is who logs in to a host, where that is known by the connection; else as the configuration of ssh says.
func (p *Probe) loginUser(ctx context.Context, h cluster.Host) string {
	p.mu.Lock()
	s := p.seats[wayTo(h)]
	p.mu.Unlock()
	if s != nil {
		if user, known := s.user.Load().(string); known {
			return user
		}
	}
	return loginUser(ctx, h)
}

// complete is a host as a cluster file means it.
func (p *Probe) complete(h cluster.Host) cluster.Host {
	c := cluster.Cluster{Hosts: []cluster.Host{h}}
	cluster.Defaults(&c)
	c.MapFiles(func(path string) string { return beside(p.file, path) })
	return c.Hosts[0]
}

// look observes a host and, where the connection has ended since, does so by another one.
func (p *Probe) look(ctx context.Context, h cluster.Host, query hosts.Query, tell func(string)) (hosts.Facts, error) {
	ctx, s, leave, err := p.enter(ctx, h)
	if err != nil {
		return hosts.Facts{}, err
	}
	defer leave()
	if s.host != nil {
		facts, err := s.observe(ctx, query, tell)
		if err == nil || !isSilent(err) || ctx.Err() != nil {
			return facts, err
		}
	}
	tell("logging in")
	host, err := p.dial(ctx, h, tell)
	if err != nil {
		return hosts.Facts{}, err
	}
	s.take(host)
	return s.observe(ctx, query, tell)
}

// observe gives up a connection that does not answer.
func (s *seat) observe(ctx context.Context, query hosts.Query, tell func(string)) (hosts.Facts, error) {
	tell("looking at the host")
	facts, err := s.host.Observe(ctx, query)
	if err != nil && isSilent(err) {
		_ = s.host.Close() // that it does not answer is told
		s.take(nil)
	}
	return facts, err
}

// enter waits for a host's turn. The context that it gives ends with the probe too.
func (p *Probe) enter(ctx context.Context, h cluster.Host) (context.Context, *seat, func(), error) {
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return nil, nil, nil, errProbeClosed
	}
	p.calls.Add(1)
	s := p.seat(h)
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	ended := context.AfterFunc(p.ctx, cancel)
	leave := func() {
		ended()
		cancel()
		p.calls.Done()
	}
	select {
	case s.turn <- struct{}{}:
		return ctx, s, func() { <-s.turn; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, nil, nil, ctx.Err()
	}
}

// wayTo tells ways to hosts apart.
func wayTo(h cluster.Host) string { return fmt.Sprintf("%+v", h.SSH) }

// seat is a host's, for who holds the mutex.
func (p *Probe) seat(h cluster.Host) *seat {
	key := wayTo(h)
	s := p.seats[key]
	if s == nil {
		s = &seat{turn: make(chan struct{}, 1)}
		p.seats[key] = s
	}
	return s
}

// HostChecks are the checks of init that go by the file and the hosts alone, and write to no disk.
var HostChecks = []string{
	"Machine", "IsPrivilegedUser",
	"SystemVerification-Kernel", "SystemVerification-Systemd", "SystemVerification-Cgroups", "SystemVerification-OverlayFS", "SystemVerification-PacketFilter",
	"SystemVerification-Modules", "MountOptions", "FileContent", "FileExisting", "Leftovers", "ProductUUID", "MACAddress", "Hostname", "HostsFile",
	"AddressConflict", "LeasedAddress", "HostRoute", "NTP", "SearchDomains", "HTTPProxy", "HTTPProxyCIDR",
	"NumCPU", "Mem", "Clock", "TimeService", "Swap", "SELinux", "NextBoot",
	"ForeignSoftware", "DirAvailable", "FileAvailable", "MachineID",
	"HostAddress", "Port", "Firewalld", "Ufw", "Firewall", "AddressPlan", "ServiceRoute", "NameServers",
	"EndpointName", "LoadBalancer", "VirtualIP",
}

// Check asks those checks of init that have these names, of the cluster's hosts that are connected:
// they have been tried, by the same ssh. The cluster need not be valid. Without a bundle and keys, checks
// that go by them find nothing. A host that does not answer any more is a finding of Connection. asked are the
// hosts that were: of the others nothing is known.
func (p *Probe) Check(ctx context.Context, c *cluster.Cluster, names ...string) (found []checks.Finding, asked []string) {
	whole := completed(c)
	v := view.View{Cluster: whole, Facts: map[string]hosts.Facts{}, Unreached: map[string]error{}, Observed: map[string]time.Time{}}
	type look struct {
		facts hosts.Facts
		at    time.Time
		err   error
	}
	there := p.connected(whole.Hosts)
	looks := atOnce(there, func(h cluster.Host) look {
		facts, err := p.look(ctx, p.complete(h), queryFor(whole, h, names), func(string) {})
		return look{facts, time.Now(), err}
	})
	var lost []checks.Finding
	for i, h := range there {
		if err := looks[i].err; err != nil {
			v.Unreached[h.Name] = err
			if !slices.Contains(names, "Connection") { // which tells it by itself
				lost = append(lost, checks.Unreached(v, h.Name))
			}
			continue
		}
		v.Facts[h.Name], v.Observed[h.Name] = looks[i].facts, looks[i].at
		asked = append(asked, h.Name)
	}
	v.Now = time.Now()
	return append(lost, checks.Some(view.Init, v, names...)...), asked
}

// HostsOf are the hosts of a cluster that need not be valid yet as Try has to be given them: what a host does
// not say of SSH is the cluster's.
func HostsOf(c *cluster.Cluster) []cluster.Host { return completed(c).Hosts }

// completed is a cluster with its defaults; the one given stays as it is.
func completed(c *cluster.Cluster) *cluster.Cluster {
	whole := *c
	whole.Hosts = slices.Clone(c.Hosts)
	whole.Certificates.ExtraSANs = slices.Clone(c.Certificates.ExtraSANs)
	cluster.Defaults(&whole)
	return &whole
}

// connected are those of the hosts that are.
func (p *Probe) connected(list []cluster.Host) []cluster.Host {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(list), func(h cluster.Host) bool {
		h = p.complete(h)
		s := p.seats[wayTo(h)]
		return s == nil || !s.up.Load()
	})
}

// queryFor is what these checks need, without what takes time, or writes to a disk, for others.
func queryFor(c *cluster.Cluster, h cluster.Host, names []string) hosts.Query {
	query := phases.HostQuery(c, bundle.Bill{}, h)
	if !slices.Contains(names, "EtcdDisk") {
		query.Sync = ""
	}
	if !slices.Contains(names, "VirtualIP") {
		query.VirtualIP = nil
	}
	query.Conditions = phases.ConditionsQuery(c, bundle.Bill{}, h)
	return query
}

// Trust connects to a host as far as its key, and adds the key to the known hosts where it has this
// fingerprint. added is false where it was known already.
func (p *Probe) Trust(ctx context.Context, h cluster.Host, fingerprint string) (key *HostKey, added bool, err error) {
	found, added, err := ssh.Trust(ctx, p.logins.options(p.complete(h)), fingerprint)
	if err != nil {
		return nil, false, err
	}
	return hostKey(found), added, nil
}

// Close ends all connections, and waits for that. What still runs is given up.
func (p *Probe) Close() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.cancel()
	p.calls.Wait()
	atOnce(slices.Collect(maps.Values(p.seats)), func(s *seat) error {
		if s.host == nil {
			return nil
		}
		err := s.host.Close()
		s.take(nil)
		return err
	})
}
