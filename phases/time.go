package phases

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// time sets time zone and time servers where the cluster file asks for them, and puts back what it no longer
// asks for, lines for other hosts in /etc/hosts among it.
func (h *hostDraft) time() {
	want, have := h.in.Cluster.Prepare, h.facts.TimeSettings
	if want.TimeZone == "" {
		h.noLongerSet(hosts.TimeZoneSetting)
	} else if have.Zone != want.TimeZone {
		h.step(plan.PhasePrepare, "time-zone", plan.LaneWork, plan.Update, "is "+orNothing(have.Zone), hosts.SetTimeZone{Zone: want.TimeZone})
	}
	servers := want.NTP.Servers
	if len(servers) == 0 {
		h.noLongerSet(hosts.NTPSetting)
	} else if !have.Fixed && (!slices.Equal(have.Servers, servers) || !have.Active) {
		why := "asks others"
		if !have.Active {
			why = "nothing keeps the clock right, or will after the next boot"
		}
		h.step(plan.PhasePrepare, "ntp", plan.LaneWork, plan.Update, why, hosts.SetNTP{Servers: servers})
	}
	if h.facts.Record == nil {
		return
	}
	for _, prior := range h.facts.Record.Priors {
		address, is := strings.CutPrefix(prior.Setting, "hosts/")
		if is && !slices.ContainsFunc(h.state.Entries, func(entry manifests.HostsEntry) bool { return entry.Address == address }) {
			h.noLongerSet(prior.Setting)
		}
	}
}

// noLongerSet puts a setting back that the cluster file does not ask for any more.
func (h *hostDraft) noLongerSet(setting string) {
	if prior, set := h.facts.Record.PriorOf(setting); set {
		h.step(plan.PhasePrepare, "restore/"+trimmed(setting), plan.LaneWork, plan.Update,
			"the cluster file no longer asks for it; was "+wasBefore(prior), hosts.Restore{Setting: setting, Value: prior.Value})
	}
}
