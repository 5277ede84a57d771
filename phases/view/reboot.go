package view

import (
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// rebootNote begins what a node says of who has cordoned it, where a reboot has.
const rebootNote = string(Reboot) + "/"

// RebootOf is how a reboot calls itself where it cordons a node: with the boot that is to end, so that a later
// run knows whether the host has booted since.
func RebootOf(boot string) string { return rebootNote + boot }

// CordonedForReboot tells whether a reboot has cordoned the node, and out of which boot.
func CordonedForReboot(node hosts.Node) (boot string, is bool) {
	return strings.CutPrefix(node.CordonedBy, rebootNote)
}

// EndingBoot is the boot that a reboot of the host has to end: the one that it runs in, or the one of before
// where this run or an interrupted one has begun with it.
func (v View) EndingBoot(host cluster.Host) string {
	if before, asked := v.Boots[host.Name]; asked {
		return before
	}
	if node, there := v.Node(host.Name); there {
		if before, is := CordonedForReboot(node); is {
			return before
		}
	}
	return v.Facts[host.Name].BootID
}

// HasRebooted tells whether the host has left that boot.
func (v View) HasRebooted(host cluster.Host) bool {
	return v.Facts[host.Name].BootID != v.EndingBoot(host)
}
