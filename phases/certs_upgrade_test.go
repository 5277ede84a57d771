package phases

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/phases/checks"
)

// TestAnUpgradeRenewsWhatItSaysThatItRenews: the gate and the plan go by the same limit.
func TestAnUpgradeRenewsWhatItSaysThatItRenews(t *testing.T) {
	w := upgraded(t, 1, 0)
	for left, told := range map[time.Duration]bool{40 * 24 * time.Hour: false, 15 * 24 * time.Hour: true} {
		w.now = noon.Add(365*24*time.Hour - left)
		w.rotate(w.cluster.Hosts[0])
		w.mintLeaves(w.cluster.Hosts[0])
		p, _ := w.planned(Upgrade)
		warned := strings.Contains(strings.Join(p.Warnings, "\n"), "cp-1: CertificateExpiration: certificates end within 30 days: /etc/kubernetes/pki/apiserver.crt (15 days)")
		for _, path := range []string{"pki/apiserver.crt", "pki/etcd/peer.crt", "admin.conf", "scheduler.conf"} {
			if renewed := at(p, path) >= 0; renewed != told || warned != told {
				t.Errorf("%s left: %s is renewed: %v; it is told: %v", left, path, renewed, warned)
			}
		}
	}
	w.now = noon.Add(365*24*time.Hour - 5*time.Hour)
	w.mintLeaves(w.cluster.Hosts[0])
	in := w.observe()
	_, _, err := Upgrade(in)
	refused, _ := errors.AsType[*checks.Refused](err)
	if refused == nil || !strings.Contains(err.Error(), "cp-1: CertificateExpiration: certificates end within 24 h: /etc/kubernetes/pki/apiserver.crt (5 h)") {
		t.Errorf("with some hours left it ends with %v", err)
	}
	in.IgnoreChecks = []string{"CertificateExpiration"}
	if _, _, err := Upgrade(in); err != nil {
		t.Errorf("ignored: %v", err)
	}
}
