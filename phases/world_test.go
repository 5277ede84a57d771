package phases

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	upgrading bool              // what an upgrade promises is looked at
	snapshots int               // so many were taken
	patched   bool              // there is a bundle of the next patch version: else others are of the same
	pause     string            // after whose turn an upgrade pauses
	without   []string          // hosts that it leaves out
	backFrom  string            // the bundle from before which a rollback goes back
	back      map[string]hosts.Kept
	kept      map[string][]byte
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

// boot puts a bare machine where a host of the file should be.
func (w *world) boot(host cluster.Host) {
	w.t.Helper()
	machine := hosttest.NewFake("debian-"+host.Name, host.Address()+"/16")
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

// testVersion is that of all that is in the first bundle, nextVersion of what changes in the next.
const testVersion, nextVersion = "v1", "v2"

// testBill is a bundle with all that the manifests ask for, and nothing in it.
func testBill() (bundle.Bill, map[string][]byte) {
	blobs := map[string][]byte{}
	blob := func(content string) bundle.Blob {
		ref := plan.Ref([]byte(content))
		blobs[ref] = []byte(content)
		return bundle.Blob{Digest: ref, Size: int64(len(content)), MediaType: "application/octet-stream"}
	}
	bill := bundle.Bill{
		APIVersion: bundle.APIVersion, KubernetesVersion: cluster.DefaultKubernetesVersion, Platform: bundle.Platform{OS: "linux", Arch: "amd64"},
		Components: []bundle.Component{
			{Name: "cni-install"}, {Name: "cni-await"}, {Name: "etcd", Version: etcdVersions[false], Features: []string{bundle.FeatureStartGuard}},
		},
	}
	shared := blob("the kube layer")
	for _, name := range []string{
		"pause", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "flannel", "coredns/coredns",
	} {
		bill.Images = append(bill.Images, bundle.Image{
			Name: name, Tag: testVersion, Manifest: blob("manifest " + name), Config: blob("config " + name),
			Layers: []bundle.Blob{shared, blob("layer " + name)},
		})
	}
	bill.Sets = []bundle.FileSet{
		testSet(bundle.SetNode, testVersion, shared, []string{"containerd", "runc", "kube", "bridge"}, nodeLeads()),
		testSet(bundle.SetControlPlane, testVersion, blob("the etcd layer"), []string{"etcdctl"}, []bundle.Lead{{Path: manifests.BinFolder + "/etcdctl", File: "etcdctl"}}),
		testSet(bundle.SetLoadBalancer, testVersion, blob("the load balancer's root"), balancerPrograms, nil),
	}
	bill.Sets[2].Root = bundle.Folders(bill.Sets[2:])[0]
	return bill, blobs
}

func nodeLeads() []bundle.Lead {
	return []bundle.Lead{
		{Path: manifests.Containerd, File: "containerd"}, {Path: manifests.Runc, File: "runc"}, {Path: manifests.Kube, File: "kube"},
		{Path: manifests.KubeletBinary, File: "kube"}, {Path: manifests.CNIBinFolder + "/bridge", File: "bridge", Copy: true},
	}
}

// balancerPrograms are those of the load balancer's root directory.
var balancerPrograms = []string{"usr/sbin/haproxy", "usr/sbin/keepalived", "usr/sbin/nft", "usr/bin/endpoint"}

func balancerRoot(bill bundle.Bill) string {
	set, _ := bill.Set(bundle.SetLoadBalancer)
	return set.Root
}

func testSet(name, version string, layer bundle.Blob, files []string, leads []bundle.Lead) bundle.FileSet {
	part := bundle.Part{Component: name, Version: version}
	for _, path := range files {
		part.Files = append(part.Files, bundle.HostFile{
			Path: path, Layer: layer.Digest, Entry: path, Digest: plan.Ref([]byte(path)), Size: 1, Mode: 0o755,
		})
	}
	for i := range leads {
		leads[i].Component = name
	}
	set := bundle.NewSet(name, []bundle.Part{part}, leads)
	set.Layers = []bundle.Blob{layer}
	return set
}

// observe is what a command sees: hosts by their query, and the cluster.
func (w *world) observe() Input {
	w.t.Helper()
	id, err := certs.ID(w.pki)
	if err != nil {
		w.t.Fatal(err)
	}
	bill := w.bill
	if w.unbundled {
		bill = bundle.Bill{}
	}
	in := Input{View: view.View{
		Cluster: w.cluster, ClusterID: hosts.Identity{ID: id, Name: w.cluster.Name}, Bill: bill, PKI: w.pki,
		Leaves: w.leaves, Facts: map[string]hosts.Facts{}, Unreached: map[string]error{}, Now: w.now,
		Begun:     w.begun,
		EtcdFiles: map[string][]byte{"etcd-ca.crt": []byte("ca"), "etcd.crt": []byte("cert"), "etcd.key": []byte("key")},
	}}
	for _, host := range w.cluster.Hosts {
		if w.down[host.Name] || slices.Contains(w.without, host.Name) {
			in.Unreached[host.Name] = &hosts.Error{Kind: hosts.KindUnreachable, Op: "connect", Host: host.Name}
			continue
		}
		in.Facts[host.Name] = w.withSandboxes(host.Name, w.look(host.Name, UpgradeQuery(w.cluster, bill, host)))
	}
	w.giveVIP(in.Facts)
	w.asked(&in)
	in.ClusterFacts = w.live(w.clusterQuery(in))
	return in
}

// clusterQuery is made once for a world with a bundle: it takes as long as all the rest.
func (w *world) clusterQuery(in Input) hosts.ClusterQuery {
	w.t.Helper()
	if w.query != nil && !w.unbundled {
		return *w.query
	}
	query, err := ClusterQuery(in)
	if err != nil {
		w.t.Fatal(err)
	}
	if !w.unbundled {
		w.query = &query
	}
	return query
}

// withSandboxes adds the Pods that run on a host, where that is asked for.
func (w *world) withSandboxes(name string, facts hosts.Facts) hosts.Facts {
	for manifest, runs := range w.running[name] {
		if runs && w.sandboxes {
			facts.Sandboxes = append(facts.Sandboxes, hosts.Sandbox{ID: manifest})
		}
	}
	return facts
}

func (w *world) look(name string, query hosts.Query) hosts.Facts {
	w.t.Helper()
	facts, err := w.open[name].Observe(context.Background(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	return facts
}

// live is what the API and etcd show.
func (w *world) live(query hosts.ClusterQuery) hosts.ClusterFacts {
	w.settle()
	live := hosts.ClusterFacts{Members: w.members()}
	if w.cluster.StackedEtcd() && live.Members == nil {
		live.MembersCause = "connection refused"
	}
	if !w.apiUp() {
		live.Cause = "connection refused"
		return live
	}
	live.Reachable, live.Version, live.Objects = true, w.oldestServer(), map[hosts.ObjectKey]json.RawMessage{}
	for _, key := range query.Objects {
		if object, there := w.objects[key]; there {
			live.Objects[key] = w.withStatus(object)
		}
	}
	for _, kind := range query.Inventory {
		live.Inventory = append(live.Inventory, w.inventory(kind)...)
	}
	for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
		live.Nodes = append(live.Nodes, w.nodes[name])
	}
	live.Health = w.health()
	return live
}

// inventory is what Slipway has applied of a kind.
func (w *world) inventory(kind hosts.ObjectKey) []hosts.Applied {
	var found []hosts.Applied
	for key, content := range w.objects {
		like := key
		like.Name = ""
		at := slices.Index(w.applied[key], "slipway")
		if like != kind || at < 0 {
			continue
		}
		var object metav1.PartialObjectMetadata
		if err := json.Unmarshal(content, &object); err != nil {
			w.t.Fatal(err)
		}
		if phase := object.Labels[hosts.LabelInventory]; phase != "" {
			others := slices.Delete(slices.Clone(w.applied[key]), at, at+1)
			found = append(found, hosts.Applied{Object: key, UID: uidOf(key), Phase: phase, Others: others})
		}
	}
	slices.SortFunc(found, func(a, b hosts.Applied) int { return strings.Compare(a.Object.Name, b.Object.Name) })
	return found
}

func uidOf(key hosts.ObjectKey) string { return "the uid of " + key.String() }

// health is what init and ha test ask the control planes for that are connected.
func (w *world) health() []hosts.Health {
	var found []hosts.Health
	add := func(host, component string, healthy bool) {
		found = append(found, hosts.Health{Host: host, Component: component, Healthy: healthy})
	}
	for _, host := range w.cluster.ControlPlanes() {
		if w.down[host.Name] {
			continue
		}
		add(host.Name, hosts.ComponentAPIServer, w.serves(host.Name))
		add(host.Name, hosts.ComponentKubelet, w.unitActive(host.Name, manifests.KubeletUnit))
		for _, manifest := range staticPods {
			if manifest != manifests.APIServerManifest && (manifest != manifests.EtcdManifest || w.cluster.StackedEtcd()) {
				add(host.Name, podName(manifest), w.runs(host.Name, manifest))
			}
		}
	}
	return found
}

// withStatus adds to an object what the API server and the controllers add.
func (w *world) withStatus(content []byte) json.RawMessage {
	var object map[string]any
	if err := json.Unmarshal(content, &object); err != nil {
		w.t.Fatal(err)
	}
	metadata := object["metadata"].(map[string]any)
	metadata["uid"], metadata["generation"] = "u", 1
	n, replicas := len(w.nodes), any(0)
	if spec, ok := object["spec"].(map[string]any); ok {
		replicas = spec["replicas"]
	}
	object["status"] = map[string]any{
		"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas,
		"desiredNumberScheduled": n, "updatedNumberScheduled": n - w.missing(), "numberAvailable": n - w.missing(),
	}
	data, err := json.Marshal(object)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
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
