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
)

// noon is when every test happens.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// world is a cluster's hosts and its API, simulated: what plans are carried out on.
type world struct {
	t        *testing.T
	cluster  *cluster.Cluster
	bill     bundle.Bill
	blobs    map[string][]byte
	pki      certs.PKI
	leaves   map[string]map[string]certs.Leaf
	now      time.Time
	machines map[string]*hosttest.Fake
	open     map[string]hosts.Host
	down     map[string]bool
	objects  map[hosts.ObjectKey]json.RawMessage
	nodes    map[string]hosts.Node
	touched  map[string]bool // hosts, and "" for the cluster
	query    *hosts.ClusterQuery
	stale    bool // something was done since the kubelets last looked
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

func newWorld(t *testing.T, planes, workers int) *world {
	t.Helper()
	c := &cluster.Cluster{Name: "try"}
	for i := range planes {
		c.Hosts = append(c.Hosts, cluster.Host{
			Name: fmt.Sprintf("cp-%d", i+1), Addresses: []string{fmt.Sprintf("10.0.0.%d", i+1)},
			Roles: []cluster.Role{cluster.RoleControlPlane},
		})
	}
	for i := range workers {
		c.Hosts = append(c.Hosts, testWorker(i+1))
	}
	if planes > 1 {
		c.Endpoint.Host = "10.0.0.200"
	}
	cluster.Defaults(c)
	w := &world{
		t: t, cluster: c, pki: testPKI, now: noon,
		leaves: map[string]map[string]certs.Leaf{}, machines: map[string]*hosttest.Fake{}, open: map[string]hosts.Host{},
		down: map[string]bool{}, objects: map[hosts.ObjectKey]json.RawMessage{}, nodes: map[string]hosts.Node{},
		touched: map[string]bool{},
	}
	w.bill, w.blobs = testBill()
	for _, host := range c.Hosts {
		w.boot(host)
	}
	return w
}

func testWorker(i int) cluster.Host {
	return cluster.Host{
		Name: fmt.Sprintf("w-%d", i), Addresses: []string{fmt.Sprintf("10.0.1.%d", i)}, Roles: []cluster.Role{cluster.RoleWorker},
	}
}

// boot puts a bare machine where a host of the file should be.
func (w *world) boot(host cluster.Host) {
	w.t.Helper()
	machine := hosttest.NewFake("debian-"+host.Name, host.Address()+"/16")
	machine.Now = func() time.Time { return w.now }
	machine.Edit(func(f *hosts.Facts) { f.Swaps = []string{"/dev/sda2"} })
	machine.PutFile("/etc/containers/policy.json", []byte("somebody else's"), 0o644)
	machine.PutFile("/var/log/syslog", nil, 0o640)
	w.machines[host.Name] = machine
	w.open[host.Name] = machine.Host()
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

// testBill is a bundle with all that the manifests ask for, and nothing in it.
func testBill() (bundle.Bill, map[string][]byte) {
	blobs := map[string][]byte{}
	blob := func(content string) bundle.Blob {
		ref := plan.Ref([]byte(content))
		blobs[ref] = []byte(content)
		return bundle.Blob{Digest: ref, Size: int64(len(content)), MediaType: "application/octet-stream"}
	}
	bill := bundle.Bill{
		KubernetesVersion: cluster.DefaultKubernetesVersion, Platform: bundle.Platform{OS: "linux", Arch: "amd64"},
		Components: []bundle.Component{{Name: "cni-install"}},
	}
	shared := blob("the kube layer")
	for _, name := range []string{
		"pause", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "flannel", "coredns/coredns",
	} {
		bill.Images = append(bill.Images, bundle.Image{
			Name: name, Tag: "v1", Manifest: blob("manifest " + name), Config: blob("config " + name),
			Layers: []bundle.Blob{shared, blob("layer " + name)},
		})
	}
	node := bundle.FileSet{Name: bundle.SetNode, Layers: []bundle.Blob{shared}}
	for _, path := range []string{manifests.Containerd, manifests.Runc, manifests.Kube, manifests.CNIBinFolder + "/bridge"} {
		node.Files = append(node.Files, bundle.HostFile{
			Path: path, Layer: shared.Digest, Entry: path[1:], Digest: plan.Ref([]byte(path)), Size: 1, Mode: 0o755,
		})
	}
	node.Files = append(node.Files, bundle.HostFile{Path: manifests.KubeletBinary, Target: manifests.Kube})
	etcdctl := blob("the etcd layer")
	bill.Sets = []bundle.FileSet{node, {
		Name: bundle.SetControlPlane, Layers: []bundle.Blob{etcdctl},
		Files: []bundle.HostFile{{
			Path: "/opt/slipway/bin/etcdctl", Layer: etcdctl.Digest, Entry: "etcdctl", Digest: plan.Ref([]byte("etcdctl")), Size: 1, Mode: 0o755,
		}},
	}}
	return bill, blobs
}

// observe is what a command sees: hosts by their query, and the cluster.
func (w *world) observe() Input {
	w.t.Helper()
	id, err := certs.ID(w.pki)
	if err != nil {
		w.t.Fatal(err)
	}
	in := Input{
		Cluster: w.cluster, ClusterID: hosts.Identity{ID: id, Name: w.cluster.Name}, Bill: w.bill, PKI: w.pki,
		Leaves: w.leaves, Facts: map[string]hosts.Facts{}, Unreached: map[string]error{}, Now: w.now,
	}
	for _, host := range w.cluster.Hosts {
		if w.down[host.Name] {
			in.Unreached[host.Name] = &hosts.Error{Kind: hosts.KindUnreachable, Op: "connect", Host: host.Name}
			continue
		}
		in.Facts[host.Name] = w.look(host.Name, HostQuery(w.cluster, w.bill, host))
	}
	if w.query == nil {
		query, err := ClusterQuery(in)
		if err != nil {
			w.t.Fatal(err)
		}
		w.query = &query
	}
	in.ClusterFacts = w.live(*w.query)
	return in
}

func (w *world) look(name string, query hosts.Query) hosts.Facts {
	w.t.Helper()
	facts, err := w.open[name].Observe(context.Background(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	return facts
}

// live is what the API shows.
func (w *world) live(query hosts.ClusterQuery) hosts.ClusterFacts {
	w.settle()
	if !w.apiUp() {
		return hosts.ClusterFacts{Cause: "connection refused"}
	}
	live := hosts.ClusterFacts{Reachable: true, Version: w.cluster.KubernetesVersion, Objects: map[hosts.ObjectKey]json.RawMessage{}}
	for _, key := range query.Objects {
		if object, there := w.objects[key]; there {
			live.Objects[key] = w.withStatus(object)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
		live.Nodes = append(live.Nodes, w.nodes[name])
	}
	for _, host := range w.cluster.ControlPlanes() {
		live.Members = append(live.Members, hosts.Member{Name: host.Name})
	}
	return live
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
		"desiredNumberScheduled": n, "updatedNumberScheduled": n, "numberAvailable": n,
	}
	data, err := json.Marshal(object)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

func (w *world) has(host, path string) bool {
	_, there := w.look(host, hosts.Query{Paths: []string{path}}).Files[path]
	return there
}

func (w *world) unitActive(host, name string) bool {
	return w.look(host, hosts.Query{Units: []string{name}}).Units[name].Active == "active"
}

func (w *world) imageLoaded(host, name string) bool {
	image, _ := w.bill.Image(name)
	reference := image.Reference(w.cluster.ImageRepository)
	return w.look(host, hosts.Query{Images: []string{reference}}).Images[reference] == image.Manifest.Digest
}

// serves tells whether an API server answers on a host.
func (w *world) serves(host string) bool {
	return w.runs(host, manifests.EtcdManifest, manifests.APIServerManifest)
}

// runs tells whether static Pods run on a host.
func (w *world) runs(host string, pods ...string) bool {
	for _, manifest := range pods {
		if !w.has(host, manifest) {
			return false
		}
	}
	return w.unitActive(host, manifests.ContainerdUnit) && w.unitActive(host, manifests.KubeletUnit)
}

// controlled tells whether somebody turns objects into Pods and puts them on nodes.
func (w *world) controlled() bool {
	return slices.ContainsFunc(w.cluster.ControlPlanes(), func(host cluster.Host) bool {
		return !w.down[host.Name] && w.runs(host.Name, manifests.ControllerManifest, manifests.SchedulerManifest)
	})
}

func (w *world) apiUp() bool {
	return slices.ContainsFunc(w.cluster.ControlPlanes(), func(host cluster.Host) bool {
		return !w.down[host.Name] && w.serves(host.Name)
	})
}

// settle lets kubelets do what they do: start etcd, register, become Ready.
func (w *world) settle() {
	if !w.stale {
		return
	}
	w.stale = false
	up := w.apiUp()
	for _, host := range w.cluster.Hosts {
		name := host.Name
		if w.down[name] || !w.unitActive(name, manifests.KubeletUnit) {
			continue
		}
		machine := w.machines[name]
		machine.PutFile("/var/log/pods/x/0.log", nil, 0o640)
		machine.PutFile("/var/lib/kubelet/cpu_manager_state", nil, 0o600)
		if w.has(name, manifests.EtcdManifest) {
			machine.PutFile(etcdMember+"/snap/db", nil, 0o600)
		}
		if !up {
			continue
		}
		node, there := w.nodes[name]
		if !there {
			node = hosts.Node{Name: name, KubeletVersion: w.cluster.KubernetesVersion, Labels: map[string]string{"kubernetes.io/hostname": name}}
			for _, taint := range host.NodeTaints() {
				node.Taints = append(node.Taints, taintText(taint))
			}
			machine.PutFile("/etc/cni/net.d/10-flannel.conflist", nil, 0o644)
			machine.Leftovers([]string{"kube-flannel-" + name}, []string{"/var/lib/kubelet/pods/x/volumes/y"},
				[]string{"flannel.1", "cni0"}, []string{"kube-proxy"}, []string{"KUBE-FIREWALL"})
		}
		node.Ready = w.networked()
		w.nodes[name] = node
	}
}

func (w *world) networked() bool {
	if w.cluster.Networking.AddOn != cluster.AddOnFlannel || !w.controlled() {
		return false
	}
	for key := range w.objects {
		if key.Kind == "DaemonSet" && strings.Contains(key.Name, "flannel") {
			return true
		}
	}
	return false
}

// may tells whether a step can end now: a wait only when what it waits for is so.
func (w *world) may(step plan.Step) bool {
	switch a := step.Cluster.(type) {
	case plan.WaitAPI:
		return w.serves(a.Host)
	case plan.WaitNode:
		w.settle()
		node, there := w.nodes[a.Node]
		return w.apiUp() && there && (node.Ready || !a.Ready)
	case plan.WaitAvailable:
		w.settle()
		_, there := w.objects[a.Object]
		return w.apiUp() && there && w.networked()
	}
	return true
}

// do carries out one step.
func (w *world) do(step plan.Step, contents plan.Contents) {
	w.t.Helper()
	w.touched[step.Host] = true
	w.stale = true
	if step.Cluster != nil {
		w.doCluster(step, contents)
		return
	}
	w.sound(step)
	w.upload(step, contents)
	if _, err := w.open[step.Host].Do(context.Background(), step.Action, nil); err != nil {
		w.t.Fatalf("step %s: %v", step.ID, err)
	}
}

// sound checks what a step takes for granted.
func (w *world) sound(step plan.Step) {
	w.t.Helper()
	switch a := step.Action.(type) {
	case hosts.SetUnit:
		if a.Name == manifests.ContainerdUnit && a.Active && !w.has(step.Host, manifests.Containerd) {
			w.t.Fatalf("step %s: containerd is started before it is there", step.ID)
		}
		if a.Name == manifests.KubeletUnit && a.Active {
			w.soundKubelet(step)
		}
	case hosts.WriteFile:
		image, pod := strings.CutSuffix(strings.TrimPrefix(a.Path, manifests.ManifestsFolder+"/"), ".yaml")
		if pod && strings.HasPrefix(a.Path, manifests.ManifestsFolder) && !w.imageLoaded(step.Host, image) {
			w.t.Fatalf("step %s: the Pod is written before its image is there", step.ID)
		}
	}
}

func (w *world) soundKubelet(step plan.Step) {
	w.t.Helper()
	for _, path := range []string{manifests.Kube, manifests.KubeletConf, manifests.KubeletConfig, certs.KubeletCurrent} {
		if !w.has(step.Host, path) {
			w.t.Fatalf("step %s: the kubelet is started before %s is there", step.ID, path)
		}
	}
	if !w.imageLoaded(step.Host, imagePause) {
		w.t.Fatalf("step %s: the kubelet is started before the pause image is there", step.ID)
	}
	host, _ := w.cluster.Host(step.Host)
	if !host.HasRole(cluster.RoleControlPlane) && !w.apiUp() {
		w.t.Fatalf("step %s: the kubelet is started before any API answers", step.ID)
	}
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

func (w *world) doCluster(step plan.Step, contents plan.Contents) {
	w.t.Helper()
	if !w.apiUp() {
		w.t.Fatalf("step %s: no API answers", step.ID)
	}
	switch a := step.Cluster.(type) {
	case plan.Apply:
		if _, there := w.objects[a.Object]; !there || !a.Seed {
			w.objects[a.Object] = json.RawMessage(contents[a.Content])
		}
	case plan.Delete:
		delete(w.objects, a.Object)
		delete(w.nodes, a.Object.Name)
	case plan.MarkNode:
		w.markNode(step, a)
	case plan.Cordon:
		w.setNode(step, a.Node, func(n *hosts.Node) { n.Unschedulable = true })
	case plan.Uncordon:
		w.setNode(step, a.Node, func(n *hosts.Node) { n.Unschedulable = false })
	case plan.Drain, plan.WaitAPI, plan.WaitNode, plan.WaitAvailable:
	}
}

func (w *world) markNode(step plan.Step, a plan.MarkNode) {
	w.setNode(step, a.Node, func(n *hosts.Node) {
		n.Labels = maps.Clone(n.Labels)
		maps.Copy(n.Labels, a.Labels)
		n.Taints = slices.DeleteFunc(slices.Clone(n.Taints), func(t string) bool { return slices.Contains(a.RemoveTaints, t) })
		for _, taint := range a.Taints {
			if !slices.Contains(n.Taints, taint) {
				n.Taints = append(n.Taints, taint)
			}
		}
	})
}

func (w *world) setNode(step plan.Step, name string, change func(*hosts.Node)) {
	w.t.Helper()
	node, there := w.nodes[name]
	if !there {
		w.t.Fatalf("step %s: there is no node %s", step.ID, name)
	}
	change(&node)
	w.nodes[name] = node
}
