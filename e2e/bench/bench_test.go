//go:build bench

// Package bench measures what README and the table promise: side by side with
// kubeadm where there is something to compare with, on lab hosts of the same kind, with the
// same binaries and images, asked by the same poller. Figures, not tests: nothing here
// fails on a slow day.
package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
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

// milestones are seconds from the start by name.
type milestones map[string]float64

// measure boots one host, prepares it, starts the poller, and lets a tool make a cluster.
func measure(t *testing.T, name string, initialise func(*bed)) milestones {
	b := boot(t, name, "--control-planes", "1")
	defer b.down()
	b.slipway("prepare", "-f", b.file, "--bundle", bundleFile(), "--yes", "cp-1")
	b.put(buildPoller(t), "/usr/local/bin/poll")
	b.put(filepath.Join(repository(), "dist", "kubeadm"), "/usr/local/bin/kubeadm")
	b.put(b.networkManifest(), "/root/flannel.yaml")

	var out bytes.Buffer
	poller := exec.Command(slipwayBinary(), "lab", "exec", "--name", name, "cp-1", "--", "/usr/local/bin/poll", "1", "180")
	poller.Stdout, poller.Stderr = &out, os.Stderr
	if err := poller.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	initialise(b)
	if err := poller.Wait(); err != nil {
		t.Fatalf("poll on %s: %v\n%s", name, err, &out)
	}
	return since(t, began, out.String())
}

func initBySlipway(b *bed) {
	b.slipway("init", "-f", b.file, "--bundle", bundleFile(), "--yes")
}

// initByKubeadm does what kubeadm's documentation says: init, then the network at once.
// The configuration names what the lab's kernel needs, the same that Slipway finds by itself.
func initByKubeadm(b *bed) {
	b.exec("sh", "-c", "cat > /root/kubeadm.yaml && kubeadm init --config /root/kubeadm.yaml --ignore-preflight-errors=SystemVerification && kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f /root/flannel.yaml",
		kubeadmConfig)
}

const kubeadmConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration:
  taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking: {podSubnet: 10.244.0.0/16}
encryptionAlgorithm: ECDSA-P256
dns: {imageTag: v1.14.2}
etcd: {local: {imageTag: 3.6.16-0}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0}
`

// bed is one lab with its cluster file and state folder.
type bed struct {
	t           *testing.T
	name        string
	file, state string
}

func boot(t *testing.T, name string, flags ...string) *bed {
	b := &bed{t: t, name: name, file: filepath.Join(t.TempDir(), "cluster.yaml"), state: t.TempDir()}
	b.slipway(append([]string{"lab", "up", "--name", name, "--out", b.file}, flags...)...)
	return b
}

func (b *bed) down() { b.slipway("lab", "down", "--name", b.name) }

type ran struct {
	stdout string
	took   time.Duration
	rss    int64 // bytes
}

func (b *bed) slipway(args ...string) ran { return b.slipwayWith(nil, args...) }

func (b *bed) slipwayWith(stdin []byte, args ...string) ran {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, slipwayBinary(), args...)
	command.Env = append(os.Environ(), "XDG_STATE_HOME="+b.state)
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	began := time.Now()
	if err := command.Start(); err != nil {
		b.t.Fatal(err)
	}
	most := peak(command.Process.Pid)
	if err := command.Wait(); err != nil {
		b.t.Fatalf("slipway %s: %v\n%s\n%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return ran{stdout: stdout.String(), took: time.Since(began), rss: <-most}
}

// peak samples a process's high-water mark of resident memory, in bytes, until it ends.
// What wait(2) reports would count this process's own from before the exec.
func peak(pid int) <-chan int64 {
	most := make(chan int64, 1)
	go func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		var last int64
		for {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			var kilobytes int64
			_, after, found := strings.Cut(string(status), "VmHWM:")
			if err != nil || !found {
				most <- last
				return
			}
			if _, err := fmt.Sscanf(after, "%d", &kilobytes); err == nil {
				last = kilobytes << 10
			}
			<-ticker.C
		}
	}()
	return most
}

// exec runs a command on the control plane; input is its standard input.
func (b *bed) exec(argv ...string) {
	b.t.Helper()
	input := []byte(argv[len(argv)-1])
	b.slipwayWith(input, append([]string{"lab", "exec", "--name", b.name, "cp-1", "--"}, argv[:len(argv)-1]...)...)
}

func (b *bed) put(from, to string) {
	b.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		b.t.Fatal(err)
	}
	b.exec("sh", "-c", "cat > "+to+" && chmod 0755 "+to, string(data))
}

// networkManifest is the network add-on as Slipway applies it, for kubeadm's side too.
func (b *bed) networkManifest() string {
	b.t.Helper()
	text := b.slipway("plan", "-f", b.file, "--bundle", bundleFile(), "--contents", "cluster/addon/flannel").stdout
	path := filepath.Join(b.t.TempDir(), "flannel.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

var poller string

func buildPoller(t *testing.T) string {
	if poller != "" {
		return poller
	}
	poller = filepath.Join(os.TempDir(), "slipway-bench-poll")
	build := exec.Command("go", "build", "-o", poller, "./poll")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the poller: %v\n%s", err, out)
	}
	return poller
}

func since(t *testing.T, began time.Time, lines string) milestones {
	found := milestones{}
	for line := range strings.Lines(lines) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		at, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		found[fields[0]] = time.Unix(0, at).Sub(began).Seconds()
	}
	return found
}

func column(rows []milestones, name string) []float64 {
	var values []float64
	for _, row := range rows {
		values = append(values, row[name])
	}
	return values
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func spread(values []float64) string {
	return fmt.Sprintf("%.2f (%.2f-%.2f)", median(values), slices.Min(values), slices.Max(values))
}

func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

func slipwayBinary() string { return filepath.Join(repository(), "bin", "slipway") }
func bundleFile() string    { return filepath.Join(repository(), "dist", "bundle.tar") }
