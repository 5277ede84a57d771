package phases

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// unneeded are changes of the file or the bundle after which hosts have what they should not.
var unneeded = []struct {
	name          string
	before, after func(*world)
	gone          string // a path or an image that goes, on the hosts whose names begin so
	on            string
}{
	{"a registry", func(w *world) {
		w.cluster.Registries = []cluster.Registry{{Name: "docker.io", Mirrors: []string{"https://mirror.example"}}}
	}, func(w *world) { w.cluster.Registries = nil }, "/etc/containerd/certs.d/docker.io/hosts.toml", "w-"},
	{"balancers of our own", func(*world) {}, func(w *world) {
		w.cluster.Endpoint.Mode = cluster.EndpointExternal // at the same address
		for _, machine := range w.machines {
			machine.Edit(func(f *hosts.Facts) { f.Reach = map[string]string{testVIP + ":16443": ""} })
		}
	}, manifests.UnitsFolder + "/" + manifests.KeepalivedUnit, "cp-"},
	{"a file of the bundle's", func(*world) {}, func(w *world) {
		w.bill.Sets = slices.Clone(w.bill.Sets)
		w.bill.Sets[0].Files = keep(w.bill.Sets[0].Files, func(file bundle.HostFile) bool { return file.Path != manifests.CNIBinFolder+"/bridge" })
	}, manifests.CNIBinFolder + "/bridge", "w-"},
	{"images of the bundle's", func(*world) {}, func(w *world) { w.newImages() }, oldImage, ""},
}

// oldImage is an image that every node has from the bundle, and that newImages has not.
const oldImage = "registry.k8s.io/coredns/coredns:v1"

// newImages makes of the bundle one that has a later image by another tag, and one by the same.
func (w *world) newImages() {
	w.bill.Images = slices.Clone(w.bill.Images)
	for i := range w.bill.Images {
		image := &w.bill.Images[i]
		switch image.Name {
		case "coredns/coredns":
			image.Tag = "v2"
		case "flannel":
		default:
			continue
		}
		manifest := []byte("a later manifest of " + image.Name)
		image.Manifest.Digest, image.Manifest.Size = plan.Ref(manifest), int64(len(manifest))
		w.blobs[image.Manifest.Digest] = manifest
	}
}

func prunedWorld(t *testing.T) *world {
	return newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
}

// TestWhatIsNotWantedAnyMoreGoes: a host ends as one that never had it, wherever the way there is
// cut, and the reset of the cluster still knows the rest.
func TestWhatIsNotWantedAnyMoreGoes(t *testing.T) {
	for seed, test := range unneeded {
		t.Run(test.name, func(t *testing.T) {
			chance := seeded(uint64(seed))
			w, never := prunedWorld(t), prunedWorld(t)
			bare := map[string]string{}
			for _, host := range w.cluster.Hosts {
				bare[host.Name] = w.machine(host.Name)
			}
			test.before(w)
			w.init(chance)
			test.after(never)
			never.init(chance)
			test.after(w)
			w.query = nil
			p, contents := w.planned(Init)
			for _, host := range w.cluster.Hosts {
				removes := slices.ContainsFunc(p.Steps, func(step plan.Step) bool {
					remove, _ := step.Action.(hosts.RemovePath)
					unload, _ := step.Action.(hosts.UnloadImage)
					return step.Host == host.Name && (remove.Path == test.gone || unload.Name == test.gone) && step.Change == plan.Remove && step.Why != ""
				})
				if !removes && strings.HasPrefix(host.Name, test.on) {
					t.Errorf("%s: %s is not planned to go:\n%s", host.Name, test.gone, plan.Text(p))
				}
			}
			for range 3 {
				w.run(p, contents, chance, chance.IntN(1+len(p.Steps)))
				w.reconnect()
				p, contents = w.planned(Init)
			}
			w.run(p, contents, chance, -1)
			p, _ = w.planned(Init)
			wantEmpty(t, p)
			for _, host := range w.cluster.Hosts {
				if got, want := w.machine(host.Name), never.machine(host.Name); got != want {
					t.Errorf("%s is not as if it had never had it:\n%s", host.Name, difference(want, got))
				}
			}
			w.all(resetting())
			for _, host := range w.cluster.Hosts {
				if got := w.machine(host.Name); got != bare[host.Name] {
					t.Errorf("after a reset %s is not what it was:\n%s", host.Name, difference(bare[host.Name], got))
				}
			}
		})
	}
}

// TestOnlyWhatIsOursGoes: what others have put beside it, or made of it, stays, and no run after
// that tries again.
func TestOnlyWhatIsOursGoes(t *testing.T) {
	w := prunedWorld(t)
	const theirs, replaced = "/etc/haproxy/mine.cfg", manifests.HAProxyConfig
	w.machines["cp-1"].PutFile(replaced, []byte("mine"), 0o640)
	w.machines["cp-1"].PutUnit(manifests.HAProxyUnit, true, true)
	unneeded[0].before(w)
	w.init(seeded(1))
	unneeded[0].after(w)
	unneeded[1].after(w)
	for _, file := range []string{theirs, manifests.CertsFolder + "/docker.io/mine"} {
		w.machines["cp-2"].PutFile(file, []byte("mine"), 0o600)
	}
	w.machines["cp-1"].PutFile("/etc/keepalived/lost+found", nil, 0o600) // which no check calls content
	w.machines["cp-3"].PutFile(manifests.KeepalivedConfig, []byte("mine now"), 0o644)
	for _, want := range []bool{false, true} {
		w.query = nil
		p, contents := w.planned(Init)
		if p.Empty() != want {
			t.Fatalf("that the plan is empty is %v:\n%s", p.Empty(), plan.Text(p))
		}
		warned := keep(p.Warnings, func(warning string) bool { return strings.Contains(warning, "is no longer as Slipway wrote it") })
		if len(warned) != 1 || !strings.HasPrefix(warned[0], "cp-3: "+manifests.KeepalivedConfig) {
			t.Errorf("warned of %q", p.Warnings)
		}
		if slices.ContainsFunc(p.Steps, func(step plan.Step) bool {
			remove, is := step.Action.(hosts.RemovePath)
			return is && within(remove.Path, balancerRoot(w.bill)) && (remove.Path != balancerRoot(w.bill) || !remove.Recursive)
		}) {
			t.Errorf("the balancer's root directory does not go as a whole:\n%s", plan.Text(p))
		}
		w.run(p, contents, seeded(2), -1)
	}
	for path, host := range map[string]string{
		theirs: "cp-2", manifests.CertsFolder + "/docker.io/mine": "cp-2", manifests.KeepalivedConfig: "cp-3", replaced: "cp-1",
	} {
		if content, _, there := w.machines[host].ReadFile(path); !there || !strings.HasPrefix(string(content), "mine") {
			t.Errorf("%s: %s is now %q", host, path, content)
		}
	}
	if unit := w.machines["cp-1"].Unit(manifests.HAProxyUnit); unit.Active != "active" || unit.Enabled != "enabled" {
		t.Errorf("the user's haproxy is %+v", unit)
	}
}

// TestWhatIsBegunForOthersStays: etcd's data, the kubelet's folder and what Slipway only seeded are
// not Slipway's to remove before the host leaves.
func TestWhatIsBegunForOthersStays(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.init(seeded(1))
	in := w.observe()
	record := in.Facts["cp-1"].Record
	for _, owned := range []hosts.Owned{
		{Path: manifests.EtcdData + "/x", Type: hosts.TypeFile, Digest: plan.Ref(nil)},
		{Path: manifests.KubeletFolder + "/x", Type: hosts.TypeFile, Digest: plan.Ref(nil)},
		{Path: manifests.KubernetesFolder + "/pki/x", Type: hosts.TypeFile, Digest: plan.Ref(nil)},
		{Path: "/var/lib/slipway/x", Type: hosts.TypeFile, Digest: plan.Ref(nil)},
		{Path: "/etc/seed", Type: hosts.TypeFile},
	} {
		record.Paths = append(record.Paths, owned)
		in.Facts["cp-1"].Files[owned.Path] = hosts.File{Type: hosts.TypeFile, Digest: plan.Ref(nil)}
	}
	p, _, err := Init(in)
	if err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, p)
	record.Paths = append(record.Paths, hosts.Owned{Path: manifests.ManifestsFolder + "/x.yaml", Type: hosts.TypeFile, Digest: plan.Ref(nil)})
	in.Facts["cp-1"].Files[manifests.ManifestsFolder+"/x.yaml"] = hosts.File{Type: hosts.TypeFile, Digest: plan.Ref(nil)}
	if p, _, err = Init(in); err != nil || len(p.Steps) != 1 {
		t.Errorf("of a static Pod that is not wanted: %v\n%s", err, plan.Text(p))
	}
}

// TestABalancerThatIsNeededStays: what carries the endpoint of a running cluster goes only where
// something else is seen to carry it.
func TestABalancerThatIsNeededStays(t *testing.T) {
	holds := func(in *Input) {
		spoiled("cp-2", func(f *hosts.Facts) {
			f.Interfaces = append(slices.Clone(f.Interfaces), hosts.Link{Name: "e", Addresses: []string{testVIP + "/32"}})
		})(in)
	}
	silent := func(in *Input) { in.ClusterFacts = hosts.ClusterFacts{Cause: "no route to host"} }
	external := func(w *world) { unneeded[1].after(w) }
	for _, test := range []struct {
		name   string
		change func(*world)
		seen   []func(*Input)
		want   string // empty: it is planned
	}{
		{"a balancer of the user's own", external, nil, ""},
		{"Slipway's own, called the user's", external, []func(*Input){holds}, "the load balancer at " + testVIP + " is Slipway's own"},
		{"no API answers", external, []func(*Input){silent}, "no API server answers, and the file would take haproxy.service and keepalived.service from the host"},
		{"no API answers, and another address", func(w *world) { w.cluster.Endpoint.Host = "10.0.0.222" }, []func(*Input){silent}, "the cluster's endpoint is " + testVIP + ":16443, the file says 10.0.0.222:16443"},
		{"no API answers, and nothing else", func(*world) {}, []func(*Input){silent}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := prunedWorld(t)
			w.init(seeded(1))
			test.change(w)
			w.query = nil
			in := w.observe()
			for _, seen := range test.seen {
				seen(&in)
			}
			_, _, err := Init(in)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

// TestAUnitThatIsTheUsersByNowRuns: one whose file was changed, or is gone, is not stopped.
func TestAUnitThatIsTheUsersByNowRuns(t *testing.T) {
	w := prunedWorld(t)
	w.init(seeded(1))
	unneeded[1].after(w)
	w.machines["cp-1"].PutFile(manifests.UnitsFolder+"/"+manifests.HAProxyUnit, []byte("mine now"), 0o644)
	w.machines["cp-2"].Lose(manifests.UnitsFolder + "/" + manifests.HAProxyUnit)
	w.query = nil
	p, _ := w.planned(Init)
	stops := map[string][]string{}
	for _, step := range p.Steps {
		if stop, is := step.Action.(hosts.StopUnits); is {
			stops[step.Host] = stop.Names
		}
	}
	for host, want := range map[string][]string{
		"cp-1": {manifests.KeepalivedUnit}, "cp-2": {manifests.KeepalivedUnit}, "cp-3": {manifests.HAProxyUnit, manifests.KeepalivedUnit},
	} {
		if !slices.Equal(stops[host], want) {
			t.Errorf("%s: it stops %q, want %q", host, stops[host], want)
		}
	}
}

// TestNothingGoesBeforeAllIsWell: what is removed first waits for every host that the plan changes.
func TestNothingGoesBeforeAllIsWell(t *testing.T) {
	w := prunedWorld(t)
	w.init(seeded(1))
	unneeded[1].after(w)
	w.cluster.Kubelet = map[string]any{"maxPods": 50}
	w.query = nil
	p, _ := w.planned(Init)
	before, waits := plan.Predecessors(p), 0
	for _, prune := range p.Steps {
		for _, wait := range p.Steps {
			if prune.Phase == plan.PhasePrune && does[plan.WaitNode](wait) {
				if waits++; !reaches(before, prune.ID, wait.ID) {
					t.Fatalf("%s does not wait for %s:\n%s", prune.ID, wait.ID, edges(p))
				}
			}
		}
	}
	if waits == 0 {
		t.Errorf("nothing is removed, or no node is waited for:\n%s", plan.Text(p))
	}
}

// TestOnlyTheBundlesImagesGo: what the user has loaded, what is another image by now, and what is not
// known to be unneeded stays.
func TestOnlyTheBundlesImagesGo(t *testing.T) {
	const name = "docker.io/acme/app:1"
	load := func(w *world, bundled bool, content string) {
		w.load("w-1", hosts.LoadImage{Reference: name, Bundled: bundled}, content)
	}
	for what, test := range map[string]struct {
		before func(*world)
		edit   func(Input) // of what is seen
		goes   bool
		pinned bool // in the end
		there  bool
	}{
		"the bundle's": {before: func(w *world) { load(w, true, "app") }, goes: true},
		"one that a container uses": {before: func(w *world) {
			load(w, true, "app")
			w.machines["w-1"].UseImage(name)
		}, goes: true, there: true},
		"the user's own": {before: func(w *world) { load(w, false, "app") }, pinned: true, there: true},
		"the user's own in its place": {before: func(w *world) {
			load(w, true, "app")
			load(w, false, "mine")
		}, pinned: true, there: true},
		"the very same, which the user has loaded too": {before: func(w *world) {
			load(w, true, "app")
			w.all(func(in Input) (plan.Plan, plan.Contents, error) {
				in.Hosts = []string{"w-1"}
				return Images(in, []view.OwnImage{ownImage(name, "linux", "amd64", plan.Ref([]byte("app")))})
			})
		}, pinned: true, there: true},
		"another by now": {before: func(w *world) { load(w, true, "app") }, edit: func(in Input) {
			in.Facts["w-1"].Images[name] = plan.Ref([]byte("theirs"))
		}, pinned: true, there: true},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, 1, 1)
			w.init(seeded(1))
			test.before(w)
			in := w.observe()
			if test.edit != nil {
				test.edit(in)
			}
			p, contents, err := Init(in)
			if err != nil {
				t.Fatal(err)
			}
			if got := unloads(p); slices.Contains(got, "w-1 "+name) != test.goes || len(got) > 1 {
				t.Errorf("images are planned to go: %q", got)
			}
			w.run(p, contents, seeded(2), -1)
			if digest, pinned := w.machines["w-1"].Image(name); (digest != "") != test.there || pinned != test.pinned {
				t.Errorf("the image is %q, that it is pinned is %v", digest, pinned)
			}
			if slices.Contains(w.machines["w-1"].Record().Images, name) != test.pinned {
				t.Errorf("on record are %q", w.machines["w-1"].Record().Images)
			}
			if test.edit == nil {
				p, _ = w.planned(Init)
				wantEmpty(t, p)
			}
		})
	}
}

// TestImagesThatMayBeNeededStay: all where there is no bundle at hand, and one that is wanted by
// another spelling.
func TestImagesThatMayBeNeededStay(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.cluster.ImageRepository = "acme"
	in := w.observe()
	const spelled = "docker.io/acme/pause:v1"
	in.Facts["w-1"].Record.Bundled[spelled], in.Facts["w-1"].Images[spelled] = "sha256:1", "sha256:1"
	p, _, err := Init(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := unloads(p); slices.Contains(got, "w-1 "+spelled) || !slices.Contains(got, "w-1 "+oldImage) {
		t.Errorf("images are planned to go: %q", got)
	}
	in.Bill = bundle.Bill{}
	h := newDraft(in).forHost(testWorker(1), manifests.HostState{})
	if ids := h.pruneImages(nil); len(ids) > 0 {
		t.Errorf("without a bundle it plans %q", ids)
	}
}

// TestImagesGoFromHostsThatJoinOrWait: a prepare takes none from where a kubelet may need it still,
// and a join from nobody but who joins.
func TestImagesGoFromHostsThatJoinOrWait(t *testing.T) {
	for name, flow := range map[string]workflow{"prepare": Prepare, "join": Join} {
		w := newWorld(t, 1, 1)
		w.init(seeded(1))
		w.add(2)
		w.all(Prepare)
		w.newImages()
		p, contents := w.planned(flow)
		if diff := cmp.Diff([]string{"w-2 " + oldImage}, unloads(p)); diff != "" {
			t.Errorf("%s: images are planned to go (-want +got):\n%s", name, diff)
		}
		w.run(p, contents, seeded(2), -1)
		if digest, _ := w.machines["w-2"].Image(oldImage); digest != "" {
			t.Errorf("%s: the image is still there", name)
		}
		p, _ = w.planned(flow)
		wantEmpty(t, p)
	}
}

// unloads lists which images go from which hosts.
func unloads(p plan.Plan) []string {
	var found []string
	for _, step := range p.Steps {
		if unload, is := step.Action.(hosts.UnloadImage); is {
			found = append(found, step.Host+" "+unload.Name)
		}
	}
	return found
}

// load loads an image, of which the manifest is all, past every plan.
func (w *world) load(host string, image hosts.LoadImage, manifest string) {
	w.t.Helper()
	blob := hosttest.Content([]byte(manifest))
	if err := w.open[host].Upload(w.t.Context(), []hosts.Blob{blob}, nil); err != nil {
		w.t.Fatal(err)
	}
	image.Manifest = hosts.ImageBlob{Digest: blob.Ref, Size: blob.Size}
	w.act(host, image)
	w.blobs[blob.Ref] = []byte(manifest)
}
