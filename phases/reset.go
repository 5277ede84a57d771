package phases

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Reset plans to take hosts out of the cluster and to put each back to what it was; no
// names mean the whole cluster. Of a cluster that goes as a whole nothing is moved, and
// nothing needs its API or a quorum.
func Reset(in Input, names []string) (plan.Plan, plan.Contents, error) {
	in.Hosts = names
	if len(in.Targets(view.Reset)) == len(in.Cluster.Hosts) {
		return planOf(in, view.Reset,
			(*draft).beginHosts,
			(*draft).endHosts,
		)
	}
	return planOf(in, view.Reset,
		(*draft).beginHosts,
		(*draft).cordonNodes,
		(*draft).drainNodes,
		(*draft).leaveHosts,
	)
}

// endHosts stops and removes all of a cluster that goes as a whole.
func (d *draft) endHosts() {
	for _, h := range d.drafts {
		h.stopBalancer(nil)
		h.stopKubelet(nil)
		h.cleanUp(nil)
	}
}

// cordonNodes keeps new Pods away from all nodes that leave, before any of them is drained.
func (d *draft) cordonNodes() {
	for _, h := range d.drafts {
		h.cordon()
	}
}

// drainNodes moves the Pods of the nodes that leave to others.
func (d *draft) drainNodes() {
	cordoned := d.inCluster(does[plan.Cordon])
	for _, h := range d.drafts {
		h.drain(cordoned)
	}
}

// leaveHosts takes hosts out of a cluster that goes on: each one's Pods are moved away and the
// balancers send no client to it any more, before anything of it is stopped. Control
// planes go one after another, so that etcd is whole between two changes of its members.
func (d *draft) leaveHosts() {
	known := keep(d.drafts, func(h *hostDraft) bool { return knownToBalancers(h.host) })
	lost := d.balancersLose(d.in.Targets(view.Reset), madeOn(known, does[plan.Drain]), func(waits []string) []string {
		var released []string
		for _, h := range d.drafts {
			released = append(released, h.release(waits)...)
		}
		return released
	})
	var before []string // the step that ends the last control plane's membership
	for _, h := range d.drafts {
		waits := h.made(does[plan.Drain])
		if knownToBalancers(h.host) {
			waits = join(waits, lost)
		}
		if h.runsControlPlane() {
			before = h.leaveControlPlane(waits, before)
			continue
		}
		stopped := h.stopKubelet(waits)
		h.deleteNode(join(waits, stopped))
		h.shutWay(waits)
		h.cleanUp(nil)
	}
}

// leaveControlPlane stops a control plane in the order in which nobody misses it: the way to
// the API goes first, then the API, which tells those who are still with it to go, and
// etcd's member last.
func (h *hostDraft) leaveControlPlane(waits, before []string) []string {
	waits = join(waits, before)
	waits = join(waits, h.quorumHolds(waits))
	stopped := join(h.shutWay(waits), h.stopKubelet(waits), h.stopServers(waits))
	removed := h.removeMembers(join(waits, stopped))
	h.deleteNode(join(waits, stopped, removed))
	h.cleanUp(removed)
	if len(removed) > 0 {
		return removed
	}
	return before
}

// stopServers ends what talks to the API, and the API server, while its etcd still runs.
func (h *hostDraft) stopServers(waits []string) []string {
	_, serves := h.facts.Files[manifests.APIServerManifest]
	if !serves || !view.Claimed(h.facts.Record) {
		return nil
	}
	return []string{h.clean("control-plane", plan.Update, "clients go elsewhere while etcd is there",
		hosts.StopPods{Only: serverPods(h.host.Name), Grace: stopGrace}, waits)}
}

// serverPods are the static Pods of a control plane but etcd's, as the API names them.
func serverPods(host string) []string {
	return []string{"kube-apiserver-" + host, "kube-controller-manager-" + host, "kube-scheduler-" + host}
}

// balancerUnits are the units of a balancer in the order in which they are stopped. haproxy
// shuts its clients' connections while the address is still here, and so they come again at
// once. With the address gone first an answer that is under way has no source any more to
// be sent from, and its client waits until it gives up. Both in one step: between the two
// the address is here, and nobody answers at it.
var balancerUnits = []string{manifests.HAProxyUnit, manifests.KeepalivedUnit}

// release lets go of the virtual address, where the host may have it.
func (h *hostDraft) release(waits []string) []string {
	if !h.ours(manifests.KeepalivedUnit) {
		return nil
	}
	return h.stopBalancer(waits)
}

// shutWay stops a balancer that no address leads to: of one with an address release does.
func (h *hostDraft) shutWay(waits []string) []string {
	if h.ours(manifests.KeepalivedUnit) {
		return nil
	}
	return h.stopBalancer(waits)
}

// stopBalancer stops what of the host's balancer is Slipway's.
func (h *hostDraft) stopBalancer(waits []string) []string {
	return h.stopUnits("load-balancer", keep(balancerUnits, h.ours), waits)
}

// ours tells whether a unit is one that Slipway put there.
func (h *hostDraft) ours(unit string) bool {
	record := h.facts.Record
	return record != nil && (slices.Contains(record.Units, unit) || view.Owns(record, manifests.UnitsFolder+"/"+unit))
}

// resetProblems says what a reset must not begin with.
func (in Input) resetProblems(targets []cluster.Host, whole bool) []Problem {
	var problems []Problem
	for _, host := range targets {
		problems = append(problems, in.resetHostProblems(host, whole)...)
	}
	if whole {
		return problemsOf(problems, in.strangers(), in.keptEtcd(targets))
	}
	problems = append(problems, in.leaveProblems(targets)...)
	if !in.ClusterFacts.Reachable && !in.Force && in.anyOwned(targets) {
		problems = append(problems, Problem{
			Check: "membership", Severity: SeverityError,
			Detail: "no API server answers, so no Pod can be moved away and no node deleted: " + orUnknown(in.ClusterFacts.Cause),
			Fix:    "bring the control plane up first, or go on without it: --force",
		})
	}
	return problems
}

// strangers is what the cluster has and the file lacks: it would be left behind without a
// control plane, and nothing of it moved away before.
func (in Input) strangers() []Problem {
	names := in.strange()
	if len(names) == 0 {
		return nil
	}
	found := Problem{Check: "membership", Severity: SeverityError,
		Detail: fmt.Sprintf("the cluster has also %s, which the file lacks", strings.Join(names, ", ")),
		Fix:    "add what is missing to the file, or name the hosts that leave; if all that it lacks is dead: --force"}
	if in.Force {
		found.Severity, found.Fix = SeverityWarning, ""
		found.Detail += ": all that it runs is left behind without a control plane"
	}
	return []Problem{found}
}

// strange names the nodes and members that the cluster has and the file lacks.
func (in Input) strange() []string {
	var names []string
	for _, node := range in.ClusterFacts.Nodes {
		if _, known := in.Cluster.Host(node.Name); !known {
			names = append(names, node.Name)
		}
	}
	ours := in.Memberships(in.Cluster.ControlPlanes())
	for _, member := range in.ClusterFacts.Members {
		known := slices.ContainsFunc(ours, func(m hosts.Member) bool { return m.ID == member.ID })
		if name := view.MemberName(member); !known && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Unseen says why hosts that the file lacks may run in the cluster after all of the file
// were reset, by what was seen before and by the hosts that were once seen in it (joined);
// empty where none does: an API server told of all nodes, or the cluster never began.
func Unseen(in Input, joined []string) string {
	lacking := in.strange()
	for _, name := range joined {
		if _, known := in.Cluster.Host(name); !known && !slices.Contains(lacking, name) {
			lacking = append(lacking, name)
		}
	}
	switch {
	case len(lacking) > 0:
		return "the cluster had also " + strings.Join(lacking, ", ") + ", which the file lacks"
	case in.ClusterFacts.Reachable || len(joined) == 0 && !in.mayHaveBegun():
		return ""
	}
	return "no API server answered, which could have told whether the cluster had other hosts than the file: " + orUnknown(in.ClusterFacts.Cause)
}

// mayHaveBegun tells whether there may be data of the cluster, and so hosts in it: also where a
// host's disk is not mounted, or a reset that was cut has removed them.
func (in Input) mayHaveBegun() bool {
	return !in.Cluster.StackedEtcd() || slices.ContainsFunc(in.Cluster.ControlPlanes(), func(host cluster.Host) bool {
		facts, seen := in.Facts[host.Name]
		return !seen || view.HasBegun(facts) || !view.MayBegin(facts) && in.WasLetBegin(host.Name)
	})
}

// keptEtcd warns of the data that lie in an etcd which is not Slipway's.
func (in Input) keptEtcd(targets []cluster.Host) []Problem {
	if in.Cluster.StackedEtcd() || !in.anyOwned(targets) {
		return nil
	}
	return []Problem{{Check: "etcd", Severity: SeverityWarning,
		Detail: "the cluster's data stay in the etcd at " + strings.Join(view.EtcdAddresses(in.Cluster), ", ") + ", which is not Slipway's",
		Fix:    "before a new init, have whoever owns it delete the keys below /registry",
	}}
}

// resetHostProblems looks at one host. One that cannot be reached is only left as it is
// where nothing would go on there that hurts the others: a worker.
func (in Input) resetHostProblems(host cluster.Host, whole bool) []Problem {
	if _, seen := in.Facts[host.Name]; seen {
		return nil
	}
	found := in.unreached(host.Name)
	switch {
	case !whole && knownToBalancers(host):
		found.Fix = "bring the host up first; if it is dead: slipway remove --offline " + host.Name
	case in.Force:
		found.Severity = SeverityWarning
		found.Detail += "; nothing is removed from it"
	default:
		found.Fix = "bring the host up first, or go on without it: --force"
	}
	return []Problem{found}
}

// anyOwned tells whether any of the hosts is a node that carries something of Slipway's.
func (in Input) anyOwned(targets []cluster.Host) bool {
	return slices.ContainsFunc(targets, func(host cluster.Host) bool {
		facts, seen := in.Facts[host.Name]
		return !host.HasRole(cluster.RoleLoadBalancer) && (!seen || facts.Record != nil)
	})
}

// clean adds one step of the clean-up.
func (h *hostDraft) clean(thing string, change plan.Change, why string, action hosts.Action, after ...[]string) string {
	return h.step(plan.PhaseCleanupNode, thing, plan.LaneWork, change, why, action, after...)
}

// stopKubelet stops what would start Pods again.
func (h *hostDraft) stopKubelet(waits []string) []string {
	if h.facts.Record == nil {
		return nil
	}
	return h.stopUnit(manifests.KubeletUnit, waits)
}

func (h *hostDraft) stopUnit(name string, waits []string) []string {
	return h.stopUnits(name, []string{name}, waits)
}

// stopUnits stops those of the units that run or would run again, in one step.
func (h *hostDraft) stopUnits(thing string, names, waits []string) []string {
	var up, why []string
	for _, name := range names {
		unit := h.facts.Units[name]
		stopped := unit.Active == "inactive" || unit.Active == "failed"
		if unit.Load != "loaded" || stopped && unit.Enabled != "enabled" && unit.Enabled != "enabled-runtime" {
			continue
		}
		up = append(up, name)
		why = append(why, orNothing(unit.Active)+", "+orNothing(unit.Enabled))
	}
	if len(up) == 0 {
		return nil
	}
	return []string{h.clean(thing, plan.Update, "is "+strings.Join(slices.Compact(why), " and "), hosts.StopUnits{Names: up}, waits)}
}

// cleanUp stops and removes what the record says is Slipway's and what Kubernetes left,
// and puts back what was there before, when the steps are done that need what runs there.
func (h *hostDraft) cleanUp(waits []string) {
	record := h.facts.Record
	if record == nil {
		return
	}
	trees := clusterTrees(record, h.facts)
	if view.Claimed(record) {
		h.clean("pods", plan.Remove, "they are the cluster's", hosts.StopPods{}, waits)
	}
	for _, unit := range record.Units {
		if unit != manifests.KubeletUnit && unit != manifests.ContainerdUnit && !slices.Contains(balancerUnits, unit) {
			h.stopUnit(unit, nil)
		}
	}
	h.stopUnit(manifests.ContainerdUnit, nil)
	if view.Claimed(record) {
		h.removeTraces()
	}
	h.removePaths(record, trees)
	for _, prior := range slices.Backward(record.Priors) {
		if !restoredFirst(prior, trees) {
			h.restore(prior)
		}
	}
	h.clean("record", plan.Remove, "nothing of Slipway's is left", hosts.Forget{})
}

// removeTraces removes what Pods leave that is no file: mounts and the network.
func (h *hostDraft) removeTraces() {
	table := manifests.OwnershipTable()
	for _, below := range table.Mounts {
		h.clean("mounts/"+trimmed(below), plan.Remove, "nothing may be mounted in what is removed", hosts.Unmount{Below: below})
	}
	h.clean("network", plan.Remove, "links and rules of the cluster's network", hosts.RemoveNetwork{
		Links: table.Links, Tables: table.Tables, Chains: table.Chains, Pods: h.facts.Sandboxes, HostPorts: true,
	})
}

func (h *hostDraft) restore(prior hosts.Prior) {
	h.clean("restore/"+trimmed(prior.Setting), plan.Update, "was "+wasBefore(prior),
		hosts.Restore{Setting: prior.Setting, Value: prior.Value})
}

// restoredFirst tells whether a prior is that of a file in one of the cluster's trees:
// kubeadm wrote it, after the host was claimed. It goes with the tree. The tree's own
// mode is put back at the end.
func restoredFirst(prior hosts.Prior, trees []string) bool {
	file, ok := strings.CutPrefix(prior.Setting, "file/")
	return ok && inTrees(file, trees) && !slices.Contains(trees, file)
}

func wasBefore(prior hosts.Prior) string {
	if prior.Absent {
		return "not there"
	}
	if strings.HasPrefix(prior.Setting, "file/") || prior.Value == "" {
		return "otherwise"
	}
	return prior.Value
}

// ownTree holds nothing but the cluster's where Slipway made it.
const ownTree = "/opt/slipway"

// removePaths removes the cluster's trees with all below them, and of everything else
// only what the record names, and folders in which nothing is left.
func (h *hostDraft) removePaths(record *hosts.Record, trees []string) {
	owned := map[string]hosts.FileType{}
	for _, entry := range record.Paths {
		owned[entry.Path] = entry.Type
	}
	for _, prior := range slices.Backward(record.Priors) {
		if restoredFirst(prior, trees) {
			h.restore(prior)
		}
	}
	var gone []string
	for _, tree := range trees {
		if _, seen := h.facts.Files[tree]; seen || owned[tree] != "" {
			gone = append(gone, tree)
		}
	}
	if owned[ownTree] == hosts.TypeDirectory {
		gone = append(gone, ownTree)
	}
	if owned[manifests.RootKubeFolder] != "" {
		gone = append(gone, manifests.RootKubeFolder+"/cache")
	}
	for _, tree := range gone {
		why, folder := "all in it is the cluster's", h.facts.Files[tree].Type != hosts.TypeFile
		if !folder {
			why = "it is the cluster's"
		}
		h.clean(trimmed(tree), plan.Remove, why, hosts.RemovePath{Path: tree, Recursive: folder})
	}
	h.removeOwned(owned, gone)
}

func inTrees(path string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return within(path, tree) })
}

// removeOwned removes what the record names outside of the trees: files and links
// first, then directories from within, each only if nothing of another's is in it. The
// folders that Pods make unnoted go in the same way.
func (h *hostDraft) removeOwned(owned map[string]hosts.FileType, trees []string) {
	directories := map[string]string{} // why each may go
	for _, folder := range manifests.OwnershipTable().Shared {
		if _, seen := h.facts.Files[folder]; seen && view.Claimed(h.facts.Record) {
			directories[folder] = "the cluster may have made it"
		}
	}
	for _, file := range slices.Sorted(maps.Keys(owned)) {
		switch {
		case inTrees(file, trees):
		case owned[file] == hosts.TypeDirectory:
			directories[file] = "Slipway made it"
		case !replaced(h.facts, file, owned[file]):
			h.clean(trimmed(file), plan.Remove, "Slipway made it", hosts.RemovePath{Path: file})
		}
	}
	for _, directory := range slices.Backward(sortedKeys(directories)) {
		h.clean(trimmed(directory)+"/", plan.Remove, directories[directory], hosts.RemovePath{Path: directory, IfEmpty: true})
	}
}

// replaced tells whether somebody put a file of their own in the place of a link, as
// people do with a kubeconfig.
func replaced(facts hosts.Facts, file string, owned hosts.FileType) bool {
	have, seen := facts.Files[file]
	return seen && owned == hosts.TypeSymlink && have.Type != hosts.TypeSymlink
}

func within(inner, outer string) bool {
	return inner == outer || strings.HasPrefix(inner, path.Clean(outer)+"/")
}

// Leftovers lists what a reset should have removed and that a host still has, or may have
// where it did not answer. before is the record as it was when the reset began; it may be nil.
func Leftovers(before *hosts.Record, now hosts.Facts) []string {
	var left []string
	ours := map[string]bool{}
	if before != nil {
		for _, owned := range before.Paths {
			ours[owned.Path] = !replaced(now, owned.Path, owned.Type)
		}
	}
	restored := map[string]bool{}
	if before != nil {
		for _, prior := range before.Priors {
			if file, ok := strings.CutPrefix(prior.Setting, "file/"); ok && !prior.Absent {
				restored[path.Clean("/"+file)] = true
			}
		}
	}
	trees := clusterTrees(before, now)
	for _, file := range sortedKeys(now.Files) {
		inTree := inTrees(file, trees)
		// A directory that outlived the record holds what is others', or is a mount point:
		// an empty one of Slipway's would have kept the host from forgetting.
		if now.Record == nil && now.Files[file].Type == hosts.TypeDirectory {
			continue
		}
		if !restored[file] && (ours[file] || inTree) {
			left = append(left, file)
		}
	}
	for _, link := range now.Links {
		left = append(left, "link "+link)
	}
	for _, table := range now.Tables {
		left = append(left, "nft table "+table)
	}
	for _, chain := range now.Chains {
		left = append(left, "iptables chain "+chain)
	}
	for _, unit := range sortedKeys(now.Units) {
		if before != nil && slices.Contains(before.Units, unit) && now.Units[unit].Load == "loaded" {
			left = append(left, fmt.Sprintf("unit %s (%s)", unit, now.Units[unit].Active))
		}
	}
	if now.Record != nil {
		left = append(left, "Slipway's record")
	}
	for _, silent := range now.Unanswered {
		if !slices.Contains(onlyChecked, silent.What) {
			left = append(left, fmt.Sprintf("perhaps more: %s", silent))
		}
	}
	return left
}
