package checks

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// OnlyChecked are what is looked at to judge a host that is to become a node: no step is
// planned by it.
var OnlyChecked = []string{
	hosts.LookCgroups, hosts.LookKernel, hosts.LookDisks, hosts.LookForeign, hosts.LookNames, hosts.LookPorts,
	hosts.LookReach, hosts.LookRoutes, hosts.LookRouteTo, hosts.LookSync,
	hosts.LookConditions,
}

// onlyOwn are what only a host's own steps are planned by.
var onlyOwn = []string{
	hosts.LookSwap, hosts.LookSysctls, hosts.LookModules, hosts.LookBoot, hosts.LookImages, hosts.LookSandboxes,
	hosts.LookVirtualIP, hosts.LookKept,
}

// unanswered is what a host did not tell. Facts that are missing look like things
// that are not there, an etcd's data among them: nothing may be planned by them, neither on
// the host itself nor on others. What the workflow plans nothing by is a warning. A host
// that is to be removed for dead may be silent.
func unanswered(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	target := view.Among(targets(v), host.Name)
	if v.Workflow == view.Remove && target {
		return nil
	}
	var all []Finding
	for _, silent := range facts.Unanswered {
		found := finding(SilentFix(silent), "%s", silent)
		if !planned(v.Workflow, silent.What, target) {
			found.Severity = Warning
		}
		all = append(all, found)
	}
	return all
}

// reliesOnMissing tells whether what a target has not told is something to plan by.
func reliesOnMissing(workflow view.Workflow, facts hosts.Facts) bool {
	return slices.ContainsFunc(facts.Unanswered, func(silent hosts.Unanswered) bool { return planned(workflow, silent.What, true) })
}

// planned tells whether a workflow plans by what was looked at on a host, which is one of
// its targets or not. The settings of a cluster that begins come from all its hosts.
func planned(workflow view.Workflow, what string, target bool) bool {
	switch {
	case workflow == view.Init, workflow == view.Upgrade, target && (workflow == view.Join || workflow == view.Prepare):
		return true
	case target:
		return !slices.Contains(OnlyChecked, what)
	}
	return !slices.Contains(OnlyChecked, what) && !slices.Contains(onlyOwn, what)
}

// SilentFix is how to find out why something does not answer.
func SilentFix(silent hosts.Unanswered) string {
	if strings.HasPrefix(silent.At, "/") {
		return "see what is mounted there (findmnt -T " + silent.At + ") and whether its server answers; or unmount it: umount -l"
	}
	return "see on the host whether it runs and what it waits for: systemctl status, and ps -eo pid,stat,wchan:32,args"
}
