package checks

import (
	"errors"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// connectionFixes is what to do about a host that cannot be reached, by why it cannot.
var connectionFixes = map[hosts.ErrorKind]string{
	hosts.KindUnreachable:    "see that the host is up, and that ssh.host and ssh.port of the cluster file are right",
	hosts.KindAuth:           "see that ssh.user and ssh.identityFile of the cluster file are right, or add the key to the host's authorized_keys",
	hosts.KindHostKeyUnknown: "look at the host's key and add it: ssh-keyscan HOST >> ~/.ssh/known_hosts",
	hosts.KindHostKeyChanged: "find out why the host's key has changed; if it was installed anew: ssh-keygen -R HOST",
	hosts.KindPrivilege:      "let the user become root by sudo or doas, with a password that is asked for (--ask-become-pass) or without",
	hosts.KindPlatform:       "take a bundle for the host's platform",
	hosts.KindVersion:        "use the Slipway that is on the host, or end what is still running there",
	hosts.KindCut:            "see that the host is up and run the same command again",
	hosts.KindDiskFull:       "make room on the host's disk",
}

func fixOf(err error) string {
	var known *hosts.Error
	if !errors.As(err, &known) {
		return ""
	}
	if known.Fix != "" {
		return known.Fix
	}
	return connectionFixes[known.Kind]
}

// Unreached is the finding of a host that could not be looked at.
func Unreached(v view.View, name string) Finding {
	found := Finding{Check: "Connection", Host: name, Severity: Error, Seen: "the host was not looked at"}
	if err := v.Unreached[name]; err != nil {
		found.Seen, found.Fix = err.Error(), fixOf(err)
	}
	return found
}

func unreached(v view.View, wanted []cluster.Host) []Finding {
	var found []Finding
	for _, host := range wanted {
		if _, seen := v.Facts[host.Name]; !seen {
			found = append(found, Unreached(v, host.Name))
		}
	}
	return found
}

func unreachedTargets(v view.View) []Finding {
	found := unreached(v, targets(v))
	for i, one := range found {
		if more := withoutUnreached(v.Workflow, one.Host); more != "" {
			found[i].Fix = strings.TrimPrefix(one.Fix+"; "+more, "; ")
		}
	}
	return found
}

// withoutUnreached is how a workflow goes on without a host that is not reached; empty where it does not.
func withoutUnreached(workflow view.Workflow, host string) string {
	switch workflow {
	case view.Upgrade, view.Rollback:
		return "if it is down, and is to come later: --without " + host
	case view.Stop:
		return "if it is dead for good: slipway remove " + host + " --offline, then take it out of the file"
	case view.Start: // a remove needs an API server
		return "if it is dead for good: start the others with a copy of the file in which it is not; then, with the whole file: slipway remove " + host + " --offline"
	}
	return ""
}

// unreachedBalancing are hosts that clients are sent to or through.
func unreachedBalancing(v view.View) []Finding {
	wanted := v.Cluster.ControlPlanes()
	for _, host := range v.Cluster.Balancers() {
		if !view.Among(wanted, host.Name) {
			wanted = append(wanted, host)
		}
	}
	return unreached(v, wanted)
}

// unreachedLeaving are hosts that a reset does not reach. One is only left as it is where nothing
// would go on there that hurts the others: a worker.
func unreachedLeaving(v view.View) []Finding {
	found := unreached(v, targets(v))
	for i, one := range found {
		host, _ := v.Cluster.Host(one.Host)
		switch {
		case !wholeCluster(v) && (host.HasRole(cluster.RoleControlPlane) || !host.IsNode()):
			found[i].Fix = "bring the host up first; if it is dead: slipway remove --offline " + one.Host
		case v.Force:
			found[i].Severity = Warning
			found[i].Seen += "; nothing is removed from it"
		default:
			found[i].Fix = "bring the host up first, or go on without it: --force"
		}
	}
	return found
}
