package phases

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
