package phases

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// thirdBundle gives the world one more bundle: other binaries of its own.
func (w *world) thirdBundle() {
	w.t.Helper()
	w.nextBundle()
	w.bill.SlipwayVersion = "v9"
	content := []byte("the third kube layer")
	layer := bundle.Blob{Digest: plan.Ref(content), Size: int64(len(content)), MediaType: "application/octet-stream"}
	w.blobs[layer.Digest] = content
	w.bill.Sets[0] = testSet(bundle.SetNode, nextVersion+"-third", layer, []string{"containerd", "runc", "kube", "bridge", "newer"}, nodeLeads())
}

// TestHostsKeepAsManyVersionsAsTheFileSays, the newest of them; what only older ones needed goes when
// they are forgotten, and not before all hosts are upgraded. A rollback leads to the newest.
func TestHostsKeepAsManyVersionsAsTheFileSays(t *testing.T) {
	for _, most := range []int{1, 2} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			w := newWorld(t, 3, 1)
			w.cluster.Upgrade.KeepVersions = &most
			w.init(seeded(1))
			first := w.folderOf("cp-1")
			w.nextBundle()
			w.upgrading = true
			w.all(Upgrade)
			second, secondBill := w.folderOf("cp-1"), w.bill
			w.now = w.now.Add(time.Hour)
			w.thirdBundle()
			p, contents := w.planned(Upgrade)
			before := plan.Predecessors(p)
			for _, step := range p.Steps {
				forget, is := step.Action.(hosts.ForgetVersion)
				if !is || step.IsRescue() {
					continue
				}
				if most == 2 || strings.HasSuffix(forget.Before, w.bundleID()) {
					t.Errorf("%s: %s is forgotten", step.ID, forget.Before)
				}
				for _, name := range []string{"cp-1", "cp-2", "cp-3", "w-1"} {
					if !reaches(before, step.ID, "cluster/wait-node/"+name) {
						t.Errorf("%s does not wait for %s", step.ID, name)
					}
				}
				for _, other := range p.Steps {
					if other.Phase == plan.PhasePrune && other.Host == step.Host && !reaches(before, other.ID, step.ID) {
						t.Errorf("%s does not wait for %s", other.ID, step.ID)
					}
				}
			}
			w.run(p, contents, seeded(2), len(p.Steps)-3)
			w.rest(Upgrade)
			again, _ := w.planned(Upgrade)
			wantEmpty(t, again)
			for name := range w.machines {
				if kept := w.look(name, hosts.Query{}).Kept; len(kept) != most || kept[most-1].Before != w.bundleID() {
					t.Errorf("%s keeps %d versions", name, len(kept))
				}
			}
			if digest, _ := w.machines["cp-1"].Image("registry.k8s.io/kube-apiserver:" + testVersion); (digest != "") != (most == 2) {
				t.Errorf("an image of the first is there: %v", most != 2)
			}
			if w.has("cp-1", first+"/kube") != (most == 2) || !w.has("cp-1", second+"/kube") {
				t.Errorf("the first is there: %v, the second: %v", w.has("cp-1", first+"/kube"), w.has("cp-1", second+"/kube"))
			}
			w.goBackTo(secondBill)
			w.rest(Rollback)
			if now := w.folderOf("cp-1"); now != second {
				t.Errorf("a rollback led to %s", now)
			}
			if most == 2 {
				w.goBack()
				w.rest(Rollback)
				if now := w.folderOf("cp-1"); now != first {
					t.Errorf("the next one led to %s", now)
				}
			}
		})
	}
}

// bundleID is that of the world's bundle.
func (w *world) bundleID() string {
	w.t.Helper()
	id, err := w.bill.ID()
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// folderOf is where the version that is in force on a host lies.
func (w *world) folderOf(host string) string {
	w.t.Helper()
	kube := w.look(host, hosts.Query{Paths: []string{manifests.Kube}}).Files[manifests.Kube].Target
	folder, is := bundle.FolderOf(kube)
	if !is || slices.Contains([]string{"", "/"}, folder) {
		w.t.Fatalf("%s leads to no version's folder", kube)
	}
	return folder
}
