package checks

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// unknownHosts are names that the user gave and the file lacks.
func unknownHosts(v view.View) []Finding {
	if _, err := v.Named(v.Hosts); err != nil {
		return []Finding{finding("use a name of the cluster file", "%v", err)}
	}
	return nil
}

// notYetJoined are hosts that come by join, now that init has completed. Where the API is silent
// at the moment they would be brought in as if the cluster were still being made.
func notYetJoined(v view.View) []Finding {
	silent := !v.Completed() && !v.ClusterFacts.Reachable && len(v.JoinedBefore) > 0
	var outside []string
	for _, host := range targets(v) {
		facts, looked := v.Facts[host.Name]
		if v.Completed() && !v.Joined(host.Name) || silent && looked && !v.HasCome(host, facts) {
			outside = append(outside, host.Name)
		}
	}
	switch {
	case len(outside) == 0:
		return nil
	case silent:
		return []Finding{finding("see what holds the API servers up by: slipway status; then bring in what is new by: slipway join",
			"the cluster %s was complete, no API server of it answers now (%s), and %s not in it", v.Cluster.Name, silence(v), isOrAre(outside))}
	}
	return []Finding{finding("bring in what is new by: slipway join", "the cluster %s is running already, and %s not in it", v.Cluster.Name, isOrAre(outside))}
}

func isOrAre(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " are"
}

func halfMade(v view.View) []Finding {
	return when(v.ClusterFacts.Reachable && !v.Completed(),
		finding("let it complete, with the new hosts as well: slipway init", "the cluster is only half-made: an init was interrupted"))
}

func inNoCluster(_ view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	return when(facts.Record == nil, finding("bring it in first: slipway join", "the host is in no cluster"))
}

// otherAuthority compares the CA that lies on the host with the cluster's.
func otherAuthority(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	have, there := facts.Certificates[certs.Kubernetes.CertPath()]
	if !there || bytes.Equal(bytes.TrimSpace(have.PEM), bytes.TrimSpace(v.PKI.CA.Cert)) {
		return nil
	}
	found, err := certs.KeyDigest(have.PEM)
	if err != nil {
		return []Finding{finding("if nobody needs it: rm "+certs.Kubernetes.CertPath(),
			"%s cannot be read: %v", certs.Kubernetes.CertPath(), err)}
	}
	if ours, err := certs.KeyDigest(v.PKI.CA.Cert); err == nil && ours == found {
		return nil
	}
	return []Finding{finding("reset the host with what made that cluster (kubeadm reset, slipway reset)",
		"%s is another cluster's CA (%.12s)", certs.Kubernetes.CertPath(), found)}
}

// silence is why no API server answers.
func silence(v view.View) string { return cmp.Or(v.ClusterFacts.Cause, "cause unknown") }

func silentForJoin(v view.View) []Finding {
	return silent(v, "see what holds it up by: slipway status; a cluster that is not there yet is made by: slipway init",
		"no API server of the cluster answers")
}

func silentForReset(v view.View) []Finding {
	if wholeCluster(v) || v.Force || !anyOwned(v) {
		return nil
	}
	return silent(v, "bring the control plane up first, or go on without it: --force",
		"no API server answers, so no Pod can be moved away and no node deleted")
}

func silentForRemove(v view.View) []Finding {
	return silent(v, "see what holds the living ones up by: slipway status", "no API server answers, so no node can be deleted")
}

func silentForUpgrade(v view.View) []Finding {
	if !v.ClusterFacts.Reachable && (v.UpgradeBegun() || len(v.Back) > 0) {
		return nil // the one API server of a cluster may be what is being changed
	}
	if v.ClusterFacts.Reachable && !v.Completed() {
		return []Finding{finding("let init complete first, with a bundle of the version that runs: slipway init", "init of the cluster %s has not completed", v.Cluster.Name)}
	}
	return silent(v, "see what holds it up by: slipway status; what runs is put right by: slipway init, with a bundle of its version",
		"no API server answers, and which version runs is not known")
}

func silentForTest(v view.View) []Finding {
	return silent(v, "see what holds it up by: slipway status", "no API server answers")
}

func silent(v view.View, fix, seen string) []Finding {
	return when(!v.ClusterFacts.Reachable, finding(fix, "%s: %s", seen, silence(v)))
}
