//go:build bench

package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// haRuns is how often each side builds three control planes and a worker.
const haRuns = 3

// haHosts are those of a highly available cluster.
var haHosts = []string{"cp-1", "cp-2", "cp-3", "worker-1"}

// TestThreeControlPlanes alternates Slipway and kubeadm on three control planes and a
// worker that have every binary and image already; then each adds one more worker.
func TestThreeControlPlanes(t *testing.T) {
	var slipway, kubeadm, slipwayJoin, kubeadmJoin []milestones
	for i := range haRuns {
		built, joined := measureHA(t, fmt.Sprintf("bench-hs%d", i), haHosts, initBySlipway, joinBySlipway)
		slipway, slipwayJoin = append(slipway, built), append(slipwayJoin, joined)
		built, joined = measureHA(t, fmt.Sprintf("bench-hk%d", i), haHosts, initHAByKubeadm, joinByKubeadm)
		kubeadm, kubeadmJoin = append(kubeadm, built), append(kubeadmJoin, joined)
		t.Logf("run %d: slipway %v join %v   kubeadm %v join %v", i+1, slipway[i], slipwayJoin[i], kubeadm[i], kubeadmJoin[i])
	}
	fmt.Printf("\nthree control planes and a worker, binaries and images already there, %d runs each, alternating\n", haRuns)
	compare(slipway, kubeadm, "api", "nodes", "coredns")
	fmt.Printf("\none more worker, binaries and images already there, three control planes\n")
	compare(slipwayJoin, kubeadmJoin, "nodes")
}

// TestJoinToOneControlPlane is one more worker's way into a small cluster.
func TestJoinToOneControlPlane(t *testing.T) {
	var slipway, kubeadm []milestones
	hosts := []string{"cp-1"}
	for i := range haRuns {
		_, joined := measureHA(t, fmt.Sprintf("bench-js%d", i), hosts, initBySlipway, joinBySlipway)
		slipway = append(slipway, joined)
		_, joined = measureHA(t, fmt.Sprintf("bench-jk%d", i), hosts, initHAByKubeadm, joinByKubeadm)
		kubeadm = append(kubeadm, joined)
	}
	fmt.Printf("\none more worker, binaries and images already there, one control plane, %d runs each, alternating\n", haRuns)
	compare(slipway, kubeadm, "nodes")
}

// compare prints both sides' milestones and how many times faster Slipway is.
func compare(slipway, kubeadm []milestones, names ...string) {
	fmt.Printf("%-22s %-28s %-28s %s\n", "seconds from the start", "slipway median (min-max)", "kubeadm median (min-max)", "times faster")
	for _, name := range names {
		s, k := column(slipway, name), column(kubeadm, name)
		fmt.Printf("%-22s %-28s %-28s %.2f\n", name, spread(s), spread(k), median(k)/median(s))
	}
}

// measureHA boots hosts, prepares them, lets a tool make a cluster of them, and then add
// one more worker.
func measureHA(t *testing.T, name string, hosts []string, initialise func(*bed), join func(*bed) func()) (built, joined milestones) {
	planes, workers := 0, 0
	for _, host := range hosts {
		if strings.HasPrefix(host, "cp-") {
			planes++
		} else {
			workers++
		}
	}
	b := boot(t, name, "--control-planes", fmt.Sprint(planes), "--workers", fmt.Sprint(workers))
	defer b.down()
	b.hosts = hosts
	b.ready(hosts...)
	b.put("cp-1", buildPoller(t), "/usr/local/bin/poll")
	b.put("cp-1", b.networkManifest(), "/root/flannel.yaml")
	built = b.polled(len(hosts), func() { initialise(b) })

	newcomer := fmt.Sprintf("worker-%d", workers+1)
	b.slipway("lab", "up", "--name", b.name, "--out", b.file, "--control-planes", fmt.Sprint(planes), "--workers", fmt.Sprint(workers+1))
	b.newcomer = newcomer
	b.ready(newcomer)
	return built, b.polled(len(hosts)+1, join(b))
}

// ready brings binaries, images and kubeadm onto hosts.
func (b *bed) ready(hosts ...string) {
	b.t.Helper()
	b.slipway(append([]string{"prepare", "-f", b.file, "--bundle", bundleFile(), "--yes"}, hosts...)...)
	for _, host := range hosts {
		b.put(host, kubeadmBinary(), "/usr/local/bin/kubeadm")
	}
}

func joinBySlipway(b *bed) func() {
	return func() { b.slipway("join", "-f", b.file, "--bundle", bundleFile(), "--yes") }
}

// initHAByKubeadm is what kubeadm's documentation has: init, the network at once, and the
// other hosts one after another.
func initHAByKubeadm(b *bed) {
	address := strings.Fields(b.exec("cp-1", "hostname", "-I", ""))[0]
	config := strings.Replace(kubeadmConfig, "kubernetesVersion:", "controlPlaneEndpoint: "+address+":6443\nkubernetesVersion:", 1)
	key := strings.TrimSpace(b.exec("cp-1", "kubeadm", "certs", "certificate-key", ""))
	config = strings.Replace(config, "nodeRegistration:", "certificateKey: "+key+"\nnodeRegistration:", 1)
	b.exec("cp-1", "sed", "-i", "s/"+b.endpointHost()+"/"+address+"/; s/16443/6443/", "/root/flannel.yaml", "")
	b.exec("cp-1", "sh", "-c", "cat > /root/kubeadm.yaml && kubeadm init --config /root/kubeadm.yaml --upload-certs --ignore-preflight-errors=SystemVerification && kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f /root/flannel.yaml", config)
	command := b.joinCommand()
	for _, host := range b.hosts[1:] {
		extra := ""
		if strings.HasPrefix(host, "cp-") {
			extra = " --control-plane --certificate-key " + key
		}
		b.exec(host, "sh", "-c", command+extra, "")
	}
}

// endpointHost is the virtual address in the bed's cluster file, which kubeadm's clusters
// do not have: theirs is the first control plane's own. One control plane has that anyway.
func (b *bed) endpointHost() string {
	b.t.Helper()
	data, err := os.ReadFile(b.file)
	if err != nil {
		b.t.Fatal(err)
	}
	var file struct {
		Endpoint struct{ Host string }
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		b.t.Fatal(err)
	}
	if file.Endpoint.Host == "" {
		return "no virtual address"
	}
	return file.Endpoint.Host
}

func (b *bed) joinCommand() string {
	return strings.TrimSpace(b.exec("cp-1", "kubeadm", "token", "create", "--print-join-command", "")) + " --ignore-preflight-errors=SystemVerification"
}

// joinByKubeadm has its token before the time begins.
func joinByKubeadm(b *bed) func() {
	command := b.joinCommand()
	return func() { b.exec(b.newcomer, "sh", "-c", command, "") }
}
