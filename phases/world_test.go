package phases

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// noon is when every test happens.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// world is a cluster's hosts and its API, simulated: what plans are carried out on.
type world struct {
	t         *testing.T
	cluster   *cluster.Cluster
	bill      bundle.Bill
	blobs     map[string][]byte
	pki       certs.PKI
	leaves    map[string]map[string]certs.Leaf
	now       time.Time
	machines  map[string]*hosttest.Fake
	open      map[string]hosts.Host
	down      map[string]bool
	objects   map[hosts.ObjectKey]json.RawMessage
	applied   map[hosts.ObjectKey][]string // who has applied an object
	nodes     map[string]hosts.Node
	touched   map[string]bool // hosts, and "" for the cluster
	query     *hosts.ClusterQuery
	unbundled bool            // the command has no bundle at hand
	begun     map[string]bool // hosts whose member was let begin, as the state folder has it
	stale     bool            // something was done since the kubelets last looked
	sandboxes bool            // hosts tell of the Pods that run there
	etcd      etcd
	running   map[string]map[string]bool // static Pods by host and name
	balancer  map[string]balancer        // what each host's haproxy and keepalived run with
	address   map[string]string
	kubelets  map[string]string // the version that each host's kubelet was last started with
	rebooting bool              // hosts are rebooted
	upgrading bool              // what an upgrade promises is looked at
	snapshots int               // so many were taken
	patched   bool              // there is a bundle of the next patch version: else others are of the same
	pause     string            // after whose turn an upgrade pauses
	without   []string          // hosts that it leaves out
	atOnce    int               // how many workers change at a time; 0: as usual
	backFrom  string            // the bundle from before which a rollback goes back
	back      map[string]hosts.Kept
	kept      map[string][]byte
	boots     map[string]string // those that a reboot is to end, as its first look has found them
}

// testPKI is minted once: what differs between worlds is not in it.
var testPKI = func() certs.PKI {
	pki, err := mint.PKI("ECDSA-P256", 10*365*24*time.Hour, noon)
	if err != nil {
		panic(err)
	}
	return pki
}()

// minted keeps leaves from world to world: signing takes most of a world's time.
var minted = map[string][]certs.Leaf{}

// testVIP is the virtual address, where the endpoint has one.
const testVIP = "10.0.0.200"

// testEtcd is the user's own etcd, where there is one.
const testEtcd = "10.0.3.1:2379"

// newWorld is a world of bare machines, with the endpoint that the file need not name.
func newWorld(t *testing.T, planes, workers int) *world {
	t.Helper()
	mode := cluster.EndpointControlPlane
	if planes > 1 {
		mode = cluster.EndpointVIP
	}
	return newWorldOf(t, shape{mode: mode, planes: planes, workers: workers})
}

// shape is what a generated cluster is like.
type shape struct {
	mode                    cluster.EndpointMode
	planes, workers, spares int  // spares are load balancers
	external                bool // etcd is the user's own
	dual                    bool // hosts have addresses of both families, and the endpoint has one of IPv6
}

func newWorldOf(t *testing.T, s shape) *world {
	t.Helper()
	c := &cluster.Cluster{Name: "try", Endpoint: cluster.Endpoint{Mode: s.mode}}
	for i := range s.planes {
		c.Hosts = append(c.Hosts, testPlane(i+1))
	}
	for i := range s.workers {
		c.Hosts = append(c.Hosts, testWorker(i+1))
	}
	for i := range s.spares {
		c.Hosts = append(c.Hosts, testBalancer(i+1))
	}
	if s.mode == cluster.EndpointVIP || s.mode == cluster.EndpointLoadBalancers || s.mode == cluster.EndpointExternal {
		c.Endpoint.Host = testVIP
	}
	if s.dual {
		for i := range c.Hosts {
			c.Hosts[i].Addresses = append(c.Hosts[i].Addresses, sixOf(c.Hosts[i]))
		}
		if c.Endpoint.Host != "" {
			c.Endpoint.Host = testVIP6
		}
	}
	if s.external {
		c.Etcd.External = &cluster.ExternalEtcd{
			Endpoints: []string{"https://" + testEtcd}, CAFile: "etcd-ca.crt", CertFile: "etcd.crt", KeyFile: "etcd.key",
		}
	}
	cluster.Defaults(c)
	w := &world{
		t: t, cluster: c, pki: testPKI, now: noon,
		leaves: map[string]map[string]certs.Leaf{}, machines: map[string]*hosttest.Fake{}, open: map[string]hosts.Host{},
		down: map[string]bool{}, objects: map[hosts.ObjectKey]json.RawMessage{}, applied: map[hosts.ObjectKey][]string{}, nodes: map[string]hosts.Node{},
		touched: map[string]bool{}, begun: map[string]bool{}, running: map[string]map[string]bool{}, balancer: map[string]balancer{}, address: map[string]string{}, kubelets: map[string]string{},
		etcd: etcd{data: map[string]string{}, begun: map[string]bool{}, versions: map[string]string{}},
	}
	w.bill, w.blobs = testBill()
	for _, host := range c.Hosts {
		w.boot(host)
	}
	return w
}

func testPlane(i int) cluster.Host    { return testHost("cp", 0, i, cluster.RoleControlPlane) }
func testWorker(i int) cluster.Host   { return testHost("w", 1, i, cluster.RoleWorker) }
func testBalancer(i int) cluster.Host { return testHost("lb", 2, i, cluster.RoleLoadBalancer) }

func testHost(prefix string, subnet, i int, role cluster.Role) cluster.Host {
	return cluster.Host{
		Name: fmt.Sprintf("%s-%d", prefix, i), Addresses: []string{fmt.Sprintf("10.0.%d.%d", subnet, i)}, Roles: []cluster.Role{role},
	}
}

// testVIP6 is the virtual address where it is one of IPv6, and sixOf what a host has beside 10.0.x.y.
const testVIP6 = "fd00:77::200"

func sixOf(host cluster.Host) string {
	parts := strings.Split(host.Address(), ".")
	return "fd00:77::" + parts[2] + ":" + parts[3]
}

// inSubnets are a host's addresses as its interface has them.
func inSubnets(host cluster.Host) []string {
	found := []string{host.Address() + "/16"}
	if six := host.AddressOf(cluster.IPv6); six != "" {
		found = append(found, six+"/64")
	}
	return found
}

// boot puts a bare machine where a host of the file should be.
func (w *world) boot(host cluster.Host) {
	w.t.Helper()
	machine := hosttest.NewFake("debian-"+host.Name, inSubnets(host)...)
	machine.Now = func() time.Time { return w.now }
	machine.Edit(func(f *hosts.Facts) {
		f.Swaps = []string{"/dev/sda2"}
		f.Reach = map[string]string{testVIP + ":6443": "", testEtcd: ""} // the user's own, where there are any
	})
	machine.PutFile("/etc/containers/policy.json", []byte("somebody else's"), 0o644)
	machine.PutFile("/var/log/syslog", nil, 0o640)
	machine.PutFile("/var/lib/slipway/agent", nil, 0o700) // it looks from there
	w.machines[host.Name] = machine
	w.open[host.Name] = machine.Host()
	w.running[host.Name], w.address[host.Name] = map[string]bool{}, host.Address()
	w.mintLeaves(host)
}

func (w *world) mintLeaves(host cluster.Host) {
	w.t.Helper()
	specs := certs.Specs(w.cluster, host)
	key := fmt.Sprintf("%v %v", w.now, specs)
	leaves, cached := minted[key]
	if !cached {
		var err error
		if leaves, err = mint.Leaves(w.pki, specs, time.Duration(w.cluster.Certificates.Validity), w.now); err != nil {
			w.t.Fatal(err)
		}
		minted[key] = leaves
	}
	w.leaves[host.Name] = map[string]certs.Leaf{}
	for _, leaf := range leaves {
		w.leaves[host.Name][leaf.Name] = leaf
	}
}

// do carries out one step.
func (w *world) do(step plan.Step, contents plan.Contents) {
	w.t.Helper()
	w.touched[step.Host] = true
	if step.Cluster != nil {
		w.doCluster(step, contents)
		w.stale = true
		return
	}
	if w.down[step.Host] {
		w.t.Fatalf("step %s: the host is down", step.ID)
	}
	w.sound(step)
	w.soundUpgrade(step)
	w.upload(step, contents)
	outcome, err := w.open[step.Host].Do(context.Background(), step.Action, nil)
	if err != nil {
		w.t.Fatalf("step %s: %v", step.ID, err)
	}
	if LetsBegin(step) {
		w.begun[step.Host] = true
	}
	w.follow(step.Host, step.Action, outcome)
	w.stale = true
	w.keepsServing(step)
}

func (w *world) upload(step plan.Step, contents plan.Contents) {
	w.t.Helper()
	var blobs []hosts.Blob
	for _, ref := range plan.Refs(step) {
		blob, ok := contents.Blob(ref)
		if !ok {
			content, known := w.blobs[ref]
			if !known {
				w.t.Fatalf("step %s: nobody has %s", step.ID, ref)
			}
			blob = hosts.Blob{
				Ref: ref, SHA256: strings.TrimPrefix(ref, "sha256:"), Size: int64(len(content)),
				Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
			}
		}
		blobs = append(blobs, blob)
	}
	if err := w.open[step.Host].Upload(context.Background(), blobs, nil); err != nil {
		w.t.Fatalf("step %s: %v", step.ID, err)
	}
}
