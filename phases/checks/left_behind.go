package checks

import (
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// leftBehind is what an earlier cluster has left on a host that belongs to none. Files are other checks'
// (DirAvailable, FileAvailable), software that is installed is ForeignSoftware's.
func leftBehind(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Conditions == nil {
		return nil
	}
	left := facts.Conditions.Leftovers
	var all []Finding
	if len(left.Processes) > 0 {
		var names, numbers []string
		for _, process := range left.Processes {
			if strings.HasPrefix(process.Name, "containerd-shim") && len(facts.Foreign) > 0 {
				continue // of a Docker or containerd that is told of by its name
			}
			names, numbers = append(names, process.String()), append(numbers, fmt.Sprint(process.PID))
		}
		all = append(all, when(len(names) > 0, finding("if nobody needs them: kill "+strings.Join(numbers, " ")+"; what starts them again: systemctl status PID",
			"processes of a cluster run, though the host belongs to none: %s", strings.Join(firstFew(names), ", ")))...)
	}
	if len(left.Mounts) > 0 {
		all = append(all, finding("umount "+strings.Join(left.Mounts, " "),
			"file systems of Pods that are gone are mounted still: %s", strings.Join(firstFew(left.Mounts), ", ")))
	}
	if len(left.Links) > 0 {
		all = append(all, finding("ip link delete "+strings.Join(left.Links, "; ip link delete "),
			"interfaces of an earlier cluster's network are there: %s", strings.Join(firstFew(left.Links), ", ")))
	}
	if len(left.Tables)+len(left.Chains) > 0 {
		var fixes []string
		for _, table := range left.Tables {
			fixes = append(fixes, "nft delete table "+table)
		}
		if len(left.Chains) > 0 {
			fixes = append(fixes, "a reboot ends the chains, or: iptables-save | grep -v -e KUBE- -e FLANNEL- | iptables-restore (and ip6tables)")
		}
		all = append(all, warning(strings.Join(fixes, "; "),
			"rules of an earlier cluster's kube-proxy or network are there, and catch packets until they are replaced: %s", strings.Join(firstFew(append(left.Tables, left.Chains...)), ", ")))
	}
	if len(left.Units) > 0 {
		all = append(all, warning("rm "+strings.Join(left.Units, " ")+" && systemctl daemon-reload",
			"units are enabled whose files are gone: %s", strings.Join(firstFew(left.Units), ", ")))
	}
	return all
}
