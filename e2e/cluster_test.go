package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClusterFromBareHosts walks the way of README on one lab: each subtest is a
// promise, and goes on from the state that the one before it left.
func TestClusterFromBareHosts(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "2", "--spares", "1")
	promises(t, l, nil, []promise{
		{"the plan names every host before anything is touched", planBeforeInit},
		{"init brings all nodes up Ready", initAllReady},
		{"the plan afterwards is empty", func(_ *testing.T, l *lab) { l.planIsEmpty() }},
		{"CoreDNS answers from every node", dnsAnswersEverywhere},
		{"a Deployment is reached by name, ClusterIP and NodePort", deploymentReached},
		{"a rolling update and its undo", rollingUpdate},
		{"init with a new host in the file is refused with the word join", initRefusedForNewHost},
		{"join touches only what it should", joinTouchesOnlyTheNewHost},
		{"a worker's reset leaves nothing and it can join again", resetAndJoinAgain},
		{"kubeadm joins and resets a spare host", kubeadmJoinAndReset},
		{"the whole cluster's reset leaves nothing", resetAll},
	})
}

func planBeforeInit(t *testing.T, l *lab) {
	hosts := map[string]int{}
	for _, s := range l.planned() {
		hosts[s.Host]++
	}
	for _, host := range []string{"cp-1", "worker-1", "worker-2", ""} {
		if hosts[host] == 0 {
			t.Errorf("the plan has no step for %q: %v", host, hosts)
		}
	}
	if out := l.exec("cp-1", "sh", "-c", "ls -d /etc/kubernetes /etc/containerd /opt/slipway 2>/dev/null || true"); out != "" {
		t.Errorf("planning left something behind: %s", out)
	}
	l.wantCode(3, "", l.withBundle("plan", "--exit-code")...)
}

func initAllReady(t *testing.T, l *lab) {
	l.init()
	l.wantReady("cp-1", "worker-1", "worker-2")
	if out := l.exec("cp-1", "kubectl", "get", "nodes", "-o", "name"); !strings.Contains(out, "node/worker-2") {
		t.Errorf("kubectl for root on a control plane: %s", out)
	}
	images := strings.Split(strings.TrimSpace(l.exec("cp-1", "ctr", "-n", "k8s.io", "images", "ls")), "\n")
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
	l.must(l.onCluster("image", "load", appImage(t, "example.test/app:v1", "v1"))...)
	l.must(l.onCluster("image", "load", appImage(t, "example.test/app:v2", "v2"))...)
	apply(l, "probe.yaml")
	l.kubectl("rollout", "status", "daemonset/probe", "--timeout=180s")
	pods := strings.Fields(l.kubectl("get", "pods", "-l", "app=probe", "-o", "name"))
	if len(pods) != 3 {
		t.Fatalf("want a probe on each of 3 nodes, got %v", pods)
	}
	for _, pod := range pods {
		if out := l.kubectl("exec", pod, "--", "/app", "resolve", "kubernetes.default.svc.cluster.local"); strings.TrimSpace(out) != "10.96.0.1" {
			t.Errorf("%s resolves kubernetes.default to %q", pod, out)
		}
	}
}

func deploymentReached(t *testing.T, l *lab) {
	apply(l, "web.yaml")
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
}

func rollingUpdate(t *testing.T, l *lab) {
	l.kubectl("set", "image", "deployment/web", "web=example.test/app:v2")
	l.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
	probe := probeOn(l, "cp-1")
	fetch := l.kubectlArgs("exec", probe, "--", "/app", "fetch", "http://web.default.svc.cluster.local")
	eventually(t, recovery, "the new version answers", func() error { return answers(l.run(fetch...), "version v2") })
	l.kubectl("rollout", "undo", "deployment/web")
	l.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
	eventually(t, recovery, "the old version answers", func() error { return answers(l.run(fetch...), "version v1") })
}

func initRefusedForNewHost(_ *testing.T, l *lab) {
	l.up("--control-planes", "1", "--workers", "3", "--spares", "1")
	l.wantCode(4, "join", l.withBundle("init", "--yes")...)
}

func joinTouchesOnlyTheNewHost(t *testing.T, l *lab) {
	for _, s := range l.planned("--workflow", "join") {
		if s.Host != "worker-3" && !strings.Contains(s.ID, "worker-3") {
			t.Errorf("the join of worker-3 plans %s", s.ID)
		}
	}
	before := map[string]string{"cp-1": fingerprint(l, "cp-1"), "worker-1": fingerprint(l, "worker-1")}
	l.must("lab", "stop", "--name", l.name, "worker-2") // an unrelated host is down
	joinLogsInOnNone(t, l, "cp-1", "worker-1")
	l.must("lab", "start", "--name", l.name, "worker-2")
	eventually(t, recovery, "the stopped host comes back by itself", func() error {
		return answers(l.run(l.kubectlArgs("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=5s")...), "worker-2 condition met")
	})
	l.wantReady("cp-1", "worker-1", "worker-2", "worker-3")
	for host, was := range before {
		if now := fingerprint(l, host); now != was {
			t.Errorf("the join of worker-3 changed %s:\n--- before\n%s\n--- after\n%s", host, was, now)
		}
	}
	l.planIsEmpty()
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

func resetAndJoinAgain(_ *testing.T, l *lab) {
	l.must(l.onCluster("reset", "worker-3", "--yes")...)
	nothingLeft(l, "worker-3")
	l.wantReady("cp-1", "worker-1", "worker-2")
	l.must(l.withBundle("join", "--yes")...)
	l.wantReady("cp-1", "worker-1", "worker-2", "worker-3")
}

func kubeadmJoinAndReset(t *testing.T, l *lab) {
	with := *l
	with.file = withHost(t, l, "spare-1", "worker")
	with.must(with.withBundle("prepare", "--yes", "spare-1")...)
	join := l.must(l.onCluster("token", "create", "--print-join-command")...)
	l.put("spare-1", kubeadmBinary(), "/usr/local/bin/kubeadm")
	// kubeadm asks to be told that version 1 control groups are meant, where a kernel has them.
	l.exec("spare-1", "sh", "-c", strings.TrimSpace(join)+" --ignore-preflight-errors=SystemVerification")
	eventually(t, recovery, "the host that kubeadm joined is Ready", func() error {
		return answers(l.run(l.kubectlArgs("wait", "--for=condition=Ready", "node/spare-1", "--timeout=5s")...), "condition met")
	})
	l.exec("spare-1", "kubeadm", "reset", "--force")
	with.must(with.onCluster("reset", "spare-1", "--yes")...)
	l.exec("spare-1", "rm", "/usr/local/bin/kubeadm")
	nothingLeft(l, "spare-1")
}

func resetAll(_ *testing.T, l *lab) {
	l.must(l.onCluster("reset", "--all", "--yes")...)
	for _, host := range []string{"cp-1", "worker-1", "worker-2", "worker-3"} {
		nothingLeft(l, host)
	}
}

// apply applies a file of testdata.
func apply(l *lab, file string) {
	l.t.Helper()
	l.kubectl("apply", "-f", filepath.Join(repository(), "e2e", "testdata", file))
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

// leftovers is what a reset must have taken away, as a shell would find it.
const leftovers = `
ls -d /etc/kubernetes /etc/containerd /opt/slipway /opt/cni /etc/cni /var/lib/slipway /run/slipway \
      /var/lib/cni /run/flannel /usr/bin/kubelet /usr/bin/kubectl /etc/systemd/system/kubelet.service* \
      /etc/systemd/system/containerd.service /etc/haproxy /etc/keepalived /run/haproxy /etc/sysctl.d/*slipway* /etc/modules-load.d/*slipway* /root/.kube 2>/dev/null
ls -A /var/lib/kubelet /var/lib/etcd /var/lib/containerd 2>/dev/null | grep -v ':$' | grep .
ip -o link | grep -E 'cni0|flannel|veth.*cni' ; ip netns list
nft list tables | grep -E 'kube|flannel|cni|slipway'
iptables-save 2>/dev/null | grep -E 'KUBE|CNI|FLANNEL'
ps -e -o comm= | grep -E '^(kube|containerd|etcd|flanneld|coredns|pause|slipway|haproxy|keepalived)'
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

// TestLabDownLeavesNothing is the lab's own promise, seen from outside.
func TestLabDownLeavesNothing(t *testing.T) {
	l := newLab(t, "--control-planes", "1")
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
