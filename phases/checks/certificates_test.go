package checks

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

const day = 24 * time.Hour

// withLeaves is what is seen of a host that has all its certificates, made now.
func withLeaves(t *testing.T, c *cluster.Cluster, host cluster.Host, pki certs.PKI, now time.Time) hosts.Facts {
	t.Helper()
	leaves, err := mint.Leaves(pki, certs.Specs(c, host), time.Duration(c.Certificates.Validity), now)
	if err != nil {
		t.Fatal(err)
	}
	facts := hosts.Facts{Certificates: map[string]hosts.Certificate{}, Kubeconfigs: map[string]hosts.Kubeconfig{}}
	for _, leaf := range leaves {
		switch entry, _ := certs.Find(leaf.Name); entry.Form {
		case certs.AsKubeconfig:
			facts.Kubeconfigs[entry.CertPath()] = hosts.Kubeconfig{Cert: leaf.Cert}
		case certs.AsKubeletPEM:
			facts.Kubeconfigs["/etc/kubernetes/kubelet.conf"] = hosts.Kubeconfig{Cert: leaf.Cert, CertFile: entry.CertPath()}
		default:
			facts.Certificates[entry.CertPath()] = hosts.Certificate{PEM: leaf.Cert}
		}
	}
	return facts
}

// TestWhatAnUpgradeSaysOfCertificatesThatEnd: what it renews in time is told, and what may end before is
// an error; of each it is said what to do.
func TestWhatAnUpgradeSaysOfCertificatesThatEnd(t *testing.T) {
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pki, err := mint.PKI("ECDSA-P256", 5*365*day, made)
	if err != nil {
		t.Fatal(err)
	}
	c := testCluster("cp-1", "w-1")
	cluster.Defaults(c)
	plane, worker := c.Hosts[0], c.Hosts[1]
	v := view.View{Cluster: c, PKI: pki, Bill: bundle.Bill{KubernetesVersion: "v1.37.2"}, ClusterFacts: hosts.ClusterFacts{Version: "v1.36.3"}}
	told := func(left time.Duration, host cluster.Host) string {
		v.Now = made.Add(365*day - left)
		var lines []string
		for _, found := range endingCertificates(v, host, withLeaves(t, c, host, pki, made)) {
			lines = append(lines, fmt.Sprintf("%s %s → %s", found.Severity, found.Seen, found.Fix))
		}
		return strings.Join(lines, "\n")
	}
	const kubelet = "/var/lib/kubelet/pki/kubelet-client-current.pem"
	const why = "the kubelet renews it by itself, and has not: see why by: slipway run w-1 -- journalctl -u kubelet -n 50, and kubectl get csr"
	for _, test := range []struct {
		left time.Duration
		host cluster.Host
		want []string
	}{
		{100 * day, plane, nil},
		{31 * day, plane, nil},
		{20*day + time.Hour, plane, []string{
			"warning certificates end within 30 days: /etc/kubernetes/pki/apiserver.crt (20 days), /etc/kubernetes/pki/apiserver-kubelet-client.crt (20 days), ",
			", /etc/kubernetes/admin.conf (20 days) → this upgrade writes them anew, and starts anew what reads them",
			"warning certificates end within 30 days: /etc/kubernetes/controller-manager.conf (20 days), /etc/kubernetes/scheduler.conf (20 days) → this upgrade writes",
		}},
		{9*time.Hour + time.Minute, plane, []string{
			" certificates end within 24 h: /etc/kubernetes/pki/apiserver.crt (9 h), ", " → renew them by: slipway init, with the bundle of v1.36.3\n",
			"scheduler.conf (9 h) → renew them by: slipway init, with the bundle of v1.36.3; then start the Pod that reads them anew: move its manifest out of /etc/kubernetes/manifests and back\n",
		}},
		{20 * day, worker, nil},
		{10*day + time.Hour, worker, []string{"warning certificates end within 15 days: " + kubelet + " (10 days) → " + why}},
		{-3 * day, worker, []string{" certificates end within 24 h: " + kubelet + " (ended 3 days ago) → " + why}},
	} {
		got := told(test.left, test.host)
		if len(test.want) == 0 && got != "" {
			t.Errorf("%s left on %s: %s", test.left, test.host.Name, got)
		}
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s left on %s: it says\n%s\nand not\n%s", test.left, test.host.Name, got, want)
			}
		}
	}
	halfChanged(&v, "cp-1")
	if got := told(time.Hour, worker); !strings.HasPrefix(got, "warning ") {
		t.Errorf("once the upgrade has begun: %s", got)
	}
	c.Certificates.Validity = cluster.Duration(time.Hour)
	v.Now = made.Add(30 * time.Minute)
	if found := endingCertificates(v, plane, withLeaves(t, c, plane, pki, made)); len(found) > 0 {
		t.Errorf("of a cluster whose certificates live for an hour: %v", found)
	}
}

func TestWhatAnUpgradeSaysOfAuthoritiesThatEnd(t *testing.T) {
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pki, err := mint.PKI("ECDSA-P256", 5*365*day, made)
	if err != nil {
		t.Fatal(err)
	}
	c := testCluster("cp-1")
	cluster.Defaults(c)
	v := view.View{Cluster: c, PKI: pki, ClusterFacts: hosts.ClusterFacts{Version: "v1.36.3"}}
	for left, want := range map[time.Duration]string{
		400 * day:           "",
		100*day + time.Hour: "the CA /etc/kubernetes/pki/ca.crt ends in 100 days, and certificates that are made from now on end with it",
		5*time.Hour + 1:     "the CA /etc/kubernetes/pki/ca.crt ends within 24 h: 5 h, and certificates that are made from now on end with it",
		-2*time.Hour - 1:    "the CA /etc/kubernetes/pki/ca.crt ends within 24 h: ended 2 h ago, and certificates that are made from now on end with it",
		-10*time.Minute - 1: "the CA /etc/kubernetes/pki/ca.crt ends within 24 h: ended 10 min ago, and certificates that are made from now on end with it",
	} {
		v.Now = made.Add(5*365*day - left)
		found := endingAuthorities(v)
		if want == "" && len(found) > 0 || want != "" && (len(found) != 3 || found[0].Seen != want || (found[0].Severity == Warning) != (left > lastDay)) {
			t.Errorf("%s left: %v", left, found)
		}
	}
	c.Etcd.External = &cluster.ExternalEtcd{CertFile: "etcd.crt"}
	v.EtcdFiles = map[string][]byte{"etcd.crt": pki.CA.Cert}
	v.Now = made.Add(5*365*day - 20*day)
	if found := endingAuthorities(v); len(found) != 3 || found[2].Seen != "the certificate etcd.crt for etcd ends in 20 days" {
		t.Errorf("with an etcd of the user's own: %v", found)
	}
}
