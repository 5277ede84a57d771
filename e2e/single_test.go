package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// TestOneControlPlane walks a cluster of one control plane and a worker through what needs
// no more of them.
func TestOneControlPlane(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1")
	promises(t, l, nil, []promise{
		{"a host of another cluster is refused", hostOfAnotherCluster},
		{"a second operator is kept out, and init ends in order by Ctrl-C and by an agent's end", initIsInterrupted},
		{"init killed -9 again and again goes on, and ends where an undisturbed run ends", initKilledAgain},
	})
	promises(t, l, (*lab).well, []promise{
		{"the operator's keys are read back from a control plane", keysAreReadBack},
		{"kubeadm checks and renews certificates", kubeadmCertificates},
		{"a drain says beforehand what blocks and gives back what it cordoned", drainForecast},
		{"the whole cluster stops in order, and starts", stopsAndStarts},
		{"a kubelet rotates its certificate and the plan stays empty", kubeletRotation},
	})
}

// initKilledAgain kills init each time a little further on; the same command then completes.
func initKilledAgain(_ *testing.T, l *lab) {
	killAfter(l, 1)
	for range 3 {
		killAfter(l, len(l.planned())/3)
	}
	killAfter(l, len(l.planned())-1)
	l.initAfterKill()
	l.wantReady("cp-1", "worker-1")
	l.planIsEmpty()
}

// stopsAndStarts stops the cluster: nothing of it runs, and all of it would at the next boot. Then it
// starts, as it was.
func stopsAndStarts(t *testing.T, l *lab) {
	l.must(l.onCluster("stop", "--yes")...)
	for _, host := range []string{"cp-1", "worker-1"} {
		if left := l.exec(host, "sh", "-c", "ctr -n k8s.io tasks ls -q; systemctl is-active kubelet || true"); strings.TrimSpace(left) != "inactive" {
			t.Errorf("on %s there still runs:\n%s", host, left)
		}
		if enabled := l.exec(host, "systemctl", "is-enabled", "kubelet", "containerd"); strings.Count(enabled, "enabled") != 2 {
			t.Errorf("a unit of %s would not start at boot:\n%s", host, enabled)
		}
	}
	l.must(l.onCluster("stop", "--yes")...)
	l.must(l.onCluster("start", "--yes")...)
	l.wantReady("cp-1", "worker-1")
	l.planIsEmpty()
}

func kubeadmCertificates(t *testing.T, l *lab) {
	l.put("cp-1", kubeadmBinary(), "/usr/local/bin/kubeadm")
	out := l.exec("cp-1", "kubeadm", "certs", "check-expiration")
	for _, name := range []string{"admin.conf", "apiserver-kubelet-client", "etcd-healthcheck-client", "front-proxy-ca"} {
		if !strings.Contains(out, name) {
			t.Errorf("kubeadm certs check-expiration does not show %s:\n%s", name, out)
		}
	}
	l.exec("cp-1", "kubeadm", "certs", "renew", "all")
	l.planIsEmpty()
	if out := l.run("lab", "exec", "--name", l.name, "cp-1", "--", "kubeadm", "upgrade", "plan", cluster.DefaultKubernetesVersion); !strings.Contains(out.stdout+out.stderr, "[upgrade/config]") {
		t.Errorf("kubeadm upgrade plan does not read the cluster's configuration: %s", out)
	}
}

// hostOfAnotherCluster names a host of one cluster in another's file: it is
// refused, and neither cluster's keys change.
func hostOfAnotherCluster(t *testing.T, l *lab) {
	l.must(l.withBundle("prepare", "--yes", "worker-1")...)
	before := keyFolders(t, l)
	data, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	other := write(t, "other.yaml", []byte(strings.Replace(string(data), "name: "+l.name, "name: other", 1)))
	for _, verb := range []string{"plan", "init"} {
		args := []string{verb, "-f", other, "--bundle", bundleFile()}
		if verb == "init" {
			args = append(args, "--yes")
		}
		l.wantCode(4, "belongs to the cluster "+l.name, args...)
	}
	if after := keyFolders(t, l); after != before {
		t.Errorf("the state folder changed from %s to %s", before, after)
	}
}

// keysAreReadBack loses the operator's state folder: everything
// goes on from the keys on a control plane.
func keysAreReadBack(t *testing.T, l *lab) {
	before := keyFolders(t, l)
	if err := os.RemoveAll(filepath.Join(l.state, "slipway")); err != nil {
		t.Fatal(err)
	}
	l.wantReady("cp-1", "worker-1")
	l.planIsEmpty()
	if after := keyFolders(t, l); after != before {
		t.Errorf("want the same cluster's folder %s again, got %s", before, after)
	}
	for _, folder := range strings.Fields(before) {
		info, err := os.Stat(filepath.Join(l.state, "slipway", folder))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: want mode 0700, got %v, %v", folder, info, err)
		}
	}
}

// keyFolders lists the clusters whose keys are in the state folder.
func keyFolders(t *testing.T, l *lab) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(l.state, "slipway"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "current" && entry.Name() != "runs" {
			names = append(names, entry.Name())
		}
	}
	return strings.Join(names, " ")
}
