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

// unlistenedTraffic tells of ports that could not be listened on, so that nothing was tried there.
func unlistenedTraffic(v view.View) []Finding {
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

// unsentTraffic tells of ways that could not be tried, as nothing could be sent: nothing is known of them.
func unsentTraffic(v view.View) []Finding {
	why := map[string]map[string][]string{} // by the host that should have sent, and by the reason
	for _, flow := range v.Cluster.Flows() {
		for _, t := range triedOf(v, flow) {
			if flow.Optional || t.Passage != hosts.NotTried {
				continue
			}
			if why[t.from.Name] == nil {
				why[t.from.Name] = map[string][]string{}
			}
			reason := cmp.Or(t.Detail, "for a reason that is not known")
			way := strings.TrimSuffix(fmt.Sprintf("to %s by %s %d", t.to.Name, strings.ToUpper(string(flow.Protocol)), flow.Port), " 0")
			why[t.from.Name][reason] = addName(why[t.from.Name][reason], way)
		}
	}
	var all []Finding
	for _, host := range v.Cluster.Hosts {
		for _, reason := range slices.Sorted(maps.Keys(why[host.Name])) {
			all = append(all, warning("ask again; where it lasts, mend what is said of it, as an address that the host does not have yet (ip address), too few open files (ulimit -n) or a host that is slow (uptime)",
				"ways %s were not tried: %s", fewOf(why[host.Name][reason]), reason).on(host.Name))
		}
	}
	return all
}
