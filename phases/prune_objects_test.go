package phases

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// bring puts the configuration of a network of the user's own on every node.
func (w *world) bring(file string) {
	for _, machine := range w.machines {
		machine.PutFile(path.Join(manifests.CNIConfFolder, file), []byte("{}"), 0o644)
	}
}

// put makes an object past every plan, with the label, as somebody who applies it.
func (w *world) put(key hosts.ObjectKey, appliedBy ...string) {
	w.objects[key] = fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,"metadata":{"namespace":%q,"name":%q,"labels":{%q:"addon.old"}}}`,
		key.APIVersion, key.Kind, key.Namespace, key.Name, hosts.LabelInventory)
	w.applied[key] = appliedBy
}

// deletions lists what a plan deletes, in its order.
func deletions(p plan.Plan) []string {
	var found []string
	for _, step := range p.Steps {
		if action, is := step.Cluster.(plan.Delete); is {
			found = append(found, action.Object.String())
		}
	}
	return found
}

// TestWhatTheFileNoLongerWantsGoes: flannel is deleted, what runs it first, and the cluster then
// holds what it would hold had it never been there, but for the namespace.
func TestWhatTheFileNoLongerWantsGoes(t *testing.T) {
	never := newWorld(t, 1, 1)
	never.cluster.Networking.AddOn = cluster.AddOnNone
	never.init(seeded(1))

	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.cluster.Networking.AddOn = cluster.AddOnNone
	w.bring("05-cilium.conflist")
	p, contents := w.planned(Init)
	want := []string{
		"DaemonSet kube-flannel/kube-flannel-ds", "ConfigMap kube-flannel/kube-flannel-cfg", "ClusterRoleBinding flannel",
		"ClusterRole flannel", "ServiceAccount kube-flannel/flannel",
	}
	if got := deletions(p); !slices.Equal(got, want) {
		t.Errorf("it deletes %q, want %q", got, want)
	}
	if text := plan.Text(p); !strings.Contains(text, "    - delete DaemonSet kube-flannel/kube-flannel-ds ") ||
		!strings.Contains(text, "warning: namespace kube-flannel stays") || strings.Contains(text, "namespace kube-system stays") {
		t.Errorf("the plan does not say what goes and what stays:\n%s", text)
	}
	conf := "cp-1/prune/" + trimmed(manifests.CNIConf)
	if before := plan.Predecessors(p); !slices.Contains(before[conf], "cluster/addon/flannel/serviceaccount/kube-flannel/flannel/delete") { // the last of them
		t.Errorf("flannel, which would write it again, is not deleted before %s:\n%s", conf, edges(p))
	}
	w.run(p, contents, seeded(2), -1)
	p, _ = w.planned(Init)
	wantEmpty(t, p)
	namespace := hosts.ObjectKey{APIVersion: "v1", Kind: "Namespace", Name: "kube-flannel"}
	if _, there := w.objects[namespace]; !there {
		t.Error("the namespace is gone, with all that others have in it")
	}
	delete(w.objects, namespace)
	left, wanted := slices.Collect(maps.Keys(w.objects)), slices.Collect(maps.Keys(never.objects))
	if diff := difference(fmt.Sprintln(names(wanted)), fmt.Sprintln(names(left))); diff != "" {
		t.Error(diff)
	}
}

func names(keys []hosts.ObjectKey) string {
	var lines []string
	for _, key := range keys {
		lines = append(lines, key.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestOnlySlipwaysOwnIsDeleted: not what has a copied label, nor what somebody else applies too.
func TestOnlySlipwaysOwnIsDeleted(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	object := func(name string) hosts.ObjectKey {
		return hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: name}
	}
	w.put(object("ours"), "slipway")
	w.put(object("copied"), "kubectl")
	w.put(object("shared"), "argocd", "slipway")
	elsewhere := object("elsewhere")
	elsewhere.Namespace = "theirs"
	w.put(elsewhere, "slipway")
	p, contents := w.planned(Init)
	if got := deletions(p); !slices.Equal(got, []string{"ConfigMap kube-system/ours"}) {
		t.Errorf("it deletes %q", got)
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "ConfigMap kube-system/shared") || !strings.Contains(p.Warnings[0], "argocd") {
		t.Errorf("warnings: %q", p.Warnings)
	}
	w.run(p, contents, seeded(3), -1)
	p, _ = w.planned(Init)
	wantEmpty(t, p)
	for _, name := range []string{"copied", "shared"} {
		if _, there := w.objects[object(name)]; !there {
			t.Errorf("%s is gone", name)
		}
	}
}

// TestWhatTakesTheOldOnesPlaceComesFirst: nothing is deleted before what the plan applies is there.
func TestWhatTakesTheOldOnesPlaceComesFirst(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.put(hosts.ObjectKey{APIVersion: "apps/v1", Kind: "DaemonSet", Namespace: "kube-system", Name: "kube-proxy-old"}, "slipway")
	delete(w.objects, hosts.ObjectKey{APIVersion: "apps/v1", Kind: "DaemonSet", Namespace: "kube-system", Name: "kube-proxy"})
	p, _ := w.planned(Init)
	before := plan.Predecessors(p)
	at := slices.IndexFunc(p.Steps, func(step plan.Step) bool { return does[plan.Delete](step) })
	if at < 0 || !slices.Contains(before[p.Steps[at].ID], "cluster/addon/kube-proxy/daemonset/kube-system/kube-proxy/available") {
		t.Errorf("the old one does not wait for the new one:\n%s", edges(p))
	}
}

// TestAClusterIsNotLeftWithoutANetwork: flannel goes where another network has come.
func TestAClusterIsNotLeftWithoutANetwork(t *testing.T) {
	for file, refused := range map[string]bool{"": true, "05-cilium.conflist": false, "87-podman.conflist": true, "README": true} {
		w := newWorld(t, 1, 1)
		w.init(seeded(1))
		w.cluster.Networking.AddOn = cluster.AddOnNone
		if file != "" {
			w.bring(file)
		}
		if _, _, err := Init(w.observe()); refusedFor(err, "NetworkAddOn") != refused {
			t.Errorf("with %q: %v", file, err)
		}
		in := w.observe()
		in.IgnoreChecks = []string{"NetworkAddOn"}
		if p, _, err := Init(in); err != nil || len(deletions(p)) == 0 {
			t.Errorf("with %q, passed over: %v", file, err)
		}
	}
	bare := newWorld(t, 1, 1)
	bare.cluster.Networking.AddOn = cluster.AddOnNone
	if _, _, err := Init(bare.observe()); err != nil {
		t.Errorf("a new cluster whose network comes later: %v", err)
	}
}

// TestARunningClusterKeepsItsSubnets and its domain: nothing of it would follow.
func TestARunningClusterKeepsItsSubnets(t *testing.T) {
	for field, change := range map[string]func(*cluster.Networking){
		"":               func(*cluster.Networking) {},
		"podSubnets":     func(n *cluster.Networking) { n.PodSubnets = []string{"10.100.0.0/16"} },
		"serviceSubnets": func(n *cluster.Networking) { n.ServiceSubnets = []string{"10.101.0.0/16"} },
		"dnsDomain":      func(n *cluster.Networking) { n.DNSDomain = "example.org" },
	} {
		w := newWorld(t, 1, 1)
		w.init(seeded(1))
		w.add(2)
		change(&w.cluster.Networking)
		for name, flow := range map[string]workflow{"init": Init, "join": Join} {
			in := w.observe()
			if name == "init" {
				in.Cluster.Hosts = in.Cluster.Hosts[:2]
			}
			_, _, err := flow(in)
			if refusedFor(err, "Networking") != (field != "") || field != "" && !strings.Contains(err.Error(), "the cluster's networking."+field+" is ") {
				t.Errorf("%s with other %s: %v", name, field, err)
			}
		}
	}
}

// TestAnOlderReleasesObjectsGetTheLabel: it is a part of what is wanted.
func TestAnOlderReleasesObjectsGetTheLabel(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	key := manifests.FlannelKey
	w.objects[key] = json.RawMessage(strings.Replace(string(w.objects[key]), hosts.LabelInventory, "x", 1))
	p, _ := w.planned(Init)
	if len(p.Steps) == 0 || p.Steps[0].Subject.Object != key || !strings.Contains(p.Steps[0].Why, hosts.LabelInventory) {
		t.Errorf("the plan is\n%s", plan.Text(p))
	}
}

// TestNothingIsDeletedThatWasNotSeen: without an answer of the API nothing is known to be ours.
func TestNothingIsDeletedThatWasNotSeen(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.put(hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "old"}, "slipway")
	for _, workflow := range []view.Workflow{view.Init, view.Join} {
		in := w.observe()
		flow := Join
		if workflow == view.Init {
			flow, in.ClusterFacts = Init, hosts.ClusterFacts{Cause: "connection refused", Members: in.ClusterFacts.Members}
		}
		if p, _, err := flow(in); err != nil || len(deletions(p)) > 0 {
			t.Errorf("%s: %q, %v", workflow, deletions(p), err)
		}
	}
}
