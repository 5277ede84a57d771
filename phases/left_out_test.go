package phases

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// withDown is a world whose next bundle has come, and some of whose hosts are down.
func withDown(t *testing.T, planes, workers int, down ...string) *world {
	t.Helper()
	w := newWorld(t, planes, workers)
	w.beforeUpgrade()
	for _, name := range down {
		w.power(name, false)
	}
	return w
}

// refused gives what a workflow is refused for, in one text.
func (w *world) refused(workflow workflow) string {
	w.t.Helper()
	_, _, err := workflow(w.observe())
	refused, is := errors.AsType[*checks.Refused](err)
	if !is {
		w.t.Fatalf("it is not refused: %v", err)
	}
	var lines []string
	for _, found := range checks.Errors(refused.Findings) {
		lines = append(lines, found.String())
	}
	return strings.Join(lines, "\n")
}

// wantVersions wants that all nodes but some have the next version and take Pods, and that those have
// the version of before, and get none.
func (w *world) wantVersions(but ...string) {
	w.t.Helper()
	for name, node := range w.nodes {
		isOld := slices.Contains(but, name)
		if isOld == (node.KubeletVersion == versionOf(nextVersion)) || node.Unschedulable != isOld {
			w.t.Errorf("node %s has %s, cordoned %v; left out are %v", name, node.KubeletVersion, node.Unschedulable, but)
		}
	}
}

// TestAHostThatIsDownIsLeftOutByName: the others have the version then, and it has it when it is back.
func TestAHostThatIsDownIsLeftOutByName(t *testing.T) {
	for _, test := range []struct {
		planes, workers int
		down            string
	}{{3, 3, "w-2"}, {3, 1, "w-1"}, {5, 2, "cp-2"}, {1, 2, "w-1"}} {
		t.Run(test.down, func(t *testing.T) {
			w := withDown(t, test.planes, test.workers, test.down)
			if said := w.refused(Upgrade); !strings.Contains(said, test.down) || !strings.Contains(said, "--without "+test.down) {
				t.Errorf("without its name it is refused so: %s", said)
			}
			w.without = []string{test.down}
			p, contents := w.planned(Upgrade)
			for _, step := range p.Steps {
				if step.Host == test.down {
					t.Fatalf("%s is done on the host that is left out", step.ID)
				}
			}
			w.run(p, contents, seeded(2), len(p.Steps)/2)
			w.rest(Upgrade)
			again, _ := w.planned(Upgrade)
			wantEmpty(t, again)
			w.wantVersions(test.down)

			w.power(test.down, true)
			w.without = nil
			if said := w.refused(Init); !strings.Contains(said, "KubernetesVersion: ") || !strings.Contains(said, "slipway upgrade apply") {
				t.Errorf("init is refused so: %s", said)
			}
			w.rest(Upgrade)
			w.wantVersions()
			for _, workflow := range []workflow{Upgrade, Init} {
				again, _ := w.planned(workflow)
				wantEmpty(t, again)
			}
		})
	}
}

// TestALeftOutNodeIsCordonedAfterTheSnapshot, and after all is staged: where those fail, nothing is upgraded, and
// it stays as it is.
func TestALeftOutNodeIsCordonedAfterTheSnapshot(t *testing.T) {
	w := withDown(t, 3, 3, "w-2")
	w.without = []string{"w-2"}
	p, _ := w.planned(Upgrade)
	before := plan.Predecessors(p)
	const cordon = "cluster/upgrade/w-2/cordon"
	for _, step := range p.Steps {
		if (stages(step) || does[plan.SnapshotEtcd](step)) && !reaches(before, cordon, step.ID) {
			t.Errorf("%s does not wait for %s", cordon, step.ID)
		}
	}
}

// TestWhatIsLeftOutCanGo: a host that never comes back is removed, and one that comes back too late for
// the upgrade is as it was after a rollback.
func TestWhatIsLeftOutCanGo(t *testing.T) {
	w := withDown(t, 3, 2, "w-2")
	w.without = []string{"w-2"}
	w.all(Upgrade)
	gone := w.clone(t)
	gone.upgrading, gone.without = false, nil
	p, contents, err := Remove(gone.observe(), []string{"w-2"})
	if err != nil {
		t.Fatal(err)
	}
	gone.run(p, contents, seeded(3), -1)
	if _, there := gone.nodes["w-2"]; there {
		t.Error("its node is still there")
	}
	for _, isBack := range []bool{false, true} {
		back := w.clone(t)
		if isBack {
			back.power("w-2", true)
			back.without = nil
		}
		back.goBack()
		back.rest(Rollback)
		again, _ := back.planned(Rollback)
		wantEmpty(t, again)
		for name, node := range back.nodes {
			if node.KubeletVersion != versionOf(testVersion) || node.Unschedulable {
				t.Errorf("back: %v; node %s has %s, cordoned %v", isBack, name, node.KubeletVersion, node.Unschedulable)
			}
		}
	}
}

// TestWhatMayNotBeLeftOut: what is up, what etcd needs, and what would be too new or too old.
func TestWhatMayNotBeLeftOut(t *testing.T) {
	up := withDown(t, 3, 2)
	up.without = []string{"w-2"}
	if said := up.refused(Upgrade); !strings.Contains(said, "w-2: LeftOut: it is not down as far as the cluster knows: its node is Ready") {
		t.Errorf("a host that is up: %s", said)
	}
	for name, w := range map[string]*world{"one of three": withDown(t, 3, 0, "cp-3"), "two of five": withDown(t, 5, 0, "cp-4", "cp-5")} {
		for _, host := range w.cluster.Hosts {
			if w.down[host.Name] {
				w.without = append(w.without, host.Name)
			}
		}
		if said := w.refused(Upgrade); !strings.Contains(said, "cp-1: Quorum: its etcd starts anew in its turn, and then etcd has") {
			t.Errorf("%s: %s", name, said)
		}
	}
	w := withDown(t, 3, 2)
	w.all(Upgrade)
	w.power("w-2", false)
	w.without = []string{"w-2"}
	w.goBack()
	if said := w.refused(Rollback); !strings.Contains(said, "w-2: LeftOut: it has "+versionOf(nextVersion)) {
		t.Errorf("what has the newer version, at a rollback: %s", said)
	}
}

// TestNothingIsNewerThanAServerThatIsLeftOut: where its API server is of an older minor version, workers and
// what runs in the cluster wait for it; two minor versions are too many.
func TestNothingIsNewerThanAServerThatIsLeftOut(t *testing.T) {
	w := withDown(t, 5, 1, "cp-5")
	w.without = []string{"cp-5"}
	with := func(version string) Input {
		in := w.observe()
		for i := range in.ClusterFacts.Nodes {
			if node := &in.ClusterFacts.Nodes[i]; node.Name == "cp-5" {
				node.KubeletVersion = version
			}
		}
		return in
	}
	p, _, err := Upgrade(with("v1.36.3"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Left, []string{turnOfCluster, "w-1"}) || !slices.ContainsFunc(p.Warnings, func(text string) bool {
		return strings.HasPrefix(text, "cp-5 is left out with an API server of an older minor version")
	}) {
		t.Errorf("left are %v, with the warnings %v", p.Left, p.Warnings)
	}
	changed := map[string]bool{}
	for _, step := range p.Steps {
		if set, is := step.Action.(hosts.SetUnit); is && !step.IsRescue() {
			changed[step.Host] = changed[step.Host] || set.Active
		}
		if does[plan.Apply](step) {
			t.Errorf("%s is applied", step.ID)
		}
	}
	if changed["w-1"] || !changed["cp-1"] || !changed["cp-4"] {
		t.Errorf("changed are %v", changed)
	}
	findings := checks.Errors(checks.Preflight(view.Upgrade, with("v1.35.9").View))
	if len(findings) != 1 || findings[0].Host != "cp-5" || !strings.Contains(findings[0].Seen, "its API server is behind") {
		t.Errorf("two minor versions behind: %v", findings)
	}
}
