package phases

import (
	"errors"
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

// What others have where a cluster's data would lie stops every workflow that would claim
// the host, on hosts where the cluster would use the place.
func TestOccupiedTreesAreRefused(t *testing.T) {
	all := []view.Workflow{view.Init, view.Prepare}
	tests := []struct {
		host, file string
		addOn      string
		fix        string // empty: it is no problem
	}{
		{"cp-1", "/var/lib/etcd/default/member/snap/db", cluster.AddOnFlannel, "mv /var/lib/etcd /var/lib/etcd.old"},
		{"w-1", "/var/lib/etcd/default/member/snap/db", cluster.AddOnFlannel, ""},
		{"cp-1", "/var/lib/etcd/lost+found", cluster.AddOnFlannel, ""},
		{"w-1", "/var/lib/cni/networks/podman/10.88.0.2", cluster.AddOnFlannel, "mv /var/lib/cni "},
		{"w-1", "/var/lib/kubelet/config.json", cluster.AddOnFlannel, "mv /var/lib/kubelet "},
		{"w-1", "/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", cluster.AddOnFlannel, "mv /var/lib/containerd "},
		{"w-1", "/etc/kubernetes/pki/ca.crt", cluster.AddOnFlannel, "mv /etc/kubernetes "},
		{"cp-1", "/etc/kubernetes/audit-policy.yaml", cluster.AddOnFlannel, ""},
		{"w-1", "/etc/cni/net.d/87-podman-bridge.conflist", cluster.AddOnFlannel, ""},
		{"w-1", "/etc/cni/net.d/README", cluster.AddOnFlannel, ""},
		{"w-1", "/etc/cni/net.d/05-cilium.conflist", cluster.AddOnFlannel, "mv /etc/cni/net.d/05-cilium.conflist "},
		{"w-1", "/etc/cni/net.d/10-flannel.conflist", cluster.AddOnFlannel, "mv /etc/cni/net.d/10-flannel.conflist "},
		{"w-1", "/etc/cni/net.d/10-own.conflist", cluster.AddOnNone, ""},
		{"w-1", "/etc/containerd/certs.d/mine/hosts.toml", cluster.AddOnFlannel, ""},
	}
	for _, test := range tests {
		for _, workflow := range all {
			w := newWorld(t, 1, 1)
			w.cluster.Networking.AddOn = test.addOn
			w.machines[test.host].PutFile(test.file, []byte("somebody's"), 0o600)
			found := checks.Errors(checks.Preflight(workflow, w.observe().View))
			if test.fix == "" {
				if len(found) > 0 {
					t.Errorf("%s: %s on %s: %v", workflow, test.file, test.host, found)
				}
				continue
			}
			if !slices.ContainsFunc(found, func(p checks.Finding) bool { return p.Host == test.host && strings.Contains(p.Fix, test.fix) }) {
				t.Errorf("%s: %s on %s: found %v", workflow, test.file, test.host, found)
			}
		}
	}
}

// A host that was prepared as a worker has a record, but its etcd is still another's.
func TestRecordIsNoClaimToAnothersEtcd(t *testing.T) {
	w := newWorld(t, 1, 1)
	p, contents := w.planned(Prepare)
	w.run(p, contents, seeded(1), -1)
	const theirs = "/var/lib/etcd/default/member/snap/db"
	w.machines["cp-1"].PutFile(theirs, []byte("patroni's"), 0o600)
	if _, _, err := Init(w.observe()); !refusedFor(err, "DirAvailable--var-lib-etcd") {
		t.Errorf("init: %v", err)
	}
	p, contents = w.planned(resetting())
	w.run(p, contents, seeded(2), -1)
	if _, _, there := w.machines["cp-1"].ReadFile(theirs); !there {
		t.Error("reset removed another's etcd")
	}
}

func refusedFor(err error, check string) bool {
	var refused *checks.Refused
	return errors.As(err, &refused) &&
		slices.ContainsFunc(checks.Errors(refused.Findings), func(p checks.Finding) bool { return p.Check == check })
}

func TestResetLeavesWhatItsUserPutBesideTheCluster(t *testing.T) {
	w := newWorld(t, 1, 1)
	theirs := map[string]string{
		"cp-1": "/etc/kubernetes/audit-policy.yaml",
		"w-1":  "/var/lib/etcd/default/member/snap/db",
	}
	shared := []string{
		"/etc/containerd/certs.d/mine/hosts.toml", "/opt/cni/bin/mine", "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/mine/mine",
		"/var/lib/etcd.old/member/snap/db",
	}
	for host, file := range theirs {
		for _, file := range append(shared, file) {
			w.machines[host].PutFile(file, []byte("mine"), 0o600)
		}
	}
	w.init(seeded(1))
	late := []string{"/etc/cni/net.d/99-mine.conflist", "/root/.kube/mine"}
	for _, file := range late {
		w.machines["cp-1"].PutFile(file, []byte("mine"), 0o600)
	}
	p, contents := w.planned(resetting())
	w.run(p, contents, seeded(2), -1)
	for host, file := range theirs {
		want := append(shared, file)
		if host == "cp-1" {
			want = append(want, late...)
		}
		for _, file := range want {
			if _, _, there := w.machines[host].ReadFile(file); !there {
				t.Errorf("%s: reset removed %s", host, file)
			}
		}
		if w.machines[host].Record() != nil {
			t.Errorf("%s is not forgotten", host)
		}
	}
}

// A reset that is cut anywhere and run again leaves what the first run put back.
func TestRestoredFileOutlivesTheSameResetAgain(t *testing.T) {
	for cut := 0; ; cut++ {
		w := newWorld(t, 1, 1)
		w.machines["w-1"].PutFile(manifests.ContainerdConfig, []byte("mine"), 0o640)
		w.init(seeded(1))
		p, contents := w.planned(resetting("w-1"))
		if cut >= len(p.Steps) {
			return
		}
		w.run(p, contents, seeded(2), cut)
		p, contents = w.planned(resetting("w-1"))
		w.run(p, contents, seeded(3), -1)
		if have, mode, there := w.machines["w-1"].ReadFile(manifests.ContainerdConfig); !there || string(have) != "mine" || mode != 0o640 {
			t.Fatalf("cut at %d: %q %o %v", cut, have, mode, there)
		}
	}
}

// A host that was prepared, joined by hand and reset by hand has what kubeadm wrote and
// left; a reset takes it too, and puts none of it back.
func TestResetTakesWhatKubeadmWrote(t *testing.T) {
	w := newWorld(t, 1, 1)
	bare := w.machine("w-1")
	p, contents := w.planned(Prepare)
	w.run(p, contents, seeded(1), -1)
	const logs = "/var/log/pods/kube-system_x/x/0.log"
	kubeadms := []string{ // without /var/lib/kubelet, as after kubeadm reset
		"/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/tmp/x/kubelet.conf", manifests.KubeletConf, manifests.BootstrapKubelet,
		manifests.SubnetFile, manifests.CNIConf, logs,
	}
	for _, file := range kubeadms {
		w.machines["w-1"].PutFile(file, []byte("kubeadm's"), 0o600)
	}
	p, contents = w.planned(resetting())
	w.run(p, contents, seeded(2), -1)
	for _, file := range kubeadms {
		if _, _, there := w.machines["w-1"].ReadFile(file); there {
			t.Errorf("reset left %s", file)
		}
	}
	if after := w.machine("w-1"); !strings.Contains(bare, "policy.json") || strings.Contains(after, "/etc/kubernetes") {
		t.Errorf("w-1 is not what it was:\n%s", difference(bare, after))
	}
}

// Logs of Pods are the cluster's only where a kubelet of it ran.
func TestLogsAreKeptWhereNoKubeletRan(t *testing.T) {
	const logs = "/var/log/pods/kube-system_old/x/0.log"
	w := newWorld(t, 1, 1)
	w.machines["w-1"].PutFile(logs, []byte("of an older cluster"), 0o600)
	p, contents := w.planned(Prepare)
	w.run(p, contents, seeded(1), -1)
	record := w.machines["w-1"].Record()
	p, contents = w.planned(resetting())
	w.run(p, contents, seeded(2), -1)
	if _, _, there := w.machines["w-1"].ReadFile(logs); !there {
		t.Error("reset removed the logs")
	}
	if left := Leftovers(record, w.look("w-1", InspectQuery(w.cluster, record))); len(left) > 0 {
		t.Errorf("told as left: %q", left)
	}
}

// A kubeconfig that somebody put in the place of Slipway's link stays, and is not in the
// way of the reset's end.
func TestResetKeepsAKubeconfigOfTheUsersOwn(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.init(seeded(1))
	w.machines["cp-1"].PutFile(manifests.RootKubeconfig, []byte("all my clusters"), 0o600)
	record := w.machines["cp-1"].Record()
	p, contents := w.planned(resetting())
	w.run(p, contents, seeded(2), -1)
	if have, _, _ := w.machines["cp-1"].ReadFile(manifests.RootKubeconfig); string(have) != "all my clusters" {
		t.Errorf("it is %q", have)
	}
	if w.machines["cp-1"].Record() != nil {
		t.Error("the host is not forgotten")
	}
	if left := Leftovers(record, w.look("cp-1", InspectQuery(w.cluster, record))); len(left) > 0 {
		t.Errorf("told as left: %q", left)
	}
}

// The cluster's identity may come from the record itself: then only the name tells that
// the file is another cluster's.
func TestRecordOfAnotherNameIsRefused(t *testing.T) {
	for _, workflow := range []view.Workflow{view.Init, view.Join, view.Prepare, view.Reset, view.ImageLoad} {
		w := newWorld(t, 1, 1)
		w.init(seeded(1))
		delete(w.nodes, "w-1") // so that a join is for it
		w.stale = false
		in := w.observe()
		renamed := *in.Cluster
		renamed.Name = "prod1"
		in.Cluster, in.Hosts = &renamed, []string{"w-1"}
		if workflow == view.Reset || workflow == view.Init {
			in.Hosts = nil
		}
		found := checks.Errors(checks.Preflight(workflow, in.View))
		if !slices.ContainsFunc(found, func(p checks.Finding) bool {
			return p.Host == "w-1" && p.Check == "Membership" && strings.Contains(p.Seen, "it belongs to the cluster try")
		}) {
			t.Errorf("%s: found %v", workflow, found)
		}
	}
}

// A name that only runs is gone with the next boot.
func TestStaticNameIsSetToo(t *testing.T) {
	for static, want := range map[string]string{"w-1": "", "": "empty", "localhost": "localhost"} {
		w := newWorld(t, 1, 1)
		w.machines["w-1"].Edit(func(f *hosts.Facts) { f.Hostname, f.StaticHostname = "w-1", static })
		p, _ := w.planned(Init)
		var why string
		for _, step := range p.Steps {
			if step.ID == "w-1/prepare/hostname" {
				why = step.Why
			}
		}
		if (want == "") != (why == "") || !strings.HasSuffix(why, want) {
			t.Errorf("static name %q: %q", static, why)
		}
	}
}

// What somebody does with kubectl config on a control plane is no difference, as long as
// the administrator's context is among the others.
func TestAnotherCurrentContextIsNoDifference(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.init(seeded(1))
	in := w.observe()
	facts := in.Facts["cp-1"]
	ours := facts.Kubeconfigs[manifests.AdminConf]
	theirs := hosts.Kubeconfig{Server: "https://elsewhere:6443", User: "me", Others: []hosts.Kubeconfig{ours}}
	for _, others := range []int{1, 0} {
		theirs.Others = theirs.Others[:others]
		facts.Kubeconfigs[manifests.AdminConf] = theirs
		p, _, err := Init(in)
		if err != nil {
			t.Fatal(err)
		}
		if p.Empty() != (others == 1) {
			t.Errorf("with %d other contexts:\n%s", others, plan.Text(p))
		}
	}
}
