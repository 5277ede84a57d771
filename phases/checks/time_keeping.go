package checks

import (
	"slices"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// unkeptClock is a clock that follows no other: it may be right today.
func unkeptClock(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Conditions == nil || !facts.Conditions.Unsynchronized {
		return nil
	}
	if keeper := facts.Conditions.TimeKeeper; keeper != "" {
		return []Finding{warning("see whom it asks, and whether they answer: chronyc sources, or timedatectl timesync-status",
			"its clock is not synchronized, though %s runs: certificates and leases go by it", keeper)}
	}
	return []Finding{warning("timedatectl set-ntp true; where that is not supported, install chrony",
		"its clock is not synchronized, and nothing that is known runs to do so: certificates and leases go by it")}
}

// operatorsClock is how far the clock of the machine that Slipway runs on is from the hosts': certificates are
// minted by it.
func operatorsClock(v view.View) []Finding {
	var all []time.Duration
	for _, host := range v.Cluster.Hosts {
		if facts, seen := v.Facts[host.Name]; seen && !facts.Time.IsZero() && !v.Observed[host.Name].IsZero() {
			all = append(all, offset(v, host.Name))
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	away := all[(len(all)-1)/2]
	return when(away.Abs() > clockWarning, warning("set the clock of this machine right, or the hosts', and keep them: timedatectl set-ntp true",
		"this machine's clock is %s away from the hosts': what it mints may not be valid there yet", away.Abs().Round(time.Second)))
}
