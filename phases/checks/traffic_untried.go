package checks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// trafficNotAsked is why nothing is known of the traffic between hosts.
func trafficNotAsked(v view.View) string {
	for _, facts := range v.Facts {
		if facts.Traffic != nil {
			return ""
		}
	}
	if len(v.Cluster.Hosts) < 2 {
		return ""
	}
	return "no traffic was tried"
}

// untriedTraffic tells of ports that could not be listened on, so that nothing was tried there.
func untriedTraffic(v view.View) []Finding {
	var all []Finding
	for _, host := range v.Cluster.Hosts {
		traffic := v.Facts[host.Name].Traffic
		if traffic == nil {
			continue
		}
		why := map[string][]string{}
		for _, port := range traffic.Listened {
			name := strings.TrimSuffix(fmt.Sprintf("%s %d", strings.ToUpper(port.Protocol), port.Port.Port), " 0")
			switch {
			case port.Why != "":
				why[port.Why] = addName(why[port.Why], name)
			case port.Taken && port.Protocol == hosts.TrafficUDP:
				why["somebody listens there already"] = addName(why["somebody listens there already"], name)
			}
		}
		for _, reason := range slices.Sorted(maps.Keys(why)) {
			all = append(all, warning("see who it is: ss -lnp, and ip -d link show type vxlan",
				"whether %s reaches it was not tried: %s", strings.Join(why[reason], ", "), cmp.Or(reason, "unknown")).on(host.Name))
		}
	}
	return all
}
