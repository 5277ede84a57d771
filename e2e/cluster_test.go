package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCluster walks one lab of three control planes, a worker and a spare host through what a
// cluster promises. Each promise begins from a cluster that is well, whichever ran before,
// and leaves it so; the spare host is bare before and after.
func TestCluster(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1", "--spares", "1")
	promises(t, l, nil, []promise{
		{"bad input and bad luck hold init up before it has begun", badInput},
		{"what only several control planes can have wrong is told before init has begun", badInputOfSeveral},
		{"the plan names every host before anything is touched", planBeforeInit},
		{"init brings up three control planes at once, though it was killed on its way", initThreePlanes},
		{"an upgrade that has come to one control plane is taken back", upgradeTakenBack},
		{"an upgrade rolls while clients write and ask, though it was killed half-way", upgradeRolls},
	})
	promises(t, l, (*lab).well, []promise{
		{"CoreDNS answers from every node", dnsAnswersEverywhere},
		{"a Deployment is reached by name, ClusterIP and NodePort, updated and put back", deploymentLives},
		{"init with a new host in the file is refused with the word join", initRefusedForNewHost},
		{"a worker's join touches only what it should, its reset leaves nothing, and it can join again", workerComesAndGoes},
		{"kubeadm joins and resets a spare host", kubeadmJoinAndReset},
		{"whoever has the address and whoever leads etcd, killed: nothing acknowledged is lost, and the endpoint is back in time", killHolderAndLeader},
		{"keepalived killed leaves one holder of the address", killKeepalived},
		{"who asks the wrong host for the address is refused at once", askTheWrongHost},
		{"an orderly shutdown hands etcd's leadership over before anything stops", handover},
		{"a host cut off and connected again", partition},
		{"ha test takes each control plane out and puts all back", haTest},
		{"a reset that would lose the quorum is refused with the sum", resetRefusedForQuorum},
		{"a control plane leaves and comes again while clients write", resetAndRejoinPlane},
		{"the first control plane, dead, is replaced by a new host", replaceFirstPlane},
	})
	promises(t, l, (*lab).there, []promise{{"the whole cluster's reset leaves nothing", resetAll}})
	promises(t, l, nil, []promise{{"the lab itself leaves nothing", labDownLeavesNothing}})
}

func planBeforeInit(t *testing.T, l *lab) {
	hosts := map[string]int{}
	for _, s := range l.planned() {
		hosts[s.Host]++
	}
	for _, host := range []string{"cp-1", "cp-2", "cp-3", "worker-1", ""} {
		if hosts[host] == 0 {
			t.Errorf("the plan has no step for %q: %v", host, hosts)
		}
	}
	if out := l.exec("cp-1", "sh", "-c", "ls -d /etc/kubernetes /etc/containerd /opt/slipway 2>/dev/null || true"); out != "" {
		t.Errorf("planning left something behind: %s", out)
	}
	l.wantCode(3, "", l.withBundle("plan", "--exit-code")...)
}

// imagesArePinned wants that image garbage collection may take none of the images of a host.
func imagesArePinned(t *testing.T, l *lab, host string) {
	t.Helper()
	images := strings.Split(strings.TrimSpace(l.exec(host, "ctr", "-n", "k8s.io", "images", "ls")), "\n")
	if len(images) < 2 {
		t.Fatalf("no images are listed: %v", images)
	}
	for _, image := range images[1:] {
		if !strings.Contains(image, "io.cri-containerd.pinned=pinned") {
			t.Errorf("image garbage collection may take %s", image)
		}
	}
}

func dnsAnswersEverywhere(t *testing.T, l *lab) {
	startProbes(l)
	defer remove(l, "probe.yaml")
	pods := strings.Fields(l.kubectl("get", "pods", "-l", "app=probe", "-o", "name"))
	if len(pods) != len(threePlanes) {
		t.Fatalf("want a probe on each of %v, got %v", threePlanes, pods)
	}
	for _, pod := range pods {
		if out := l.kubectl("exec", pod, "--", "/app", "resolve", "kubernetes.default.svc.cluster.local"); strings.TrimSpace(out) != "10.96.0.1" {
			t.Errorf("%s resolves kubernetes.default to %q", pod, out)
		}
	}
}

// startProbes loads the images of the app, one by the short name that Pods may use, and
// starts a Pod on every node to ask from.
func startProbes(l *lab) {
	l.t.Helper()
	l.must(l.onCluster("image", "load", appImage(l.t, "app:v1", "v1"))...)
	l.must(l.onCluster("image", "load", appImage(l.t, "example.test/app:v2", "v2"))...)
	apply(l, "probe.yaml")
	l.kubectl("rollout", "status", "daemonset/probe", "--timeout=180s")
}

func deploymentLives(t *testing.T, l *lab) {
	startProbes(l)
	defer remove(l, "probe.yaml")
	apply(l, "web.yaml")
	defer remove(l, "web.yaml")
	l.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
	nodes := strings.Fields(l.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}"))
	if len(nodes) != 2 || nodes[0] == nodes[1] {
		t.Fatalf("want two replicas on two hosts, got %v", nodes)
	}
	probe := probeOn(l, "cp-1")
	clusterIP := l.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
	for _, url := range []string{"http://web.default.svc.cluster.local", "http://" + clusterIP} {
		eventually(t, recovery, url+" answers", func() error {
			return answers(l.run(l.kubectlArgs("exec", probe, "--", "/app", "fetch", url)...), "version v1")
		})
	}
	port := l.kubectl("get", "service", "web", "-o", "jsonpath={.spec.ports[0].nodePort}")
	address := l.kubectl("get", "node", nodes[0], "-o", `jsonpath={.status.addresses[?(@.type=="InternalIP")].address}`)
	eventually(t, recovery, "the NodePort answers a host outside the cluster", func() error {
		return answers(l.run("lab", "exec", "--name", l.name, "spare-1", "--", "curl", "-sS", "--max-time", "5", "http://"+address+":"+port), "version v1")
	})
	rollingUpdate(t, l, probe)
}

func rollingUpdate(t *testing.T, l *lab, probe string) {
	t.Helper()
	l.kubectl("set", "image", "deployment/web", "web=example.test/app:v2")
	l.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
	fetch := l.kubectlArgs("exec", probe, "--", "/app", "fetch", "http://web.default.svc.cluster.local")
	eventually(t, recovery, "the new version answers", func() error { return answers(l.run(fetch...), "version v2") })
	l.kubectl("rollout", "undo", "deployment/web")
	l.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
	eventually(t, recovery, "the old version answers", func() error { return answers(l.run(fetch...), "version v1") })
}

func initRefusedForNewHost(t *testing.T, l *lab) {
	with := withSpare(t, l)
	with.wantCode(4, "join", with.withBundle("init", "--yes")...)
}

// withSpare is the lab with a cluster file in which the spare host is a worker that is
// reached by a user who may sudo, and who makes files that only he may read.
func withSpare(t *testing.T, l *lab) *lab {
	t.Helper()
	l.exec("spare-1", "sh", "-c", "sed -i '1i umask 077' ~ops/.bashrc")
	with := *l
	with.file = withHost(t, l, "spare-1", "worker", "ops")
	return &with
}

// withSpareReady are the nodes when the spare host has joined, in kubectl's order.
var withSpareReady = []string{"cp-1", "cp-2", "cp-3", "spare-1", "worker-1"}

// workerComesAndGoes joins the spare host as a worker, while another worker is off: so that
// one cannot have been touched, nor is any control plane.
func workerComesAndGoes(t *testing.T, l *lab) {
	with := withSpare(t, l)
	for _, s := range with.planned("join") {
		if s.Host != "spare-1" && !strings.Contains(s.ID, "spare-1") {
			t.Errorf("the join of spare-1 plans %s", s.ID)
		}
	}
	before := map[string]string{"cp-1": fingerprint(l, "cp-1"), "cp-2": fingerprint(l, "cp-2")}
	l.power("stop", "worker-1")
	joinLogsInOnNone(t, with, "cp-1", "cp-2", "cp-3")
	l.power("start", "worker-1")
	eventually(t, recovery, "the stopped host comes back by itself", func() error {
		return answers(l.run(l.kubectlArgs("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=5s")...), "worker-1 condition met")
	})
	with.wantReady(withSpareReady...)
	for host, was := range before {
		if now := fingerprint(l, host); now != was {
			t.Errorf("the join of spare-1 changed %s:\n--- before\n%s\n--- after\n%s", host, was, now)
		}
	}
	with.planIsEmpty()
	spareLeaves(with)
	with.must(with.withBundle("join", "--yes")...)
	with.wantReady(withSpareReady...)
	spareLeaves(with)
}

// spareLeaves takes the spare host out of the cluster again.
func spareLeaves(with *lab) {
	with.t.Helper()
	with.must(with.onCluster("reset", "spare-1", "--yes")...)
	nothingLeft(with, "spare-1")
	with.wantReady(threePlanes...)
}

// joinLogsInOnNone joins, and nobody logs in on these hosts.
func joinLogsInOnNone(t *testing.T, l *lab, hosts ...string) {
	t.Helper()
	before := map[string]string{}
	for _, host := range hosts {
		before[host] = sshLogins(l, host)
	}
	l.must(l.withBundle("join", "--yes")...)
	for _, host := range hosts {
		if now := sshLogins(l, host); now != before[host] {
			t.Errorf("the join logged in on %s: %s logins, %s before", host, now, before[host])
		}
	}
}

// sshLogins is how often somebody has logged in on a host.
func sshLogins(l *lab, host string) string {
	l.t.Helper()
	return strings.TrimSpace(l.exec(host, "sh", "-c", "journalctl -u ssh --no-pager | grep -c 'Accepted publickey'"))
}

func kubeadmJoinAndReset(t *testing.T, l *lab) {
	with := withSpare(t, l)
	kubeadmJoins(t, with, "spare-1")
	l.exec("spare-1", "kubeadm", "reset", "--force")
	with.must(with.onCluster("reset", "spare-1", "--yes")...)
	l.exec("spare-1", "rm", "/usr/local/bin/kubeadm")
	nothingLeft(l, "spare-1")
	l.wantReady(threePlanes...)
}

// kubeadmJoins prepares a host of the file, and has kubeadm join it by hand.
func kubeadmJoins(t *testing.T, l *lab, host string) {
	t.Helper()
	l.must(l.withBundle("prepare", "--yes", host)...)
	join := l.must(l.onCluster("token", "create", "--print-join-command")...)
	l.put(host, kubeadmBinary(), "/usr/local/bin/kubeadm")
	// kubeadm asks to be told that version 1 control groups are meant, where a kernel has them.
	l.exec(host, "sh", "-c", strings.TrimSpace(join)+" --ignore-preflight-errors=SystemVerification")
	eventually(t, recovery, "the host that kubeadm joined is Ready", func() error {
		return answers(l.run(l.kubectlArgs("wait", "--for=condition=Ready", "node/"+host, "--timeout=5s")...), host+" condition met")
	})
}

func resetAll(_ *testing.T, l *lab) {
	resetHosts(l, strings.Fields(l.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"))...)
}

// labDownLeavesNothing is the lab's own promise, seen from outside.
func labDownLeavesNothing(t *testing.T, l *lab) {
	l.must("lab", "down", "--name", l.name)
	if out := l.must("lab", "list", "-o", "json"); strings.Contains(out, l.name) {
		t.Errorf("lab list still shows it: %s", out)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), l.name) {
		t.Errorf("mounts are left:\n%s", mounts)
	}
}

// apply applies a file of testdata.
func apply(l *lab, file string) {
	l.t.Helper()
	l.kubectl("apply", "-f", filepath.Join(repository(), "e2e", "testdata", file))
}

// remove takes away what a file of testdata had applied, and waits until it is gone.
func remove(l *lab, file string) {
	l.t.Helper()
	l.kubectl("delete", "--timeout=60s", "-f", filepath.Join(repository(), "e2e", "testdata", file))
}

// probeOn is the probe Pod on a node.
func probeOn(l *lab, node string) string {
	l.t.Helper()
	return l.kubectl("get", "pods", "-l", "app=probe", "--field-selector", "spec.nodeName="+node, "-o", "jsonpath={.items[0].metadata.name}")
}

func answers(r result, want string) error {
	if r.code == 0 && strings.Contains(r.stdout, want) {
		return nil
	}
	return fmt.Errorf("want %q, got %s", want, r)
}

// fingerprint is every file below /etc and Slipway's own folders with its digest, and
// when the units last started: what must not change when another host joins.
func fingerprint(l *lab, host string) string {
	l.t.Helper()
	return l.exec(host, "sh", "-c", `find /etc /opt/slipway /opt/cni -type f -print0 | sort -z | xargs -0 sha256sum;
		systemctl show -p ActiveEnterTimestampMonotonic containerd.service kubelet.service`)
}

// leftovers is what a reset must have taken away, as a shell would find it. A process that has
// ended, and whose parent has only not yet asked how (Z), is gone.
const leftovers = `
ls -d /etc/kubernetes /etc/containerd /opt/slipway /opt/cni /etc/cni /var/lib/slipway /run/slipway \
      /var/lib/cni /run/flannel /usr/bin/kubelet /usr/bin/kubectl /etc/systemd/system/kubelet.service* \
      /etc/systemd/system/containerd.service /etc/haproxy /etc/keepalived /run/haproxy /etc/sysctl.d/*slipway* /etc/modules-load.d/*slipway* /root/.kube 2>/dev/null
ls -A /var/lib/kubelet /var/lib/etcd /var/lib/containerd 2>/dev/null | grep -v ':$' | grep .
ip -o link | grep -E 'cni0|flannel|veth.*cni' ; ip netns list
nft list tables | grep -E 'kube|flannel|cni|slipway'
iptables-save 2>/dev/null | grep -E 'KUBE|CNI|FLANNEL'
ps -e -o stat=,comm=,args= | grep -v '^Z' | grep -E '^[^ ]+ +(kube|containerd|etcd|flanneld|coredns|pause|slipway|haproxy|keepalived)'
mount | grep -E 'kubelet/pods|containerd/io|/run/netns'
systemctl list-units --all --no-legend 'kubelet*' 'containerd*' 'haproxy*' 'keepalived*'
grep -i slipway /etc/hosts /etc/fstab
true`

func nothingLeft(l *lab, host string) {
	l.t.Helper()
	if out := l.exec(host, "sh", "-c", leftovers); strings.TrimSpace(out) != "" {
		l.t.Errorf("reset left on %s:\n%s", host, out)
	}
}
