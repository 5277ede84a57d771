package workflow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// probedHosts are machines that a Probe dials.
type probedHosts struct {
	mu     sync.Mutex
	dials  []cluster.Host
	hosts  map[string]hosts.Host // by name
	closed int
}

func (d *probedHosts) dial(_ context.Context, h cluster.Host, _ func(string)) (hosts.Host, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dials = append(d.dials, h)
	if host, there := d.hosts[h.Name]; there {
		return &closing{host, d}, nil
	}
	return nil, &hosts.Error{Kind: hosts.KindUnreachable, Host: h.Name, Op: "connect", Err: errors.New("nobody is there")}
}

// closing counts who is closed.
type closing struct {
	hosts.Host
	of *probedHosts
}

func (c *closing) Close() error {
	c.of.mu.Lock()
	c.of.closed++
	c.of.mu.Unlock()
	return c.Host.Close()
}

func probeOf(t *testing.T, d *probedHosts) *Probe {
	t.Helper()
	p := NewProbe(Options{File: filepath.Join(t.TempDir(), "cluster.yaml"), Dial: d.dial})
	t.Cleanup(p.Close)
	return p
}

func at(name, address string) cluster.Host {
	return cluster.Host{Name: name, Addresses: []string{address}, Roles: []cluster.Role{cluster.RoleControlPlane}}
}

// TestAHostIsLoggedInToOnce: what is not said of SSH is the cluster file's default, paths lie beside the
// file, and who is reached by another ssh is another host.
func TestAHostIsLoggedInToOnce(t *testing.T) {
	d := &probedHosts{hosts: map[string]hosts.Host{"cp-1": hosttest.NewFake("cp-1").Host()}}
	p := probeOf(t, d)
	h := at("cp-1", "10.0.0.1")
	h.SSH.KnownHostsFile = "known"
	first := p.Try(t.Context(), h, nil)
	if first.Err != nil || first.Facts.CPUs != 4 || first.Key != nil || first.ConnectionKind() != ConnectionOK {
		t.Fatalf("got %+v", first)
	}
	if again := p.Try(t.Context(), first.Host, nil); again.Err != nil || len(d.dials) != 1 {
		t.Errorf("dialed %d times: %v", len(d.dials), again.Err)
	}
	want := cluster.SSH{Host: "10.0.0.1", KnownHostsFile: filepath.Join(filepath.Dir(p.file), "known")}
	if !d.dials[0].SSH.Same(want) {
		t.Errorf("dialed %+v, want %+v", d.dials[0].SSH, want)
	}
	if h.SSH.User = "ops"; p.Try(t.Context(), h, nil).Err != nil || len(d.dials) != 2 {
		t.Errorf("another user's login is the same: dialed %d times", len(d.dials))
	}
	p.Close()
	if d.closed != 2 {
		t.Errorf("%d connections are closed", d.closed)
	}
	if over := p.Try(t.Context(), h, nil); over.Err == nil {
		t.Error("a closed probe connects")
	}
}

// cut is a host whose connection ends at the first look.
type cut struct{ hosts.Host }

func (c cut) Observe(context.Context, hosts.Query) (hosts.Facts, error) {
	return hosts.Facts{}, &hosts.Error{Kind: hosts.KindCut, Host: "cp-1", Op: "observe", Err: io.EOF}
}

func TestALostHostIsConnectedToAgain(t *testing.T) {
	machine := hosttest.NewFake("cp-1")
	d := &probedHosts{hosts: map[string]hosts.Host{"cp-1": cut{machine.Host()}}}
	p := probeOf(t, d)
	if got := p.Try(t.Context(), at("cp-1", "10.0.0.1"), nil); got.ConnectionKind() != string(hosts.KindCut) {
		t.Errorf("got %v", got.Err)
	}
	d.hosts["cp-1"] = machine.Host()
	if got := p.Try(t.Context(), at("cp-1", "10.0.0.1"), nil); got.Err != nil || len(d.dials) != 2 || d.closed != 1 {
		t.Errorf("dialed %d times, closed %d: %v", len(d.dials), d.closed, got.Err)
	}
	// One that is lost later is found again in the same call.
	d.hosts["cp-1"] = machine.Host()
	for _, s := range p.seats {
		s.take(cut{s.host})
	}
	if got := p.Try(t.Context(), at("cp-1", "10.0.0.1"), nil); got.Err != nil || len(d.dials) != 3 {
		t.Errorf("dialed %d times: %v", len(d.dials), got.Err)
	}
}

// TestHostsAreTriedAtTheSameTime: each waits until all have come.
func TestHostsAreTriedAtTheSameTime(t *testing.T) {
	var all sync.WaitGroup
	all.Add(3)
	p := NewProbe(Options{Dial: func(ctx context.Context, h cluster.Host, tell func(string)) (hosts.Host, error) {
		all.Done()
		all.Wait()
		return hosttest.NewFake(h.Name).Host(), nil
	}})
	defer p.Close()
	for _, got := range atOnce([]string{"1", "2", "3"}, func(n string) Probed { return p.Try(t.Context(), at("cp-"+n, "10.0.0."+n), nil) }) {
		if got.Err != nil || got.Facts.Hostname != got.Host.Name {
			t.Errorf("%s: %v", got.Host.Name, got.Err)
		}
	}
}

// TestCloseGivesUpWhatRuns, and nothing is left connected.
func TestCloseGivesUpWhatRuns(t *testing.T) {
	dialing, d := make(chan struct{}), &probedHosts{}
	p := NewProbe(Options{Dial: func(ctx context.Context, h cluster.Host, _ func(string)) (hosts.Host, error) {
		close(dialing)
		<-ctx.Done()
		return &closing{hosttest.NewFake(h.Name).Host(), d}, nil // it came all the same
	}})
	tried := make(chan Probed, 1)
	go func() { tried <- p.Try(context.Background(), at("cp-1", "10.0.0.1"), nil) }()
	<-dialing
	p.Close()
	<-tried
	if d.closed != 1 {
		t.Errorf("the connection that came late is closed %d times", d.closed)
	}
}

// TestAnUnknownKeyIsAcceptedAndTheHostIsLeftBare, by SSH.
func TestAnUnknownKeyIsAcceptedAndTheHostIsLeftBare(t *testing.T) {
	server := hosttest.NewServer(t, hosttest.NewFake("cp-1"))
	dir := t.TempDir()
	content, digest := hosttest.AgentBinary("probed", 1<<10)
	p := NewProbe(Options{File: filepath.Join(dir, "cluster.yaml"), Dial: func(ctx context.Context, h cluster.Host, tell func(string)) (hosts.Host, error) {
		o := sshOptions(h)
		o.Version, o.Directory, o.Tell = hosttest.Version, server.Directory(), tell
		o.Binary = func(context.Context, ssh.Platform) (ssh.Binary, error) {
			open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
			return ssh.Binary{SHA256: digest, Size: int64(len(content)), Open: open}, nil
		}
		return ssh.Connect(ctx, o)
	}})
	defer p.Close()
	h := cluster.Host{Name: "cp-1", SSH: cluster.SSH{Host: server.Host, Port: server.Port, IdentityFile: server.IdentityFile, KnownHostsFile: "known_hosts"}}
	got := p.Try(t.Context(), h, nil)
	if got.Key == nil || got.ConnectionKind() != string(hosts.KindHostKeyUnknown) {
		t.Fatalf("there is no key to accept: %v", got.Err)
	}
	if got.Key.File != filepath.Join(dir, "known_hosts") || !strings.HasPrefix(got.Key.Fingerprint, "SHA256:") || got.Key.Type != "ssh-ed25519" || !strings.Contains(got.Key.Compare, "ssh_host_ed25519_key.pub") {
		t.Errorf("got %+v", got.Key)
	}
	if key, added, err := p.Trust(t.Context(), h, "SHA256:other"); err == nil || added || key != nil {
		t.Errorf("another fingerprint is trusted: %+v", key)
	}
	if err := got.Key.Accept(); err != nil {
		t.Fatal(err)
	}
	if key, added, err := p.Trust(t.Context(), h, got.Key.Fingerprint); err != nil || added || key.Fingerprint != got.Key.Fingerprint {
		t.Errorf("what is accepted is not known: %v, %v", added, err)
	}
	got = p.Try(t.Context(), h, nil)
	if got.Err != nil || got.Key != nil || got.Facts.Hostname != "cp-1" {
		t.Fatalf("got %+v", got)
	}
	p.Close()
	for _, folder := range []string{server.Home, filepath.Dir(server.Directory())} {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", folder, left, err)
		}
	}
}

// demo is a cluster as somebody is still writing it.
func demo() *cluster.Cluster {
	return &cluster.Cluster{
		Endpoint: cluster.Endpoint{Mode: cluster.EndpointVIP, Address: "10.9.0.1"},
		Hosts:    []cluster.Host{at("cp-1", "10.0.0.1"), at("cp-2", "10.0.0.2"), at("cp-3", "10.0.0.3")},
	}
}

// noting is a host that notes what it was asked last.
type noting struct {
	hosts.Host
	query *hosts.Query
}

func (n noting) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	*n.query = query
	return n.Host.Observe(ctx, query)
}

// TestChecksAreAskedOfConnectedHosts, by name; what takes time or writes to a disk is asked for only where a
// check needs it, and the cluster that was given stays as it is.
func TestChecksAreAskedOfConnectedHosts(t *testing.T) {
	var asked hosts.Query
	lost := hosttest.NewFake("cp-2", "10.0.0.2/24").Host()
	d := &probedHosts{hosts: map[string]hosts.Host{
		"cp-1": noting{hosttest.NewFake("cp-1", "10.0.0.1/24").Host(), &asked}, "cp-2": lost,
	}}
	p := probeOf(t, d)
	c := demo()
	before := *c
	for _, h := range c.Hosts {
		p.Try(t.Context(), h, nil)
	}
	s := p.seats[wayTo(p.complete(c.Hosts[1]))]
	s.take(cut{s.host})
	delete(d.hosts, "cp-2")
	found, told := p.Check(t.Context(), c, "VirtualIP", "NumCPU")
	if !slices.Equal(told, []string{"cp-1"}) {
		t.Errorf("asked were %v", told)
	}
	if len(found) != 2 || found[0].Check != "Connection" || found[0].Host != "cp-2" ||
		found[1].Check != "VirtualIP" || found[1].Host != "cp-1" || !strings.Contains(found[1].Seen, "outside the subnet") {
		t.Errorf("found %+v", found)
	}
	if asked.Sync != "" || asked.VirtualIP == nil {
		t.Errorf("asked for %+v", asked)
	}
	if !reflect.DeepEqual(*c, before) || !c.Hosts[0].SSH.Same(cluster.SSH{}) {
		t.Errorf("the cluster is another: %+v", c)
	}
	p.Check(t.Context(), c, "EtcdDisk")
	if asked.Sync == "" || asked.VirtualIP != nil {
		t.Errorf("asked for %+v", asked)
	}
	if found, _ := p.Check(t.Context(), c, "NoSuchCheck"); len(found) != 1 || found[0].Check != "NoSuchCheck" || found[0].Severity != checks.Error {
		t.Errorf("found %+v", found)
	}
}

// TestAHostIsTriedAsItsClusterSays, and so found again when checks are asked.
func TestAHostIsTriedAsItsClusterSays(t *testing.T) {
	d := &probedHosts{hosts: map[string]hosts.Host{"cp-1": hosttest.NewFake("cp-1", "10.0.0.1/24").Host()}}
	p := probeOf(t, d)
	c := demo()
	c.SSH.User = "ops"
	p.Try(t.Context(), HostsOf(c)[0], nil)
	if found, _ := p.Check(t.Context(), c, "VirtualIP"); len(found) != 1 || len(d.dials) != 1 || d.dials[0].SSH.User != "ops" || c.Hosts[0].SSH.User != "" {
		t.Errorf("found %+v, dialed %+v", found, d.dials)
	}
}

func TestHostChecksAreChecksOfInit(t *testing.T) {
	all, _ := probeOf(t, &probedHosts{}).Check(t.Context(), demo(), HostChecks...)
	for _, found := range all {
		t.Errorf("without a host there is %s", found)
	}
}

// TestNoHalfWrittenClusterIsTooBad: somebody is still writing it.
func TestNoHalfWrittenClusterIsTooBad(t *testing.T) {
	var names []string
	for _, check := range checks.Table {
		names = append(names, check.Name)
	}
	for name, spoil := range map[string]func(*cluster.Cluster){
		"as it is": func(*cluster.Cluster) {},
		"nothing": func(c *cluster.Cluster) {
			*c = cluster.Cluster{Hosts: []cluster.Host{{Name: "cp-1", Addresses: []string{"10.0.0.1"}}}}
		},
		"no hosts":       func(c *cluster.Cluster) { c.Hosts = nil },
		"no addresses":   func(c *cluster.Cluster) { c.Hosts[1].Addresses = nil },
		"one name twice": func(c *cluster.Cluster) { c.Hosts[1] = c.Hosts[0] },
		"no roles":       func(c *cluster.Cluster) { c.Hosts[0].Roles = nil },
		"no address":     func(c *cluster.Cluster) { c.Endpoint.Address = "x" },
		"another mode":   func(c *cluster.Cluster) { c.Endpoint.Mode = "x" },
		"broken subnets": func(c *cluster.Cluster) {
			c.Networking.PodSubnets, c.Networking.ServiceSubnets = []string{"x"}, []string{"10.0.0.0/99"}
		},
		"a broken version": func(c *cluster.Cluster) { c.KubernetesVersion = "x" },
		"an external etcd": func(c *cluster.Cluster) { c.Etcd.External = &cluster.ExternalEtcd{} },
		"balancers":        func(c *cluster.Cluster) { c.Endpoint = cluster.Endpoint{Mode: cluster.EndpointLoadBalancers} },
		"local":            func(c *cluster.Cluster) { c.Endpoint = cluster.Endpoint{Mode: cluster.EndpointLocal} },
		"external": func(c *cluster.Cluster) {
			c.Endpoint = cluster.Endpoint{Mode: cluster.EndpointExternal, Host: "-", Port: -1}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &probedHosts{hosts: map[string]hosts.Host{"cp-1": hosttest.NewFake("cp-1", "10.0.0.1/24").Host(), "cp-2": hosttest.NewFake("cp-2").Host()}}
			p := probeOf(t, d)
			c := demo()
			spoil(c)
			for _, h := range c.Hosts {
				p.Try(t.Context(), h, nil)
			}
			p.Check(t.Context(), c, names...) // whatever it finds
		})
	}
}
