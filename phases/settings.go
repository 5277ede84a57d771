package phases

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// claim notes on the host which cluster it belongs to and which machine it is, before its
// first change.
func (h *hostDraft) claim() {
	why := "it belongs to no cluster yet"
	if record := h.facts.Record; view.Claimed(record) {
		switch {
		case record.Cluster != h.in.ClusterID:
			why = "it is noted under the name " + record.Cluster.Name
		case record.Machine == nil:
			why = "which machine it is was not noted yet"
		default:
			return
		}
	}
	h.step(plan.PhasePrepare, "claim", plan.LaneWork, plan.Create, why, hosts.Claim{Cluster: h.in.ClusterID, Node: h.host.Name})
}

// directories makes what files and mounts lie in.
func (h *hostDraft) directories() {
	for _, directory := range h.state.Directories {
		why, change := h.directoryDiffers(directory)
		if why == "" {
			continue
		}
		h.step(directory.Phase, trimmed(directory.Path)+"/", plan.LaneWork, change, why, hosts.MakeDirectory{
			Path: directory.Path, Mode: directory.Mode, UID: directory.UID, GID: directory.GID,
		})
	}
	h.parents()
}

// modeParents is the mode of the directories that are made on the way to a path.
const modeParents = 0o755

// parents gives those directories back their mode which Slipway made on the way to what it
// puts there: a daemon that is not root has to get through. One that was there before has
// the mode that its maker gave it.
func (h *hostDraft) parents() {
	for _, directory := range h.state.Parents() {
		have := h.facts.Files[directory]
		if have.Type != hosts.TypeDirectory || !view.MadeDirectory(h.facts.Record, directory) {
			continue
		}
		if why := attributesDiffer(have, modeParents, 0, 0); why != "" {
			h.step(plan.PhasePrepare, trimmed(directory)+"/", plan.LaneWork, plan.Update, why,
				hosts.MakeDirectory{Path: directory, Mode: modeParents})
		}
	}
}

// prepare brings the operating system into the state that Kubernetes needs: only what
// is missing. The files that keep it so over a reboot are written with the others.
func (h *hostDraft) prepare() {
	if h.state.DisableSwap && (len(h.facts.Swaps) > 0 || len(h.facts.SwapUnits) > 0) {
		why := "in use: " + strings.Join(h.facts.Swaps, ", ")
		if len(h.facts.Swaps) == 0 {
			why = "would be back after a reboot: " + strings.Join(h.facts.SwapUnits, ", ")
		}
		h.step(plan.PhasePrepare, "swap", plan.LaneWork, plan.Update, why, hosts.DisableSwap{})
	}
	h.keepSwap()
	h.modules()
	h.sysctls()
	if why := h.hostnameDiffers(); why != "" {
		h.step(plan.PhasePrepare, "hostname", plan.LaneWork, plan.Update, why, hosts.SetHostname{Name: h.state.Hostname})
	}
	h.entries()
	h.time()
}

// keepSwap turns swap on again that was turned off, where the file now has the kubelet run beside it.
func (h *hostDraft) keepSwap() {
	if !h.in.Cluster.KeepsSwap() || h.facts.Record == nil {
		return
	}
	for _, prior := range slices.Backward(h.facts.Record.Priors) {
		kind, name, _ := strings.Cut(prior.Setting, "/")
		if kind == "swap" || kind == "unit" && (strings.HasSuffix(name, ".swap") || slices.Contains(hosts.SwapServices, name)) {
			h.step(plan.PhasePrepare, "restore/"+trimmed(prior.Setting), plan.LaneWork, plan.Update, "failSwapOn is false: swap stays", hosts.Restore{Setting: prior.Setting, Value: prior.Value})
		}
	}
}

// hostnameDiffers says why the host's name is not right: the running one, or the one that
// the next boot takes. Without the latter a boot may take any, as from DHCP.
func (h *hostDraft) hostnameDiffers() string {
	switch want := h.state.Hostname; {
	case want == "":
		return ""
	case h.facts.Hostname != want:
		return "is " + orNothing(h.facts.Hostname)
	case h.facts.StaticHostname != want:
		return "after a reboot it would be " + orNothing(h.facts.StaticHostname)
	}
	return ""
}

func (h *hostDraft) modules() {
	for _, module := range h.state.Modules {
		if !h.facts.Modules[module] {
			h.step(plan.PhasePrepare, "module/"+module, plan.LaneWork, plan.Create, "not loaded", hosts.LoadModule{Name: module})
		}
	}
}

func (h *hostDraft) sysctls() {
	for _, key := range manifests.OrderedSysctls(h.state.Sysctls) {
		want := h.state.Sysctls[key]
		have, known := manifests.SysctlOf(h.facts, key)
		if known && sameSetting(have, want) {
			continue
		}
		why := "is " + have
		if !known {
			why = "not there yet"
		}
		h.step(plan.PhasePrepare, "sysctl/"+key, plan.LaneWork, plan.Update, why, hosts.SetSysctl{Key: key, Value: want})
	}
}

// entries adds a line to /etc/hosts only where a name does not resolve to its address.
func (h *hostDraft) entries() {
	for _, entry := range h.state.Entries {
		var missing []string
		for _, name := range entry.Names {
			if !slices.Contains(h.facts.Names[name], entry.Address) {
				missing = append(missing, name)
			}
		}
		if len(missing) == 0 {
			continue
		}
		h.step(plan.PhasePrepare, "hosts/"+entry.Address+"/"+missing[0], plan.LaneWork, plan.Create,
			strings.Join(missing, ", ")+" resolved otherwise, or not at all",
			hosts.AddHostsEntry{Address: entry.Address, Names: missing})
	}
}

// sameSetting compares kernel parameters; the kernel separates numbers by tabs.
func sameSetting(have, want string) bool {
	return slices.Equal(strings.Fields(have), strings.Fields(want))
}
