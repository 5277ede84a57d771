package checks

import (
	"fmt"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// An upgrade writes anew, in each host's turn, what has less than certs.MinLeft to live: that is only
// told. What may end before its host's turn has come would take that host away while another one is
// out, so it stops the upgrade.

// lastDay is how long a certificate has to live for an upgrade to begin: the upgrade of a large
// cluster takes hours, and whoever looks after it should have the next day too.
const lastDay = 24 * time.Hour

// leastLife is the same for leaves, of which a cluster may have shorter ones.
func leastLife(v view.View) time.Duration { return min(lastDay, minLeft(v)/2) }

func minLeft(v view.View) time.Duration {
	return certs.MinLeft(time.Duration(v.Cluster.Certificates.Validity))
}

// endingCertificates are those of a host that have little life left.
func endingCertificates(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	add := func(entries []string, within time.Duration, fixNow, fixSoon string) {
		var now, soon []string
		for _, name := range entries {
			entry, _ := certs.Find(name)
			certificate, err := certs.Parse(certificateAt(facts, entry.CertPath()))
			if err != nil {
				continue // what is not there, or cannot be read, the plan writes anew
			}
			left := certificate.NotAfter.Sub(v.Now)
			told := fmt.Sprintf("%s (%s)", entry.CertPath(), lifeLeft(left))
			switch {
			case left < leastLife(v):
				now = append(now, told)
			case left < within:
				soon = append(soon, told)
			}
		}
		all = append(all, when(len(now) > 0, finding(fixNow, "certificates end within %s: %s", lifeLeft(leastLife(v)), strings.Join(now, ", ")))...)
		all = append(all, when(len(soon) > 0, warning(fixSoon, "certificates end within %s: %s", lifeLeft(within), strings.Join(soon, ", ")))...)
	}
	renewed, read, kubelets := leavesOf(v.Cluster, host)
	const soon = "this upgrade writes them anew, and starts anew what reads them"
	renew := "renew them by: slipway init, with the bundle of " + v.ClusterFacts.Version
	add(renewed, minLeft(v), renew, soon)
	add(read, minLeft(v), renew+"; then start the Pod that reads them anew: move its manifest out of "+manifests.ManifestsFolder+" and back", soon)
	see := "the kubelet renews it by itself, and has not: see why by: slipway run " + host.Name + " -- journalctl -u kubelet -n 50, and kubectl get csr"
	add(kubelets, minLeft(v)/2, see, see) // it renews its own when a tenth of its life is left, or before
	if v.UpgradeBegun() {
		for i := range all {
			all[i].Severity = Warning
		}
	}
	return all
}

// leavesOf are the certificates on a host: those that are taken when they are renewed, those that are read
// once, and those that a kubelet renews.
func leavesOf(c *cluster.Cluster, host cluster.Host) (renewed, read, kubelets []string) {
	for _, spec := range certs.Specs(c, host) {
		switch spec.Name {
		case certs.Kubelet:
			kubelets = append(kubelets, spec.Name)
		case certs.ControllerManager, certs.Scheduler:
			read = append(read, spec.Name)
		default:
			renewed = append(renewed, spec.Name)
		}
	}
	return renewed, read, kubelets
}

// certificateAt is what was seen at a path: a certificate, a kubeconfig's, or one that a kubeconfig names.
func certificateAt(facts hosts.Facts, path string) []byte {
	if have, there := facts.Certificates[path]; there {
		return have.PEM
	}
	if have, there := facts.Kubeconfigs[path]; there {
		return have.Cert
	}
	for _, have := range facts.Kubeconfigs {
		if have.CertFile == path {
			return have.Cert
		}
	}
	return nil
}

// endingAuthorities are the cluster's CAs, and the certificate for an etcd of the user's own, that have
// little life left.
func endingAuthorities(v view.View) []Finding {
	var all []Finding
	add := func(what string, pem []byte, warnWithin time.Duration, fix, then string) {
		certificate, err := certs.Parse(pem)
		if err != nil {
			return
		}
		left := certificate.NotAfter.Sub(v.Now)
		found := finding(fix, "%s ends within %s: %s%s", what, lifeLeft(lastDay), lifeLeft(left), then)
		if left >= lastDay {
			found = warning(fix, "%s ends in %s%s", what, lifeLeft(left), then)
		}
		all = append(all, when(left < warnWithin, found)...)
	}
	for _, authority := range certs.Authorities() {
		if pair, err := v.PKI.Authority(authority); err == nil && (authority != certs.Etcd || v.Cluster.StackedEtcd()) {
			add("the CA "+authority.CertPath(), pair.Cert, time.Duration(v.Cluster.Certificates.Validity),
				"Slipway does not renew a CA yet; Kubernetes' documentation has how: Manual Rotation of CA Certificates", ", and certificates that are made from now on end with it")
		}
	}
	if external := v.Cluster.Etcd.External; external != nil {
		add("the certificate "+external.CertFile+" for etcd", v.EtcdFiles[external.CertFile], minLeft(v),
			"put a new one and its key there; slipway init, with the bundle of "+v.ClusterFacts.Version+", brings them to the control planes", "")
	}
	return all
}

// lifeLeft is a time as people say it.
func lifeLeft(left time.Duration) string {
	const day = 24 * time.Hour
	text := func(d time.Duration) string {
		switch {
		case d > 2*day:
			return fmt.Sprintf("%d days", d/day)
		case d >= time.Hour:
			return fmt.Sprintf("%d h", d/time.Hour)
		}
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	if left < 0 {
		return "ended " + text(-left) + " ago"
	}
	return text(left)
}
