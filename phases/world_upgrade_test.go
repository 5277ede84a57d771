package phases

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Versions in a world: what an upgrade changes, and what it promises meanwhile.

// nextBundle gives the world a bundle of the next patch version: other images and binaries of
// Kubernetes, another etcd, and flannel of the same version, built otherwise.
func (w *world) nextBundle() {
	w.t.Helper()
	w.bill, w.blobs = testBill()
	w.query, w.patched = nil, true
	blob := func(content string) bundle.Blob {
		ref := plan.Ref([]byte(content))
		w.blobs[ref] = []byte(content)
		return bundle.Blob{Digest: ref, Size: int64(len(content)), MediaType: "application/octet-stream"}
	}
	for i := range w.bill.Images {
		switch image := &w.bill.Images[i]; image.Name {
		case "pause":
		case "flannel": // the same version, built otherwise
			image.Manifest, image.Config = blob("next manifest flannel"), blob("next config flannel")
		default:
			image.Tag, image.Manifest, image.Config = nextVersion, blob("next manifest "+image.Name), blob("next config "+image.Name)
		}
	}
	w.bill.Sets[0] = testSet(bundle.SetNode, nextVersion, blob("the next kube layer"), []string{"containerd", "runc", "kube", "bridge", "new"}, nodeLeads())
	for i := range w.bill.Components {
		if w.bill.Components[i].Name == "etcd" {
			w.bill.Components[i].Version = etcdVersions[true]
		}
	}
	w.bill.KubernetesVersion = versionOf(nextVersion)
	w.cluster.KubernetesVersion = w.bill.KubernetesVersion
}

// image is one of the bundle's.
func (w *world) image(name string) bundle.Image {
	w.t.Helper()
	at := slices.IndexFunc(w.bill.Images, func(image bundle.Image) bool { return image.Name == name })
	if at < 0 {
		w.t.Fatalf("the bundle has no image %s", name)
	}
	return w.bill.Images[at]
}

// beforeUpgrade makes the cluster, and gives the world the bundle that it is to be upgraded to. From
// here on it is looked at what an upgrade promises.
func (w *world) beforeUpgrade() {
	w.t.Helper()
	w.init(seeded(1))
	w.nextBundle()
	w.upgrading = true
}

// versionOf is the Kubernetes version that a bundle's tag stands for.
func versionOf(tag string) string {
	version, _ := cluster.ParseVersion(cluster.DefaultKubernetesVersion)
	if tag == nextVersion {
		version.Patch++
	}
	return version.String()
}

// startKubelet notes the version with which a host's kubelet starts.
func (w *world) startKubelet(host string) {
	w.kubelets[host] = cluster.DefaultKubernetesVersion
	if w.patched {
		w.kubelets[host] = versionOf(w.inForce(host))
	}
}

// inForce is the tag of the version that a host's binaries are led to.
func (w *world) inForce(host string) string {
	kube := w.look(host, hosts.Query{Paths: []string{manifests.Kube}}).Files[manifests.Kube]
	if strings.HasPrefix(path.Base(path.Dir(kube.Target)), bundle.SetNode+"-"+nextVersion) {
		return nextVersion
	}
	return testVersion
}

// oldestServer is the oldest version that an API server of the cluster has.
func (w *world) oldestServer() string {
	version := versionOf(nextVersion)
	for name := range w.machines {
		content, _, there := w.machines[name].ReadFile(manifests.APIServerManifest)
		if there && w.serves(name) && !strings.Contains(string(content), "kube-apiserver:"+nextVersion) {
			version = versionOf(testVersion)
		}
	}
	return version
}

// soundUpgrade looks at what an upgrade promises of a step.
func (w *world) soundUpgrade(step plan.Step) {
	w.t.Helper()
	set, is := step.Action.(hosts.SetUnit)
	if !w.upgrading || !is || set.Name != manifests.KubeletUnit {
		return
	}
	if node, there := w.nodes[step.Host]; there && !node.Unschedulable {
		w.t.Fatalf("step %s: the kubelet starts anew on a node that is not drained", step.ID)
	}
}

// keepsServing looks, after a step of an upgrade, that not two control planes are out at once, and
// no more workers than may be.
func (w *world) keepsServing(step plan.Step) {
	w.t.Helper()
	if !w.upgrading {
		return
	}
	w.settle()
	var out []string
	for _, host := range w.cluster.ControlPlanes() {
		if !w.serves(host.Name) && !w.down[host.Name] {
			out = append(out, host.Name)
		}
	}
	if len(out) > 1 {
		w.t.Fatalf("after step %s the control planes %v are out at once", step.ID, out)
	}
	cordoned := map[bool][]string{}
	for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
		if host, _ := w.cluster.Host(name); w.nodes[name].Unschedulable && !w.down[name] {
			plane := host.HasRole(cluster.RoleControlPlane)
			cordoned[plane] = append(cordoned[plane], name)
		}
	}
	if len(cordoned[true]) > 1 || len(cordoned[false]) > max(1, w.atOnce) {
		w.t.Fatalf("after step %s the nodes %v are cordoned at once", step.ID, cordoned)
	}
}

// missing is how many nodes are down.
func (w *world) missing() int {
	n := 0
	for name := range w.nodes {
		if w.down[name] {
			n++
		}
	}
	return n
}

// maySpare tells whether a DaemonSet rolls out although Pods of it are missing, and its wait knows that.
func (w *world) maySpare(a plan.WaitAvailable) bool {
	var object struct {
		Spec struct {
			UpdateStrategy struct {
				RollingUpdate struct{ MaxUnavailable int }
			}
		}
	}
	if err := json.Unmarshal(w.objects[a.Object], &object); err != nil {
		w.t.Fatal(err)
	}
	n := w.missing()
	return a.Object.Kind != "DaemonSet" || a.Missing >= n && object.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable > n
}

// goBack has the world's command go back to the first bundle: what workflow finds on the hosts.
func (w *world) goBack() {
	w.t.Helper()
	bill, _ := testBill()
	w.goBackTo(bill)
}

// goBackTo is the same for the bundle before the world's, whatever it is.
func (w *world) goBackTo(bill bundle.Bill) {
	w.t.Helper()
	from, err := w.bill.ID()
	if err != nil {
		w.t.Fatal(err)
	}
	w.backFrom, w.back, w.kept = from, map[string]hosts.Kept{}, map[string][]byte{}
	for name := range w.machines {
		for _, one := range w.look(name, hosts.Query{}).Kept {
			if one.Before != from {
				continue
			}
			w.back[name] = one
			for _, was := range one.Paths {
				if content, _, there := w.machines[name].ReadFile(hosts.KeptContent(from, was.Digest)); there {
					w.kept[was.Digest] = content
				}
			}
		}
	}
	w.bill = bill
	w.blobs = map[string][]byte{} // a rollback has no bundle
	w.cluster.KubernetesVersion, w.query = w.bill.KubernetesVersion, nil
}

// asked gives an upgrade what was asked for, and a rollback what the command has found.
func (w *world) asked(in *Input) {
	in.Back, in.BackFrom, in.KeptContents = w.back, w.backFrom, w.kept
	in.PauseAfter, in.Without, in.Boots, in.WorkersAtOnce = w.pause, w.without, w.boots, w.atOnce
}

// rest carries a workflow out, again where an API server was silent: then it shows only afterwards
// what is left to do in the cluster.
func (w *world) rest(workflow workflow) {
	w.t.Helper()
	for range 2 {
		silent := !w.apiUp()
		w.all(workflow)
		if !silent {
			return
		}
	}
}
