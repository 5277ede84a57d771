package phases

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// onlyChecked are what is looked at to judge a host that is to become a node: no step is
// planned by it.
var onlyChecked = []string{
	hosts.LookCgroups, hosts.LookKernel, hosts.LookDisks, hosts.LookForeign, hosts.LookNames, hosts.LookPorts,
	hosts.LookReach, hosts.LookRoutes, hosts.LookRouteTo, hosts.LookSync,
}

// onlyOwn are what only a host's own steps are planned by.
var onlyOwn = []string{
	hosts.LookSwap, hosts.LookSysctls, hosts.LookModules, hosts.LookBoot, hosts.LookImages, hosts.LookSandboxes,
	hosts.LookVirtualIP,
}

// silentProblems are what the hosts did not tell. Facts that are missing look like things
// that are not there, an etcd's data among them: nothing may be planned by them, neither on
// the host itself nor on others. What the workflow plans nothing by is a warning. A host
// that is to be removed for dead may be silent.
func (in Input) silentProblems(workflow view.Workflow, targets []cluster.Host) []Problem {
	var problems []Problem
	for _, host := range in.Cluster.Hosts {
		target := among(targets, host.Name)
		if workflow == view.Remove && target {
			continue
		}
		for _, silent := range in.Facts[host.Name].Unanswered {
			found := problem("answers", host, SilentFix(silent), "%s", silent)
			if !planned(workflow, silent.What, target) {
				found.Severity = SeverityWarning
			}
			problems = append(problems, found)
		}
	}
	return problems
}

// planned tells whether a workflow plans by what was looked at on a host, which is one of
// its targets or not. The settings of a cluster that begins come from all its hosts.
func planned(workflow view.Workflow, what string, target bool) bool {
	switch {
	case workflow == view.Init, target && (workflow == view.Join || workflow == view.Prepare):
		return true
	case target:
		return !slices.Contains(onlyChecked, what)
	}
	return !slices.Contains(onlyChecked, what) && !slices.Contains(onlyOwn, what)
}

// SilentFix is how to find out why something does not answer.
func SilentFix(silent hosts.Unanswered) string {
	if strings.HasPrefix(silent.At, "/") {
		return "see what is mounted there (findmnt -T " + silent.At + ") and whether its server answers; or unmount it: umount -l"
	}
	return "see on the host whether it runs and what it waits for: systemctl status, and ps -eo pid,stat,wchan:32,args"
}
