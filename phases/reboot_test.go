package phases

import (
	"maps"
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

// rebootable is a cluster whose command has no bundle.
func rebootable(t *testing.T, s shape) *world {
	t.Helper()
	w := stoppable(t, s)
	w.rebooting = true
	return w
}

// bootIDs are those of all machines.
func (w *world) bootIDs() map[string]string {
	ids := map[string]string{}
	for name := range w.machines {
		ids[name] = w.look(name, hosts.Query{}).BootID
	}
	return ids
}

// wantRebooted wants that every host has booted since, and takes Pods as before.
func (w *world) wantRebooted(before map[string]string) {
	w.t.Helper()
	for name, id := range w.bootIDs() {
		if id == before[name] {
			w.t.Errorf("%s has not rebooted", name)
		}
	}
	for name, node := range w.nodes {
		if node.Unschedulable || node.CordonedBy != "" {
			w.t.Errorf("%s stays cordoned by %q", name, node.CordonedBy)
		}
	}
}

func TestAClusterRebootsHostByHost(t *testing.T) {
	for _, mode := range []cluster.EndpointMode{cluster.EndpointControlPlane, cluster.EndpointVIP, cluster.EndpointLocal, cluster.EndpointLoadBalancers, cluster.EndpointExternal} {
		t.Run(string(mode), func(t *testing.T) {
			planes := 3
			if mode == cluster.EndpointControlPlane {
				planes = 1
			}
			w := rebootable(t, shape{mode: mode, planes: planes, workers: 3, spares: sparesOf(mode)})
			w.upgrading = true // of control planes and workers one is out at a time
			before := w.bootIDs()
			w.all(Reboot)
			w.wantRebooted(before)
			w.boots = before
			p, _ := w.planned(Reboot)
			wantEmpty(t, p)
			w.unbundled, w.sandboxes = false, false
			p, _ = w.planned(Init)
			wantEmpty(t, p)
		})
	}
}

// TestWhatAKilledRebootLeftIsTakenUp at every step: a host that was cordoned for it, and has booted, does not
// boot again.
func TestWhatAKilledRebootLeftIsTakenUp(t *testing.T) {
	begun := rebootable(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 2})
	first, _ := begun.planned(Reboot)
	for cut := range len(first.Steps) {
		w := begun.clone(t)
		w.rebooting = true
		before := w.bootIDs()
		p, contents := w.planned(Reboot)
		w.run(p, contents, seeded(uint64(cut)), cut)
		for name, down := range maps.Clone(w.down) {
			if down {
				w.power(name, true)
			}
		}
		var back []string
		for name, id := range w.bootIDs() {
			if id != before[name] && w.nodes[name].CordonedBy != "" {
				back = append(back, name)
			}
		}
		p, contents = w.planned(Reboot)
		for _, name := range back {
			if slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.Host == name }) {
				t.Errorf("cut at %d: %s is rebooted twice:\n%s", cut, name, plan.Text(p))
			}
			if !slices.ContainsFunc(p.Steps, func(step plan.Step) bool {
				wait, is := step.Cluster.(plan.WaitNode)
				return is && wait.Node == name && wait.Restarted
			}) {
				t.Errorf("cut at %d: %s is taken for Ready by what was seen before", cut, name)
			}
		}
		w.run(p, contents, seeded(3), -1)
		w.wantRebooted(before)
	}
}

func TestHostsRebootInTurn(t *testing.T) {
	w := rebootable(t, shape{mode: cluster.EndpointLoadBalancers, planes: 3, workers: 3, spares: 1})
	p, _ := w.planned(Reboot)
	before := plan.Predecessors(p)
	last := "cp-1" // whose etcd leads
	for _, member := range w.observe().ClusterFacts.Members {
		if member.Leader {
			last = member.Name
		}
	}
	for _, name := range []string{"cp-1", "cp-2", "cp-3"} {
		if name != last && !reaches(before, "cluster/reboot/"+last+"/drain", "cluster/reboot/"+name+"/uncordon") {
			t.Errorf("the leader %s does not wait for %s", last, name)
		}
	}
	for _, pair := range [][2]string{
		{"cluster/reboot/cp-2/drain", "cluster/reboot/cp-2/quorum"},
		{"cluster/reboot/cp-2/quorum", "cluster/reboot/cp-2/move-leader"},
		{"cluster/reboot/cp-2/move-leader", "cp-2/reboot/kubelet"},
		{"cp-2/reboot/kubelet", "cp-2/reboot/api-server"},
		{"cp-2/reboot/api-server", "cp-2/reboot/reboot"},
		{"cp-2/reboot/reboot", "cluster/reboot/cp-2/boot"},
		{"cluster/reboot/cp-2/boot", "cluster/wait-control-plane/cp-2"},
		{"cluster/wait-control-plane/cp-2", "cluster/reboot/cp-2/uncordon"},
		{"cluster/wait-node/cp-2", "cluster/reboot/cp-2/uncordon"},
		{"cluster/reboot/" + last + "/uncordon", "lb-1/reboot/reboot"},
		{"cluster/wait-endpoint/lb-1", "cluster/reboot/w-1/drain"},
		{"cluster/reboot/w-1/uncordon", "cluster/reboot/w-2/drain"},
	} {
		if !reaches(before, pair[1], pair[0]) {
			t.Errorf("%s does not wait for %s", pair[1], pair[0])
		}
	}
	in := w.observe()
	in.WorkersAtOnce = 2
	p, _, err := Reboot(in)
	if before = plan.Predecessors(p); err != nil || reaches(before, "cluster/reboot/w-3/drain", "cluster/reboot/w-2/uncordon") {
		t.Errorf("two workers do not reboot at once: %v", err)
	}
}

// TestWhatDoesNotRebootWorksOn: where one of the steps before it fails, the host is as it was.
func TestWhatDoesNotRebootWorksOn(t *testing.T) {
	w := rebootable(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	p, _ := w.planned(Reboot)
	rescues := map[string][]string{}
	for _, step := range p.Steps {
		if step.IsRescue() {
			rescues[step.ID] = step.Rescues
		}
	}
	for _, id := range []string{"cp-1/reboot/kubelet-again", "cluster/reboot/cp-1/uncordon-again"} {
		if last := rescues[id]; !slices.Contains(last, "cp-1/reboot/reboot") || slices.Contains(last, "cluster/reboot/cp-1/boot") {
			t.Errorf("%s rescues %v", id, last)
		}
	}
	if rescues["w-1/reboot/kubelet-again"] != nil {
		t.Error("a worker's kubelet is started that was not stopped")
	}
}

func TestOnlyWhatARebootHasCordonedIsUncordoned(t *testing.T) {
	w := rebootable(t, shape{mode: cluster.EndpointControlPlane, planes: 1, workers: 1})
	node := w.nodes["w-1"]
	node.Unschedulable = true
	w.nodes["w-1"] = node
	in := w.observe()
	in.Hosts = []string{"w-1"}
	p, _, err := Reboot(in)
	if err != nil || strings.Contains(plan.Text(p), "uncordon") {
		t.Errorf("%v:\n%s", err, plan.Text(p))
	}
	if slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.Subject.Host != "w-1" }) {
		t.Errorf("another host is in the plan:\n%s", plan.Text(p))
	}
}

func TestRebootsThatAreRefusedOrWarnedOf(t *testing.T) {
	silent := func(in *Input, name string) {
		for i := range in.ClusterFacts.Members {
			if in.ClusterFacts.Members[i].Name == name {
				in.ClusterFacts.Members[i].Healthy = false
			}
		}
	}
	for name, test := range map[string]struct {
		planes        int
		with          func(*Input)
		refused, told string
	}{
		"all are well":                {3, func(*Input) {}, "", ""},
		"the only control plane":      {1, func(*Input) {}, "", "while cp-1 reboots no API server answers: it is the only control plane"},
		"one of two":                  {2, func(*Input) {}, "", "while cp-1 or cp-2 reboots no API server answers: etcd has 2 members with a vote"},
		"another member is away":      {3, func(in *Input) { silent(in, "cp-2"); in.Hosts = []string{"cp-1"} }, "cp-1: Quorum: while it reboots etcd has 3 members", ""},
		"the host's own member is":    {3, func(in *Input) { silent(in, "cp-2"); in.Hosts = []string{"cp-2"} }, "", ""},
		"a worker, while a member is": {3, func(in *Input) { silent(in, "cp-2"); in.Hosts = []string{"w-1"} }, "", ""},
		"no API server answers":       {1, func(in *Input) { in.ClusterFacts = hosts.ClusterFacts{} }, "no API server answers, so no node can be changed", ""},
		"a host that is not reached":  {1, func(in *Input) { delete(in.Facts, "w-1") }, "w-1: Connection", ""},
		"a host that the file lacks":  {1, func(in *Input) { in.Hosts = []string{"w-9"} }, "w-9", ""},
	} {
		t.Run(name, func(t *testing.T) {
			mode := cluster.EndpointVIP
			if test.planes == 1 {
				mode = cluster.EndpointControlPlane
			}
			in := rebootable(t, shape{mode: mode, planes: test.planes, workers: 1}).observe()
			test.with(&in)
			p, _, err := Reboot(in)
			_, refused := err.(*checks.Refused)
			switch told := strings.Join(p.Warnings, "\n"); {
			case test.refused != "" && (!refused || !strings.Contains(err.Error(), test.refused)):
				t.Errorf("it ends with %v, want %q", err, test.refused)
			case test.refused == "" && err != nil:
				t.Error(err)
			case test.told == "" && strings.Contains(told, "no API server answers"), !strings.Contains(told, test.told):
				t.Errorf("it warns of %q, want %q", told, test.told)
			}
		})
	}
}

// TestADrainThatWouldNotEndStopsAReboot before anything is touched.
func TestADrainThatWouldNotEndStopsAReboot(t *testing.T) {
	in := inUse("w-1")
	in.Facts = map[string]hosts.Facts{"cp-1": {BootID: "a"}, "lb-1": {BootID: "b"}, "w-1": {BootID: "c"}, "w-2": {BootID: "d"}}
	in.Workflow, in.Drains = view.Reboot, RebootDrains(in)
	if len(in.Drains) != 1 || !slices.Equal(in.Drains[0].Hosts, []string{"w-1"}) {
		t.Fatalf("the drains are %v", in.Drains)
	}
	if _, _, err := Reboot(in); err == nil || !strings.Contains(err.Error(), "default/on-w-1: no controller makes it again elsewhere") {
		t.Errorf("it ends with %v", err)
	}
	in.View.Drain.Force = true
	if _, _, err := Reboot(in); err != nil {
		t.Error(err)
	}
}

func TestALoadBalancerIsNotDrained(t *testing.T) {
	in := inUse("lb-1")
	in.Facts = map[string]hosts.Facts{"cp-1": {BootID: "a"}, "lb-1": {BootID: "b", Units: map[string]hosts.Unit{manifests.KubeletUnit: {}}}}
	p, _, err := Reboot(in)
	if want := "reboot the host out of boot b, wait until lb-1 has booted and answers, wait until lb-1 reaches the API by 10.0.2.1:16443"; err != nil || did(p) != want {
		t.Errorf("%v: %q", err, did(p))
	}
}
