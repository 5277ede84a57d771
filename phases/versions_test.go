package phases

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// newVersion makes of the bundle one that shares nothing with it but the folder of one set.
func (w *world) newVersion() {
	w.newImages()
	w.bill.KubernetesVersion, w.bill.SlipwayVersion = w.cluster.KubernetesVersion, "next"
	w.bill.Sets = slices.Clone(w.bill.Sets)
	for i, set := range w.bill.Sets {
		if set.Name == bundle.SetControlPlane {
			continue
		}
		set.Files = slices.Clone(set.Files)
		for j, file := range set.Files {
			for _, text := range []*string{&file.Path, &file.Target, &file.From} {
				*text = strings.Replace(*text, "-v1-", "-v2-", 1)
			}
			if file.Digest != "" {
				file.Digest = plan.Ref([]byte("later " + path.Base(file.Path)))
			}
			set.Files[j] = file
		}
		set.Root = strings.Replace(set.Root, "-v1-", "-v2-", 1)
		w.bill.Sets[i] = set
	}
}

// keeping is the action that keeps what a host has of the bundle in force.
func (w *world) keeping(host cluster.Host) hosts.KeepVersion {
	state := manifests.Skeleton(w.cluster, w.bill, host)
	keep := hosts.KeepVersion{Before: "next", Version: "v1", Images: map[string]string{}, Folders: bundle.Folders(state.Sets)}
	for _, image := range state.Images {
		keep.Images[image.Reference] = image.Manifest.Digest
	}
	for _, set := range state.Sets {
		for _, file := range set.Files {
			if file.Target != "" {
				keep.Paths = append(keep.Paths, file.Path)
			}
		}
	}
	return keep
}

// TestWhatAKeptVersionNeedsStays: no init with the next bundle takes of a host what it needs to go back, wherever it
// is cut; one after the version is forgotten does, and leaves nothing that only the old one has.
func TestWhatAKeptVersionNeedsStays(t *testing.T) {
	for seed := range uint64(3) {
		chance := seeded(seed)
		w := prunedWorld(t)
		w.init(chance)
		needed := map[string][]string{} // by host
		for _, host := range w.cluster.Hosts {
			keeping := w.keeping(host)
			w.act(host.Name, keeping)
			for _, file := range w.machines[host.Name].Paths() {
				if slices.ContainsFunc(keeping.Folders, func(folder string) bool { return within(file, folder) }) {
					needed[host.Name] = append(needed[host.Name], file)
				}
			}
		}
		w.newVersion()
		w.query = nil
		p, contents := w.planned(Init)
		for range 2 {
			w.run(p, contents, chance, chance.IntN(1+len(p.Steps)))
			w.reconnect()
			p, contents = w.planned(Init)
		}
		w.run(p, contents, chance, -1)
		p, _ = w.planned(Init)
		wantEmpty(t, p)
		for host, paths := range needed {
			for _, file := range paths {
				if !w.machines[host].Has(file) {
					t.Errorf("%s has lost %s, and may have to go back", host, file)
				}
			}
			if digest, pinned := w.machines[host].Image(oldImage); digest == "" || !pinned {
				t.Errorf("%s has lost the image %s, or its pin, and may have to go back", host, oldImage)
			}
		}
		for _, host := range w.cluster.Hosts {
			w.act(host.Name, hosts.ForgetVersion{Before: "next"})
		}
		w.all(Init)
		for host, paths := range needed {
			for _, file := range paths {
				if shared := strings.Contains(file, "/"+bundle.SetControlPlane+"-"); w.machines[host].Has(file) != shared {
					t.Errorf("%s: that %s is there is %v after nothing needs to go back", host, file, !shared)
				}
			}
			if digest, _ := w.machines[host].Image(oldImage); digest != "" {
				t.Errorf("%s still has the image %s", host, oldImage)
			}
		}
	}
}

// TestAResetTakesWhatIsKept: it is Slipway's own, and nothing of it is left or looked for later.
func TestAResetTakesWhatIsKept(t *testing.T) {
	w := prunedWorld(t)
	bare, before := map[string]string{}, map[string]*hosts.Record{}
	for _, host := range w.cluster.Hosts {
		bare[host.Name] = w.machine(host.Name)
	}
	w.init(seeded(1))
	for _, host := range w.cluster.Hosts {
		w.act(host.Name, w.keeping(host))
		before[host.Name] = w.machines[host.Name].Record()
	}
	w.all(resetting())
	for _, host := range w.cluster.Hosts {
		if got := w.machine(host.Name); got != bare[host.Name] {
			t.Errorf("%s is not what it was:\n%s", host.Name, difference(bare[host.Name], got))
		}
		if left := Leftovers(before[host.Name], w.look(host.Name, InspectQuery(w.cluster, before[host.Name]))); len(left) > 0 {
			t.Errorf("%s: left are %q", host.Name, left)
		}
	}
}
