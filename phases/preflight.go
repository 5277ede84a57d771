package phases

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// check looks at one host that is to be part of the cluster.
type check func(in Input, host cluster.Host, facts hosts.Facts) []Problem

// checks are all that is looked at on every host that is to be a node. Each gives whatever
// it finds; nothing stops at the first.
var checks = []check{
	checkPrivilege, checkKernel, checkSystemd, checkCgroups, checkFileSystem, checkPacketFilter,
	checkPlatform, checkCPUs, checkMemory, checkDisks, checkSync, checkAddresses, checkPorts, checkNames, checkReach, checkVirtualIP,
	checkSubnets, checkServiceRoute, checkNameServers, checkForeign, checkWay, checkVolumes, checkTrees, checkNetworkConfigs,
	checkAuthority, checkClock, checkSwap, checkBoot, checkSELinux, checkFirewall,
}

// balancerChecks are those of a host that only balances, and has no kubelet.
var balancerChecks = []check{
	checkPrivilege, checkKernel, checkSystemd, checkPlatform, checkDisks, checkAddresses, checkPorts, checkVirtualIP,
	checkForeign, checkWay, checkAuthority, checkClock, checkFirewall,
}

func checksOf(host cluster.Host) []check {
	if host.IsNode() {
		return checks
	}
	return balancerChecks
}

// Preflight tells, before anything is changed, all that stands in a workflow's way and
// what may surprise: on every host that it would touch, and in the cluster.
func Preflight(workflow view.Workflow, in Input) []Problem {
	if _, err := in.Named(in.Hosts); err != nil {
		return []Problem{{Check: "hosts", Severity: SeverityError, Detail: err.Error(), Fix: "use a name of the cluster file"}}
	}
	in.Workflow = workflow
	targets := in.Targets(workflow)
	return in.sorted(problemsOf(in.silentProblems(workflow, targets), in.identityProblems(), in.problems(workflow, targets)))
}

func (in Input) problems(workflow view.Workflow, targets []cluster.Host) []Problem {
	var problems []Problem
	switch workflow {
	case view.Init:
		problems = problemsOf(in.bundleProblems(), in.versionProblems(), in.membershipProblems(targets), in.etcdProblems(targets), in.evenProblems(), in.nameServerProblems(targets))
	case view.Join:
		problems = problemsOf(in.bundleProblems(), in.skewProblems(), in.joinProblems(targets), in.evenProblems())
	case view.Prepare:
		problems = problemsOf(in.bundleProblems(), in.nameServerProblems(targets))
	case view.Remove:
		return in.removeProblems(targets)
	case view.Reset:
		return in.resetProblems(targets, len(targets) == len(in.Cluster.Hosts))
	case view.ImageLoad:
		for _, host := range targets {
			problems = append(problems, in.loadProblems(host.Name)...)
		}
		return problems
	}
	for _, host := range targets {
		problems = append(problems, in.hostProblems(host)...)
	}
	return problemsOf(problems, in.copies(targets), in.clockProblems(targets))
}

func (in Input) hostProblems(host cluster.Host) []Problem {
	facts, seen := in.Facts[host.Name]
	if !seen {
		return []Problem{in.unreached(host.Name)}
	}
	if len(facts.Unanswered) > 0 {
		return nil // that is told; what else there could be rests on facts that are missing
	}
	var problems []Problem
	for _, look := range checksOf(host) {
		problems = append(problems, look(in, host, facts)...)
	}
	return problems
}

// sorted puts the cluster's problems first, then the hosts' in the file's order, on each
// the errors before the warnings.
func (in Input) sorted(problems []Problem) []Problem {
	rank := map[string]int{}
	for i, host := range in.Cluster.Hosts {
		rank[host.Name] = i + 1
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank[a.Host], rank[b.Host]), cmp.Compare(a.Severity, b.Severity))
	})
	return problems
}

// problem is an error of one host.
func problem(check string, host cluster.Host, fix, detail string, args ...any) Problem {
	return Problem{Check: check, Host: host.Name, Severity: SeverityError, Detail: fmt.Sprintf(detail, args...), Fix: fix}
}

// warning is something of one host that does not stop anything.
func warning(check string, host cluster.Host, fix, detail string, args ...any) Problem {
	p := problem(check, host, fix, detail, args...)
	p.Severity = SeverityWarning
	return p
}

// bundleProblems holds the bundle against the cluster file.
func (in Input) bundleProblems() []Problem {
	if err := in.Bill.Serves(in.Cluster.KubernetesVersion); err != nil {
		return []Problem{{Check: "bundle", Severity: SeverityError, Detail: err.Error(),
			Fix: "take a bundle of that version, or set kubernetesVersion: " + in.Bill.KubernetesVersion}}
	}
	return in.guardProblems()
}

// versionProblems is a running cluster of another version than the file's.
func (in Input) versionProblems() []Problem {
	live := in.ClusterFacts.Version
	if live == "" || live == in.Cluster.KubernetesVersion {
		return nil
	}
	return []Problem{{Check: "version", Severity: SeverityError,
		Detail: fmt.Sprintf("the cluster runs Kubernetes %s, the file says %s: init does not upgrade", live, in.Cluster.KubernetesVersion),
		Fix:    "set kubernetesVersion: " + live}}
}

// skewProblems holds the kubelets that would join against the API server.
func (in Input) skewProblems() []Problem {
	server, err := cluster.ParseVersion(in.ClusterFacts.Version)
	if err != nil {
		return nil // nobody answered; that is a problem of its own
	}
	kubelet, err := cluster.ParseVersion(in.Bill.KubernetesVersion)
	if err != nil {
		return []Problem{{Check: "bundle", Severity: SeverityError, Detail: err.Error()}}
	}
	if err := cluster.KubeletSkew(kubelet, server); err != nil {
		return []Problem{{Check: "version", Severity: SeverityError, Detail: err.Error(),
			Fix: "take a bundle with Kubernetes " + in.ClusterFacts.Version}}
	}
	return nil
}

// unreached is the problem of a host that could not be looked at.
func (in Input) unreached(name string) Problem {
	found := Problem{Check: "connection", Host: name, Severity: SeverityError, Detail: "the host was not looked at"}
	if err := in.Unreached[name]; err != nil {
		found.Detail, found.Fix = err.Error(), fixOf(err)
	}
	return found
}

// recordProblems is a host that another cluster has noted as its own.
func (in Input) recordProblems(name string, facts hosts.Facts) []Problem {
	if !view.Claimed(facts.Record) {
		return nil
	}
	// The file's name counts too, unless the file says which cluster is meant by its id.
	// Where the keys are lost, the name has to do.
	other, want := facts.Record.Cluster, cmp.Or(in.ClusterID.ID, in.Cluster.ID)
	known := want == "" || want == other.ID
	if known && (other.Name == in.Cluster.Name || other.ID == in.Cluster.ID) {
		return nil
	}
	return []Problem{{
		Check: "membership", Host: name, Severity: SeverityError,
		Detail: fmt.Sprintf("it belongs to the cluster %s (%.12s)", other.Name, other.ID),
		Fix:    "use that cluster's file, or take the host out of that cluster first: slipway reset",
	}}
}

// checkAuthority compares the CA that lies on the host with the cluster's.
func checkAuthority(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	have, there := facts.Certificates[certs.Kubernetes.CertPath()]
	if !there || bytes.Equal(bytes.TrimSpace(have.PEM), bytes.TrimSpace(in.PKI.CA.Cert)) {
		return nil
	}
	found, err := certs.KeyDigest(have.PEM)
	if err != nil {
		return []Problem{problem("authority", host, "if nobody needs it: rm "+certs.Kubernetes.CertPath(),
			"%s cannot be read: %v", certs.Kubernetes.CertPath(), err)}
	}
	if ours, err := certs.KeyDigest(in.PKI.CA.Cert); err == nil && ours == found {
		return nil
	}
	return []Problem{problem("authority", host, "reset the host with what made that cluster (kubeadm reset, slipway reset)",
		"%s is another cluster's CA (%.12s)", certs.Kubernetes.CertPath(), found)}
}
