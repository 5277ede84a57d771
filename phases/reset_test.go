package phases

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func resetting(names ...string) workflow {
	return func(in Input) (plan.Plan, plan.Contents, error) { return Reset(in, names) }
}

func TestResetOfTheClusterLeavesNothing(t *testing.T) {
	for seed := range uint64(4) {
		chance := seeded(seed)
		w := generated(t, chance)
		before := map[string]string{}
		for _, host := range w.cluster.Hosts {
			before[host.Name] = w.machine(host.Name)
		}
		p, contents := w.planned(Init)
		steps := -1
		if seed%2 == 1 {
			steps = chance.IntN(len(p.Steps)) // a half-made cluster goes as well
		}
		w.run(p, contents, chance, steps)
		for range 3 {
			p, contents = w.planned(resetting())
			w.run(p, contents, chance, chance.IntN(1+len(p.Steps)))
		}
		records := map[string]*hosts.Record{}
		for _, host := range w.cluster.Hosts {
			records[host.Name] = w.machines[host.Name].Record()
		}
		p, contents = w.planned(resetting())
		w.run(p, contents, chance, -1)
		for _, host := range w.cluster.Hosts {
			if after := w.machine(host.Name); after != before[host.Name] {
				t.Errorf("seed %d: %s is not what it was:\n%s", seed, host.Name, difference(before[host.Name], after))
			}
			if left := Leftovers(records[host.Name], w.look(host.Name, InspectQuery(w.cluster, records[host.Name]))); len(left) > 0 {
				t.Errorf("seed %d: left on %s: %q", seed, host.Name, left)
			}
		}
		p, _ = w.planned(resetting())
		wantEmpty(t, p)
	}
}

func TestResetOfAWorkerAndItsJoiningAgain(t *testing.T) {
	w := newWorld(t, 1, 2)
	bare := w.machine("w-1")
	w.init(seeded(1))
	others := w.machine("cp-1") + w.machine("w-2")
	p, contents := w.planned(resetting("w-1"))
	w.run(p, contents, seeded(2), -1)
	if _, there := w.nodes["w-1"]; there {
		t.Error("the node is still there")
	}
	if w.machine("w-1") != bare {
		t.Errorf("w-1 is not what it was:\n%s", difference(bare, w.machine("w-1")))
	}
	if w.machine("cp-1")+w.machine("w-2") != others {
		t.Error("another host was changed")
	}
	drained, stopped, deleted := at(p, "drain"), at(p, manifests.KubeletUnit), at(p, "delete")
	if !(drained < stopped && stopped < deleted) {
		t.Errorf("order: drained %d, stopped %d, deleted %d", drained, stopped, deleted)
	}
	p, contents = w.planned(Join)
	w.run(p, contents, seeded(3), -1)
	p, _ = w.planned(Init)
	wantEmpty(t, p)
}

// at is where the first step whose id ends so stands in a legal order.
func at(p plan.Plan, suffix string) int {
	order, _ := plan.Order(p)
	for i, id := range order {
		if strings.HasSuffix(id, suffix) {
			return i
		}
	}
	return -1
}

func TestResetOfAWorkerResumesFromEveryCut(t *testing.T) {
	chance := seeded(9)
	for cut := 0; ; cut += 1 + chance.IntN(8) {
		w := newWorld(t, 1, 1)
		w.init(chance)
		p, contents := w.planned(resetting("w-1"))
		if cut >= len(p.Steps) {
			break
		}
		w.run(p, contents, chance, cut)
		p, contents = w.planned(resetting("w-1"))
		w.run(p, contents, chance, -1)
		if _, there := w.nodes["w-1"]; there || w.machines["w-1"].Record() != nil {
			t.Fatalf("cut at %d: the reset is not complete", cut)
		}
		p, _ = w.planned(resetting("w-1"))
		wantEmpty(t, p)
	}
}

func TestResetIsRefused(t *testing.T) {
	stop := func(w *world) {
		w.act("cp-1", hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
		w.act("cp-1", hosts.StopPods{})
	}
	tests := []struct {
		name  string
		prep  func(w *world)
		hosts []string
		want  string // empty: it is not refused
	}{
		{"of a worker without the API", stop, []string{"w-1"}, "--force"},
		{"of all without the API", stop, nil, ""},
		{"of the last control plane", func(*world) {}, []string{"cp-1"}, "it is the last control plane"},
		{"of a host that is down", func(w *world) { w.down["w-1"] = true }, []string{"w-1"}, "--force"},
		{"of a host that is not in the file", func(*world) {}, []string{"w-9"}, "no host of this name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 1, 1)
			w.init(seeded(1))
			test.prep(w)
			_, _, err := Reset(w.observe(), test.hosts)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("reset: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("reset: %v, want something of %q", err, test.want)
			}
		})
	}
}

func TestResetOfControlPlanesIsRefused(t *testing.T) {
	tests := []struct {
		name  string
		prep  func(w *world)
		hosts []string
		force bool
		want  string
	}{
		{"that costs the quorum", func(w *world) { w.power("cp-3", false) }, []string{"cp-2"}, false,
			"Quorum: after cp-2 leaves, etcd has 2 members (cp-1, cp-3), of which a quorum is 2; only 1 answers (cp-1; cp-3: connection refused)"},
		{"that costs the quorum, with force", func(w *world) { w.power("cp-3", false) }, []string{"cp-2"}, true, "Quorum: after cp-2 leaves"},
		{"of all of them but not of the workers", nil, []string{"cp-1", "cp-2", "cp-3"}, true, "cp-3: Membership: it is the last control plane"},
		{"of one that is down", func(w *world) { w.power("cp-3", false) }, []string{"cp-3"}, true, "if it is dead: slipway remove --offline cp-3"},
		{"while nobody knows etcd's members", func(w *world) {
			for _, name := range []string{"cp-1", "cp-2", "cp-3"} {
				w.act(name, hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
				w.act(name, hosts.StopPods{})
			}
		}, []string{"cp-3"}, true, "Quorum: what members etcd has is not known, so no sum can be done: connection refused"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 3, 1)
			w.init(seeded(1))
			if test.prep != nil {
				test.prep(w)
			}
			in := w.observe()
			in.Force = test.force
			_, _, err := Reset(in, test.hosts)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("reset: %v\nwant something of %q", err, test.want)
			}
		})
	}
}

func TestAClusterGoesAsAWholeOnlyByAFileOfAllOfIt(t *testing.T) {
	begun := newWorld(t, 3, 1)
	begun.init(seeded(1))
	for _, test := range []struct {
		lacks []string
		names []string
		force bool
		want  string
	}{
		{[]string{"cp-3"}, nil, false, "Membership: the cluster has also cp-3, which the file lacks (add what is missing to the file"},
		{[]string{"cp-3", "w-1"}, []string{"cp-1", "cp-2"}, false, "the cluster has also cp-3, w-1, which the file lacks"},
		{[]string{"w-1"}, nil, false, "the cluster has also w-1, which the file lacks"},
		{[]string{"w-1"}, nil, true, ""},
		{nil, nil, false, ""},
	} {
		w := begun.clone(t)
		for _, name := range test.lacks {
			w.cluster.Hosts = slices.DeleteFunc(slices.Clone(w.cluster.Hosts), func(host cluster.Host) bool { return host.Name == name })
		}
		in := w.observe()
		in.Force = test.force
		p, _, err := Reset(in, test.names)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("without %q: %v", test.lacks, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("without %q: %v, want something of %q", test.lacks, err, test.want)
		}
		if told := strings.Contains(strings.Join(p.Warnings, "\n"), "the cluster has also"); told != test.force {
			t.Errorf("without %q: warned %q", test.lacks, p.Warnings)
		}
	}
	w := begun.clone(t)
	w.etcd.members = append(w.etcd.members, member{id: "ff", peer: "https://10.9.9.9:2380", learner: true})
	if _, _, err := Reset(w.observe(), nil); err == nil || !strings.Contains(err.Error(), "the cluster has also https://10.9.9.9:2380") {
		t.Errorf("beside a member that the file lacks: %v", err)
	}
}

func TestResetTellsThatTheDataOfAnExternalEtcdStay(t *testing.T) {
	for external, want := range map[bool]int{true: 1, false: 0} {
		w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 1, external: external})
		w.init(seeded(1))
		p, contents := w.planned(resetting())
		if len(p.Warnings) != want || want > 0 && (!strings.Contains(p.Warnings[0], "stay in the etcd at "+testEtcd) || !strings.Contains(p.Warnings[0], "/registry")) {
			t.Errorf("external %v: warned %q", external, p.Warnings)
		}
		w.run(p, contents, seeded(1), -1)
		if p, _ = w.planned(resetting()); len(p.Warnings) > 0 {
			t.Errorf("external %v: warned of nothing: %q", external, p.Warnings)
		}
	}
}

func TestForcedResetOfADeadWorkerDeletesItsNodeOnly(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.down["w-1"] = true
	in := w.observe()
	in.Force = true
	p, _, err := Reset(in, []string{"w-1"})
	if err != nil {
		t.Fatal(err)
	}
	if got := changes(p); len(got) != 1 || got[0] != "cluster/remove-node/w-1/delete" {
		t.Errorf("planned %q", got)
	}
	if len(p.Warnings) != 1 {
		t.Errorf("warned %q", p.Warnings)
	}
}

func TestResetLeavesAloneWhatIsNotSlipways(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.machines["cp-1"].PutFile("/etc/kubernetes/admin.conf", []byte("kubeadm's"), 0o600)
	p, _ := w.planned(resetting())
	wantEmpty(t, p)
}

func TestResetPutsBackWhatWasThere(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.machines["cp-1"].PutFile(manifests.CrictlConfig, []byte("somebody's own\n"), 0o640)
	w.init(seeded(1))
	p, _ := w.planned(resetting())
	removed, restored, forgotten := at(p, "cleanup-node/etc/crictl.yaml"), at(p, "restore/file//etc/crictl.yaml"), at(p, "/record")
	if removed < 0 || removed >= restored || restored >= forgotten {
		t.Errorf("order: removed %d, restored %d, forgotten %d", removed, restored, forgotten)
	}
}

// TestResetNamesWhatItRemovesOfTheNetwork: prefixes would take Podman's as well.
func TestResetNamesWhatItRemovesOfTheNetwork(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.init(seeded(1))
	pods := []hosts.Sandbox{{ID: "1", Namespace: "cni-0d5e", Chains: []string{"CNI-DN-5f0c"}}}
	w.machines["cp-1"].Edit(func(facts *hosts.Facts) { facts.Sandboxes = pods })
	p, _ := w.planned(resetting())
	var action hosts.RemoveNetwork
	for _, step := range p.Steps {
		if network, ok := step.Action.(hosts.RemoveNetwork); ok {
			action = network
		}
	}
	if !slices.EqualFunc(action.Pods, pods, func(a, b hosts.Sandbox) bool { return a.Namespace == b.Namespace }) || !action.HostPorts {
		t.Errorf("the plan removes of Pods %v", action.Pods)
	}
	for _, name := range action.Chains {
		if prefix, generated := strings.CutSuffix(name, "*"); generated && !strings.HasPrefix(prefix, "KUBE-") || name == "KUBE-*" || strings.HasPrefix(name, "CNI-") {
			t.Errorf("the plan removes chains by %q", name)
		}
	}
	if text := plan.Text(p); !strings.Contains(text, "cni-0d5e, CNI-DN-5f0c") {
		t.Errorf("the plan does not show them:\n%s", text)
	}
}

func TestLeftovers(t *testing.T) {
	before := &hosts.Record{
		Cluster: hosts.Identity{ID: "c0ffee", Name: "try"},
		Paths: []hosts.Owned{
			{Path: manifests.EtcdManifest, Type: hosts.TypeFile},
			{Path: "/root/.kube", Type: hosts.TypeDirectory}, {Path: "/usr/bin/kubelet", Type: hosts.TypeSymlink},
			{Path: "/etc/crictl.yaml", Type: hosts.TypeFile}, {Path: "/etc/sysctl.d/99-slipway.conf", Type: hosts.TypeFile},
		},
		Units:  []string{manifests.KubeletUnit},
		Priors: []hosts.Prior{{Setting: "file//etc/crictl.yaml"}},
	}
	now := hosts.Facts{
		Files: map[string]hosts.File{
			"/root/.kube":                   {Type: hosts.TypeDirectory}, // somebody else's things are in it
			"/var/lib/containerd":           {Type: hosts.TypeDirectory}, // a mount point
			"/etc/crictl.yaml":              {Type: hosts.TypeFile},      // restored
			"/usr/bin/kubelet":              {Type: hosts.TypeSymlink},
			"/var/lib/etcd/member/wal/0":    {Type: hosts.TypeFile},
			"/etc/sysctl.d/99-slipway.conf": {Type: hosts.TypeFile},
		},
		Links: []string{"cni0"}, Tables: []string{"kube-proxy"}, Chains: []string{"KUBE-SEP-1"},
		Units: map[string]hosts.Unit{
			manifests.KubeletUnit: {Load: "loaded", Active: "active"}, manifests.ContainerdUnit: {Load: "loaded", Active: "active"},
		},
		Unanswered: []hosts.Unanswered{{What: hosts.LookDisks, At: "/srv", Seconds: 10}, {What: hosts.LookChains, Seconds: 10}},
	}
	want := "/etc/sysctl.d/99-slipway.conf; /usr/bin/kubelet; /var/lib/etcd/member/wal/0; link cni0; nft table kube-proxy; " +
		"iptables chain KUBE-SEP-1; unit kubelet.service (active); perhaps more: iptables chains: no answer in 10 s"
	if got := strings.Join(Leftovers(before, now), "; "); got != want {
		t.Errorf("left: %s\nwant: %s", got, want)
	}
}
