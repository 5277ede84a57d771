package phases

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// generated makes a cluster by chance.
func generated(t *testing.T, chance *rand.Rand) *world {
	w := newWorld(t, 1+chance.IntN(5), chance.IntN(11))
	for i := range w.cluster.Hosts {
		host := &w.cluster.Hosts[i]
		if host.HasRole(cluster.RoleControlPlane) && chance.IntN(3) == 0 {
			host.Roles = append(host.Roles, cluster.RoleWorker)
		}
		if chance.IntN(4) == 0 {
			host.Labels = map[string]string{"zone": fmt.Sprint(chance.IntN(3))}
			host.Taints = []cluster.Taint{{Key: "dedicated", Value: "db", Effect: "NoExecute"}}
		}
	}
	if chance.IntN(4) == 0 {
		w.cluster.Networking.AddOn = cluster.AddOnNone
	}
	if chance.IntN(3) == 0 {
		w.cluster.Registries = []cluster.Registry{{Name: "docker.io", Mirrors: []string{"https://mirror.example"}}}
	}
	return w
}

func TestInitConverges(t *testing.T) {
	for seed := range uint64(6) {
		chance := seeded(seed)
		w := generated(t, chance)
		w.init(chance)
		p, _ := w.planned(Init)
		wantEmpty(t, p)
		for _, host := range w.cluster.Hosts {
			if stored := w.machines[host.Name].Stored(); len(stored) > 0 {
				t.Errorf("%s still stores %d blobs", host.Name, len(stored))
			}
		}
	}
}

func TestInitResumesFromEveryCut(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {2, 1}} {
		whole := newWorld(t, shape[0], shape[1])
		whole.init(seeded(0))
		want := whole.state()
		p, _ := newWorld(t, shape[0], shape[1]).planned(Init)
		chance := seeded(uint64(shape[0]))
		for cut := 0; cut < len(p.Steps); cut += 5 + chance.IntN(25) {
			w := newWorld(t, shape[0], shape[1])
			w.leaves = whole.leaves // minted once, kept in the state folder
			for _, steps := range []int{cut, chance.IntN(15)} {
				p, contents := w.planned(Init)
				w.run(p, contents, chance, steps)
				w.reconnect()
			}
			w.init(chance)
			p, _ := w.planned(Init)
			wantEmpty(t, p)
			if got := w.state(); got != want {
				t.Fatalf("%v cut after %d steps: the end is another:\n%s", shape, cut, difference(want, got))
			}
		}
	}
}

func TestPlansDoNotDependOnMapOrder(t *testing.T) {
	w := newWorld(t, 3, 3)
	p, _ := w.planned(Init)
	want := plan.Digest(p)
	for range 5 {
		again, _ := w.planned(Init)
		if got := plan.Digest(again); got != want {
			t.Fatal("two plans from the same facts differ")
		}
	}
}

func TestInitTouchesOnlyWhatIsAsked(t *testing.T) {
	w := newWorld(t, 1, 3)
	in := w.observe()
	in.Hosts = []string{"cp-1", "w-2"}
	p, contents, err := Init(in)
	if err != nil {
		t.Fatal(err)
	}
	w.run(p, contents, seeded(1), -1)
	if w.touched["w-1"] || w.touched["w-3"] || !w.touched["w-2"] {
		t.Errorf("touched: %v", w.touched)
	}
}

func TestNoHostComesFirst(t *testing.T) {
	w := newWorld(t, 3, 2)
	p, _ := w.planned(Init)
	steps := map[string]plan.Step{}
	for _, step := range p.Steps {
		steps[step.ID] = step
	}
	for _, step := range p.Steps {
		for _, dependency := range step.After {
			for _, id := range dependency.Steps {
				other := steps[id].Host
				if step.Host != "" && other != "" && other != step.Host && !onEveryPlane(id, dependency.Steps) {
					t.Errorf("%s waits for %s, and not for the same on any control plane", step.ID, id)
				}
			}
			if step.Host == "" && strings.HasPrefix(dependency.Steps[0], clusterID(plan.PhaseWaitControlPlane, "")) && len(dependency.Steps) > 1 && !dependency.Any {
				t.Errorf("%s waits for every API server", step.ID)
			}
		}
	}
}

// TestAWorkerWaitsForNobodyWhoseWorkAnotherDoes: one control plane serves and holds the
// address, so what has to be started on another is nothing to wait for.
func TestAWorkerWaitsForNobodyWhoseWorkAnotherDoes(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.init(seeded(1))
	for _, unit := range []string{manifests.KubeletUnit, manifests.KeepalivedUnit} {
		w.act("cp-2", hosts.SetUnit{Name: unit, Enabled: true})
	}
	w.act("w-1", hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
	p, _ := w.planned(Init)
	planned := false
	for _, step := range p.Steps {
		if step.ID != "w-1/kubelet/"+manifests.KubeletUnit {
			continue
		}
		planned = true
		for _, dependency := range step.After {
			for _, id := range dependency.Steps {
				if strings.Contains(id, "cp-2") {
					t.Errorf("%s waits for %s", step.ID, id)
				}
			}
		}
	}
	if !planned {
		t.Error("the worker's kubelet is not started")
	}
}

// onEveryPlane tells whether, of the steps, one and the same is on each of three control planes.
func onEveryPlane(one string, ids []string) bool {
	_, thing, _ := strings.Cut(one, "/")
	for _, host := range []string{"cp-1", "cp-2", "cp-3"} {
		if !slices.Contains(ids, host+"/"+thing) {
			return false
		}
	}
	return true
}

func TestInitAfterInitRefusesNewHostsWithTheWordJoin(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.add(2)
	_, _, err := Init(w.observe())
	var refused *checks.Refused
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "slipway join") || !strings.Contains(err.Error(), "w-2") {
		t.Fatalf("init of a running cluster with a new host: %v", err)
	}
}

// TestASilentAPIMakesNoNewcomerAMember: an API server that is slow to answer does not make a
// complete cluster one that is still being made.
func TestASilentAPIMakesNoNewcomerAMember(t *testing.T) {
	silent := func(w *world) Input {
		in := w.observe()
		in.ClusterFacts = hosts.ClusterFacts{Cause: "the API server on cp-3: no answer within 3s"}
		in.JoinedBefore = map[string]bool{"cp-1": true, "w-1": true}
		return in
	}
	whole := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	whole.init(seeded(1))
	for name, come := range map[string]func(*world){
		"bare":     func(*world) {},
		"prepared": func(w *world) { w.all(Prepare) },
		"its join was cut": func(w *world) {
			p, contents := w.planned(Join)
			for _, step := range p.Steps {
				if step.Host == "w-2" && !strings.HasSuffix(step.ID, manifests.KubeletUnit) {
					w.do(step, contents)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := whole.clone(t)
			w.add(2)
			come(w)
			_, _, err := Init(silent(w))
			var refused *checks.Refused
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "slipway join") || !strings.Contains(err.Error(), "w-2 is not in it") {
				t.Errorf("with a silent API: %v", err)
			}
		})
	}
	t.Run("the cluster as it was", func(t *testing.T) {
		w := whole.clone(t)
		if _, _, err := Init(silent(w)); err != nil {
			t.Errorf("it is not repaired: %v", err)
		}
		w.add(2)
		w.all(Join)
		if _, _, err := Init(silent(w)); err != nil {
			t.Errorf("a host that another machine's operator has joined: %v", err)
		}
	})
	t.Run("load balancers", func(t *testing.T) {
		w := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 1, workers: 1, spares: 2})
		w.init(seeded(1))
		if _, _, err := Init(silent(w)); err != nil {
			t.Errorf("it is not repaired: %v", err)
		}
		in := silent(w)
		edit(&in, "lb-2", func(f *hosts.Facts) { f.Units = nil })
		if _, _, err := Init(in); err == nil || !strings.Contains(err.Error(), "lb-2 is not in it") {
			t.Errorf("one that was prepared: %v", err)
		}
	})
	t.Run("a control plane whose join was cut after its files", func(t *testing.T) {
		w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1, external: true})
		w.init(seeded(1))
		w.cluster.Hosts = append(w.cluster.Hosts, testPlane(4))
		w.boot(testPlane(4))
		w.all(Prepare)
		p, contents := w.planned(Join)
		for _, step := range p.Steps {
			if step.Host == "cp-4" && step.Lane == plan.LaneFiles {
				w.do(step, contents)
			}
		}
		if !w.has("cp-4", manifests.KubeletConf) {
			t.Error("the kubelet's kubeconfig is not there yet")
		}
		if _, _, err := Init(silent(w)); err == nil || !strings.Contains(err.Error(), "cp-4 is not in it") {
			t.Errorf("with a silent API: %v", err)
		}
	})
	t.Run("a host that was in it and was installed anew", func(t *testing.T) {
		w := whole.clone(t)
		w.add(2)
		in := silent(w)
		in.JoinedBefore["w-2"] = true
		if _, _, err := Init(in); err == nil || !strings.Contains(err.Error(), "w-2 is not in it") {
			t.Errorf("with a silent API: %v", err)
		}
	})
	if _, _, err := Init(newWorld(t, 3, 1).observe()); err != nil {
		t.Errorf("a first init: %v", err)
	}
}

func TestInitKeepsEtcdsInitialClusterAsFound(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.init(seeded(1))
	in := w.observe()
	input, err := in.manifests()
	if err != nil {
		t.Fatal(err)
	}
	found := manifests.InitialCluster{State: "existing", Members: []manifests.Member{
		{Name: "cp-1", PeerURL: "https://10.0.0.1:2380"}, {Name: "cp-9", PeerURL: "https://10.0.0.9:2380"},
	}}
	content, err := manifests.EtcdPod(input, "cp-1", found)
	if err != nil {
		t.Fatal(err)
	}
	w.machines["cp-1"].PutFile(manifests.EtcdManifest, content, 0o600)
	p, _ := w.planned(Init)
	wantEmpty(t, p)
}

func TestInitRefusesANewEtcdBesideOneThatRuns(t *testing.T) {
	w := newWorld(t, 3, 0)
	w.init(seeded(1))
	in := w.observe()
	facts := in.Facts["cp-2"]
	delete(facts.Files, view.EtcdLog)
	in.Facts["cp-2"] = facts
	if _, _, err := Init(in); err == nil || !strings.Contains(err.Error(), "cp-2: EtcdData") {
		t.Fatalf("a control plane without its data: %v", err)
	}
}

func TestInitRepairsOnlyWhatIsWrong(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(w *world)
		want  []string
	}{
		{"a file's content", func(w *world) { w.machines["w-1"].PutFile(manifests.KubeletConfig, []byte("x"), 0o644) }, []string{
			"w-1/kubelet/var/lib/kubelet/config.yaml", "w-1/kubelet/kubelet.service",
		}},
		{"a key's mode", func(w *world) {
			content, _, _ := w.machines["cp-1"].ReadFile("/etc/kubernetes/pki/ca.key")
			w.machines["cp-1"].PutFile("/etc/kubernetes/pki/ca.key", content, 0o644)
		}, []string{"cp-1/certs/etc/kubernetes/pki/ca.key"}},
		{"a certificate and its key", func(w *world) {
			w.machines["cp-1"].PutFile("/etc/kubernetes/pki/apiserver.key", []byte("x"), 0o600)
		}, []string{"cp-1/certs/etc/kubernetes/pki/apiserver.crt", "cp-1/certs/etc/kubernetes/pki/apiserver.key"}},
		{"a stopped unit", func(w *world) {
			w.act("w-1", hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
		}, []string{"w-1/kubelet/kubelet.service"}},
		{"an object", func(w *world) {
			for key := range w.objects {
				if key.Kind == "Deployment" {
					delete(w.objects, key)
				}
			}
		}, []string{"cluster/addon/coredns/deployment/kube-system/coredns"}},
		{"a Deployment that its user scaled", func(w *world) {
			for key, live := range w.objects {
				if key.Kind == "Deployment" {
					w.objects[key] = bytes.Replace(live, []byte(`"replicas":2`), []byte(`"replicas":5`), 1)
				}
			}
		}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 1, 1)
			w.init(seeded(1))
			test.spoil(w)
			p, contents := w.planned(Init)
			if got := changes(p); strings.Join(got, " ") != strings.Join(test.want, " ") {
				t.Errorf("planned %q, want %q", got, test.want)
			}
			w.run(p, contents, seeded(2), -1)
			again, _ := w.planned(Init)
			wantEmpty(t, again)
		})
	}
}

// changes lists the steps that create, change or remove something.
func changes(p plan.Plan) []string {
	var ids []string
	for _, step := range p.Steps {
		if step.Change != "" {
			ids = append(ids, step.ID)
		}
	}
	return ids
}

func TestARegistryThatIsNoLongerInTheFileIsRemoved(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.cluster.Registries = []cluster.Registry{
		{Name: "docker.io", Mirrors: []string{"https://one.example"}}, {Name: "quay.io", Mirrors: []string{"https://two.example"}},
	}
	w.init(seeded(1))
	w.machines["cp-1"].PutFile(manifests.CertsFolder+"/ghcr.io/hosts.toml", []byte("somebody else's"), 0o644)
	w.cluster.Registries = w.cluster.Registries[1:]
	p, contents := w.planned(Init)
	w.run(p, contents, seeded(1), -1)
	for path, want := range map[string]bool{"docker.io": false, "quay.io/hosts.toml": true, "ghcr.io/hosts.toml": true} {
		if got := w.has("cp-1", manifests.CertsFolder+"/"+path); got != want {
			t.Errorf("%s is there: %v, want %v", path, got, want)
		}
	}
	p, _ = w.planned(Init)
	wantEmpty(t, p)
}
