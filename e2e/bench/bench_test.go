//go:build bench

// Package bench measures what README and the table promise: side by side with
// kubeadm where there is something to compare with, on lab hosts of the same kind, with the
// same binaries and images, asked by the same poller. Figures, not tests: nothing here
// fails on a slow day.
package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
)

// runs is how often each side is measured.
const runs = 5

// TestOneControlPlane alternates Slipway and kubeadm on fresh hosts that have every
// binary and image already.
func TestOneControlPlane(t *testing.T) {
	var slipway, kubeadm []milestones
	for i := range runs {
		slipway = append(slipway, measure(t, fmt.Sprintf("bench-s%d", i), initBySlipway))
		kubeadm = append(kubeadm, measure(t, fmt.Sprintf("bench-k%d", i), initByKubeadm))
		t.Logf("run %d: slipway %v   kubeadm %v", i+1, slipway[i], kubeadm[i])
	}
	fmt.Printf("\none control plane, binaries and images already there, %d runs each, alternating\n", runs)
	fmt.Printf("%-22s %-28s %-28s %s\n", "seconds from the start", "slipway median (min-max)", "kubeadm median (min-max)", "ratio")
	for _, name := range []string{"api", "nodes", "coredns"} {
		s, k := column(slipway, name), column(kubeadm, name)
		fmt.Printf("%-22s %-28s %-28s %.2f\n", name, spread(s), spread(k), median(s)/median(k))
	}
}

// TestBareHosts measures init on three hosts that have nothing yet, what the operator's
// process needs, and the plan of the healthy cluster afterwards.
func TestBareHosts(t *testing.T) {
	b := boot(t, "bench-bare", "--control-planes", "1", "--workers", "2")
	defer b.down()
	r := b.slipway("init", "-f", b.file, "--bundle", bundleFile(), "--yes")
	fmt.Printf("\ninit on three bare lab hosts, to three nodes Ready and the add-ons available: %.1f s\n", r.took.Seconds())
	fmt.Printf("the operator's process: %d MB resident at most\n", r.rss>>20)
	var again []float64
	for range runs {
		again = append(again, b.slipway("plan", "-f", b.file, "--bundle", bundleFile(), "--exit-code").took.Seconds())
	}
	fmt.Printf("the plan of the healthy cluster again, whole command: %s s\n", spread(again))
}

// TestFirstAnswer measures what a bare host is sent before it answers for the first time, and how
// long that takes. It is left bare each time.
func TestFirstAnswer(t *testing.T) {
	b := boot(t, "bench-first", "--control-planes", "1")
	defer b.down()
	var seconds, megabytes []float64
	for range runs {
		before, began := b.received("cp-1"), time.Now()
		_, _ = b.command(t.Context(), "status", "-f", b.file).CombinedOutput() // an error: there is no cluster yet
		seconds = append(seconds, time.Since(began).Seconds())
		megabytes = append(megabytes, (b.received("cp-1")-before)/1e6)
	}
	fmt.Printf("\nto the first answer of a bare host, whole command: %s s, %s MB sent to it\n", spread(seconds), spread(megabytes))
}

// received is how many bytes have come to a host over the network.
func (b *bed) received(host string) float64 {
	b.t.Helper()
	text := b.exec(host, "cat", "/sys/class/net/eth0/statistics/rx_bytes", "")
	bytes, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		b.t.Fatal(err)
	}
	return bytes
}

// milestones are seconds from the start by name.
type milestones map[string]float64

// measure boots one host, prepares it, starts the poller, and lets a tool make a cluster.
func measure(t *testing.T, name string, initialise func(*bed)) milestones {
	b := boot(t, name, "--control-planes", "1")
	defer b.down()
	b.slipway("prepare", "-f", b.file, "--bundle", bundleFile(), "--yes", "cp-1")
	b.put("cp-1", buildPoller(t), "/usr/local/bin/poll")
	b.put("cp-1", kubeadmBinary(), "/usr/local/bin/kubeadm")
	b.put("cp-1", b.networkManifest(), "/root/flannel.yaml")
	return b.polled(1, func() { initialise(b) })
}

// polled lets the poller on cp-1 watch for so many nodes while something is done.
func (b *bed) polled(nodes int, do func()) milestones {
	b.t.Helper()
	var out bytes.Buffer
	poller := exec.Command(slipwayBinary(), "lab", "exec", "--name", b.name, "cp-1", "--", "/usr/local/bin/poll", strconv.Itoa(nodes), "300")
	poller.Stdout, poller.Stderr = &out, os.Stderr
	if err := poller.Start(); err != nil {
		b.t.Fatal(err)
	}
	began := time.Now()
	do()
	if err := poller.Wait(); err != nil {
		b.t.Fatalf("poll on %s: %v\n%s", b.name, err, &out)
	}
	return since(b.t, began, out.String())
}

func initBySlipway(b *bed) {
	b.slipway("init", "-f", b.file, "--bundle", bundleFile(), "--yes")
}

// initByKubeadm does what kubeadm's documentation says: init, then the network at once.
// The configuration names what the lab's kernel needs, the same that Slipway finds by itself.
func initByKubeadm(b *bed) {
	b.exec("cp-1", "sh", "-c", "cat > /root/kubeadm.yaml && kubeadm init --config /root/kubeadm.yaml --ignore-preflight-errors=SystemVerification && kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f /root/flannel.yaml",
		kubeadmConfig)
}

const kubeadmConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration:
  taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: ` + cluster.DefaultKubernetesVersion + `
networking: {podSubnet: 10.244.0.0/16}
encryptionAlgorithm: ECDSA-P256
etcd: {local: {imageTag: 3.7.3-0}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
evictionHard: {memory.available: 100Mi, nodefs.available: 1Gi, imagefs.available: 1Gi}
imageGCHighThresholdPercent: 98
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0}
`
