//go:build bench

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/cluster"
)

// upgradeRuns is how often each side upgrades a cluster of each kind.
const upgradeRuns = 2

// version is what a cluster is brought from or to.
type version struct {
	name    string // v1.36.3
	bundle  string
	kubeadm string
}

func ofDist(file string) string { return filepath.Join(repository(), "dist", file) }

// The versions that upgrades are measured with.
var (
	newest     = version{cluster.DefaultKubernetesVersion, bundleFile(), kubeadmBinary()}
	minorOlder = version{"v1.36.3", ofDist("fast-bundle-v1.36.tar"), ofDist("kubeadm-v1.36")}
	patchOlder = version{"v1.36.1", ofDist("fast-bundle-v1.36.1.tar"), ofDist("kubeadm-v1.36.1")}
)

// TestUpgrade alternates Slipway and kubeadm on three control planes and a worker that were made in the
// same way, and have every binary and image of the new version already.
func TestUpgrade(t *testing.T) {
	for _, way := range []struct{ from, to version }{{minorOlder, newest}, {patchOlder, minorOlder}} {
		t.Run(way.from.name, func(t *testing.T) {
			var slipway, kubeadm []float64
			for i := range upgradeRuns {
				slipway = append(slipway, upgraded(t, fmt.Sprintf("bench-us%d", i), way.from, way.to, upgradeBySlipway))
				kubeadm = append(kubeadm, upgraded(t, fmt.Sprintf("bench-uk%d", i), way.from, way.to, upgradeByKubeadm))
				t.Logf("%s to %s, run %d: slipway %.1f   kubeadm %.1f", way.from.name, way.to.name, i+1, slipway[i], kubeadm[i])
			}
			fmt.Printf("\nthree control planes and a worker from %s to %s, all staged, %d runs each, alternating\n", way.from.name, way.to.name, upgradeRuns)
			fmt.Printf("%-28s %-28s %s\n%-28s %-28s %.2f\n", "slipway median (min-max)", "kubeadm median (min-max)", "ratio",
				spread(slipway), spread(kubeadm), median(slipway)/median(kubeadm))
		})
	}
}

// upgraded makes a cluster, stages the new version on its hosts, and gives the seconds until every
// node has it and is Ready.
func upgraded(t *testing.T, name string, from, to version, upgrade func(*bed, version)) float64 {
	b := boot(t, name, "--control-planes", "3", "--workers", "1")
	defer b.down()
	b.hosts = haHosts
	b.slipway("init", "-f", b.file, "--bundle", from.bundle, "--yes")
	b.slipway("prepare", "-f", b.file, "--bundle", to.bundle, "--yes")
	for _, host := range haHosts {
		b.put(host, to.kubeadm, "/usr/local/bin/kubeadm")
	}
	b.healthy()
	began := time.Now()
	upgrade(b, to)
	b.nodesHave(to.name)
	return time.Since(began).Seconds()
}

// nodesHave waits until every node is Ready and has a version.
func (b *bed) nodesHave(version string) {
	b.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		said := b.kubectl("get", "nodes", "-o", `jsonpath={range .items[*]}{.status.nodeInfo.kubeletVersion}={.status.conditions[?(@.type=="Ready")].status} {end}`)
		if strings.Count(said, version+"=True ") == len(b.hosts) {
			return
		}
	}
	b.t.Fatalf("not every node has %s and is Ready", version)
}

func (b *bed) kubectl(args ...string) string {
	b.t.Helper()
	return b.slipway(append([]string{"kubectl", "-f", b.file, "--"}, args...)...).stdout
}

// upgradeBySlipway leaves smoke out, as kubeadm has nothing like it.
func upgradeBySlipway(b *bed, to version) {
	b.slipway("upgrade", "apply", "-f", b.file, "--bundle", to.bundle, "--yes", "--skip-smoke")
}

// upgradeByKubeadm is what kubeadm's documentation has, host by host: drain, kubeadm upgrade, the new
// kubelet, uncordon. The etcd that is to come has to be named, as it was named when the cluster
// was made.
func upgradeByKubeadm(b *bed, to version) {
	b.nameEtcd(to)
	for i, host := range b.hosts {
		b.kubectl("drain", host, "--ignore-daemonsets")
		command := "kubeadm upgrade node --ignore-preflight-errors=SystemVerification"
		if i == 0 {
			command = "kubeadm upgrade apply " + to.name + " --yes --ignore-preflight-errors=SystemVerification,CoreDNSUnsupportedPlugins,CoreDNSMigration"
		}
		b.exec(host, "sh", "-c", command, "")
		b.exec(host, "sh", "-c", newKubelet, to.name)
		b.kubectl("uncordon", host)
	}
}

// newKubelet puts the staged kubelet of the version on its standard input in place.
const newKubelet = `read version
for kube in /opt/slipway/components/kubernetes-$version-*/kube; do ln -sfn $kube /usr/bin/kubelet; done
systemctl daemon-reload && systemctl restart kubelet`

// nameEtcd has kubeadm's configuration name the version of etcd that the new bundle has.
func (b *bed) nameEtcd(to version) {
	b.t.Helper()
	var inspected struct {
		Bill struct {
			Images []struct{ Name, Tag string }
		}
	}
	if err := json.Unmarshal([]byte(b.slipway("bundle", "inspect", to.bundle, "-o", "json").stdout), &inspected); err != nil {
		b.t.Fatal(err)
	}
	tag := ""
	for _, image := range inspected.Bill.Images {
		if image.Name == "etcd" {
			tag = image.Tag
		}
	}
	var config struct {
		Etcd map[string]map[string]any `json:"etcd"`
		Rest map[string]any            `json:"-"`
	}
	text := []byte(b.kubectl("get", "configmap", "kubeadm-config", "-n", "kube-system", "-o", "jsonpath={.data.ClusterConfiguration}"))
	if err := errors.Join(yaml.Unmarshal(text, &config), yaml.Unmarshal(text, &config.Rest)); err != nil {
		b.t.Fatal(err)
	}
	config.Etcd["local"]["imageTag"] = tag
	config.Rest["etcd"] = config.Etcd
	text, err := yaml.Marshal(config.Rest)
	if err != nil {
		b.t.Fatal(err)
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{"ClusterConfiguration": string(text)}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.kubectl("patch", "configmap", "kubeadm-config", "-n", "kube-system", "--type", "merge", "-p", string(patch))
}

// TestUpgradeGaps upgrades a cluster, and takes it back, under a client that writes through the
// endpoint on one connection. Smoke is measured by itself: its Pods want this machine's processors.
func TestUpgradeGaps(t *testing.T) {
	b := boot(t, "bench-ugaps", "--control-planes", "3", "--workers", "1")
	defer b.down()
	b.slipway("init", "-f", b.file, "--bundle", minorOlder.bundle, "--yes")
	w := b.write("worker-1")
	gap := func(args ...string) (seconds, longest float64) {
		began := time.Now()
		took := b.slipway(append(args, "-f", b.file)...).took.Seconds()
		return took, w.gap(b, began)
	}
	up, upGap := gap("upgrade", "apply", "--bundle", newest.bundle, "--yes", "--skip-smoke")
	smoke, smokeGap := gap("smoke")
	back, backGap := gap("upgrade", "rollback", "--yes", "--skip-smoke")
	w.end(b)
	fmt.Printf("\nthe longest time without an acknowledged write on one connection, seconds\n")
	fmt.Printf("upgrade from %s to %s, nothing staged, %.1f s: %.2f\n", minorOlder.name, newest.name, up, upGap)
	fmt.Printf("smoke, %.1f s: %.2f\nrollback, %.1f s: %.2f\n", smoke, smokeGap, back, backGap)
}
