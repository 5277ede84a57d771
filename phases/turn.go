package phases

import (
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// On a cluster that is at work, what init changes on its hosts it changes host by host, the next
// only when the last is well: etcd keeps its quorum, an API server always answers, and a bad
// setting stops at one host. All else of the next host waits too, so that what its units read is
// not yet changed when it reboots meanwhile.

const phaseTurn = "wait-turn"

// turnsAbreast is how many workers are changed at a time, once the first of them is well.
const turnsAbreast = 5

// podTimeout is how long, in seconds, a static Pod may take to run by its new manifest.
const podTimeout = 240

// takesTurns tells whether hosts are changed one after another: a first init changes all at once.
// Where no API server says that init has completed, one may only be silent for a moment.
func (in Input) takesTurns() bool {
	return in.workflow == WorkflowInit && (in.completed() || !in.ClusterFacts.Reachable && in.hasWorked())
}

// hasWorked tells whether a kubelet runs on a control plane whose API server has answered before:
// what only talks to it is written after that.
func (in Input) hasWorked() bool {
	return slices.ContainsFunc(in.Cluster.ControlPlanes(), func(host cluster.Host) bool {
		facts := in.Facts[host.Name]
		_, there := facts.Files[manifests.ControllerManifest]
		return there && facts.Units[manifests.KubeletUnit].Active == "active"
	})
}

// etcdServes tells whether an API server can come up by what is done on its own host alone.
func (in Input) etcdServes() bool {
	return !in.Cluster.StackedEtcd() || len(in.ClusterFacts.Members) > 0 && tooFew(voting(in.ClusterFacts.Members)) == ""
}

// answers are the waits for API servers that a host's own steps go by: where hosts take turns,
// a control plane goes by its own alone.
func (h *hostDraft) answers(apis []string) []string {
	if h.in.takesTurns() && h.runsControlPlane() {
		return ownOf(apis, h)
	}
	return apis
}

// awaitPods waits until those static Pods among the steps run that ran by another manifest
// before. It notes the wait among what says that the host is well.
func (h *hostDraft) awaitPods(name string, written []string) {
	if !h.in.takesTurns() {
		return
	}
	var pods []plan.StaticPod
	for _, step := range h.plan.Steps {
		file, writes := step.Action.(hosts.WriteFile)
		if !writes || !slices.Contains(written, step.ID) || !h.runsAlready(file.Path) {
			continue
		}
		pods = append(pods, plan.StaticPod{Name: strings.TrimSuffix(path.Base(file.Path), ".yaml"), Manifest: file.Content})
	}
	if len(pods) == 0 {
		return
	}
	h.renewed = join(h.renewed, []string{h.add(plan.Step{
		ID: "cluster/wait-pods/" + h.host.Name + "/" + name, Phase: phaseWait, Lane: plan.LaneWait + "/pods/" + h.host.Name,
		After: after(join(written, h.kubelet)), Why: "what answers may be the Pod of before",
		Cluster: plan.WaitPods{Host: h.host.Name, Pods: pods, Timeout: podTimeout},
	})})
}

// runsAlready tells whether a static Pod's manifest was there, and a kubelet that runs it.
func (h *hostDraft) runsAlready(manifest string) bool {
	_, there := h.facts.Files[manifest]
	return there && h.facts.Units[manifests.KubeletUnit].Active == "active"
}

// disturbed lists the steps that stop, for a moment, what runs on the host, or start again what
// ran there before.
func (h *hostDraft) disturbed() []string {
	var ids []string
	for _, step := range h.plan.Steps {
		if step.Host != h.host.Name {
			continue
		}
		switch a := step.Action.(type) {
		case hosts.SetUnit:
			if unit := h.facts.Units[a.Name]; a.Active && (unit.Active == "active" || unit.Inputs != "") {
				ids = append(ids, step.ID)
			}
		case hosts.WriteFile:
			if path.Dir(a.Path) == manifests.ManifestsFolder && h.runsAlready(a.Path) {
				ids = append(ids, step.ID)
			}
		}
	}
	return ids
}

// ails tells whether the host does not do its work now, as far as is known: perhaps by what it
// was changed to last. well are the waits until it does.
func (h *hostDraft) ails(well []string) bool {
	needs := []string{manifests.ContainerdUnit, manifests.KubeletUnit}
	if !h.isNode() {
		needs = []string{manifests.HAProxyUnit, manifests.KeepalivedUnit}
	}
	for _, step := range h.plan.Steps {
		unit, sets := step.Action.(hosts.SetUnit)
		if sets && step.Host == h.host.Name && unit.Active && slices.Contains(needs, unit.Name) && h.facts.Units[unit.Name].Active != "active" {
			return true
		}
	}
	if h.in.ClusterFacts.Reachable && h.isNode() {
		node, there := h.in.node(h.host.Name)
		if !there || !node.Ready && h.in.Cluster.Networking.AddOn != cluster.AddOnNone || h.unhealthy() {
			return true
		}
	}
	return len(well) > 0 && len(h.disturbed()) == 0
}

// takeTurns has hosts of a running cluster changed one after another: the control planes, the
// load balancers, one worker, and then the other workers a few at a time. What is not well is
// put right at once, as nobody loses by that, and the others wait for it: a setting that has
// stopped one host goes no further when init is run again. well gives the steps after which a
// host is well again.
func (d *draft) takeTurns(planes, balancers, workers []*hostDraft, well func(*hostDraft) []string) {
	if !d.in.takesTurns() {
		return
	}
	var first, last []string
	if d.in.completed() || d.in.etcdServes() {
		first, last = oneByOne(planes, nil, well)
	} else { // etcd may need what is changed on several of them
		for _, h := range planes {
			first = join(first, h.disturbed(), well(h))
		}
	}
	// A control plane that is not well may need a balancer for it.
	ill, balanced := oneByOne(balancers, last, well)
	sick, healthy := parted(workers, well)
	before := join(first, last, ill, balanced, sick)
	var turns [][]string
	for _, h := range healthy {
		changed := h.disturbed()
		if len(changed) == 0 {
			continue
		}
		if n := len(turns); n > 0 {
			before = turns[max(0, n-turnsAbreast)]
		}
		h.postpone(before)
		turns = append(turns, join(changed, well(h)))
	}
}

// oneByOne has each host that is changed wait for the one before, and the first for the steps
// given and for the hosts that are not well. It gives what those are well after, and the last
// of the others.
func oneByOne(drafts []*hostDraft, before []string, well func(*hostDraft) []string) (ill, last []string) {
	ill, healthy := parted(drafts, well)
	wait := join(before, ill)
	for _, h := range healthy {
		if changed := h.disturbed(); len(changed) > 0 {
			h.postpone(wait)
			last = join(changed, well(h))
			wait = last
		}
	}
	return ill, last
}

// parted gives the steps after which the hosts that are not well are so, and the other hosts.
func parted(drafts []*hostDraft, well func(*hostDraft) []string) (ill []string, healthy []*hostDraft) {
	for _, h := range drafts {
		steps := well(h)
		if h.ails(steps) {
			ill = join(ill, h.disturbed(), steps)
		} else {
			healthy = append(healthy, h)
		}
	}
	return ill, healthy
}

// postpone has all of the host's own steps wait, and the look at the quorum with them.
func (h *hostDraft) postpone(before []string) {
	if len(before) == 0 {
		return
	}
	for i, step := range h.plan.Steps {
		if step.Host == h.host.Name || step.ID == h.quorumID() {
			h.plan.Steps[i].After = append(slices.Clone(step.After), plan.All(before...))
		}
	}
}

func (h *hostDraft) quorumID() string {
	return "cluster/" + phaseTurn + "/" + h.host.Name + "/quorum"
}

// quorumInTurn looks, when the host's turn has come, whether etcd can do without its member for
// as long as that takes to start again.
func (h *hostDraft) quorumInTurn() []string {
	const least = 3 // fewer have no quorum without one
	members := voting(h.in.ClusterFacts.Members)
	own := voting(membersOf(members, h.host))
	if !h.in.takesTurns() || !h.in.Cluster.StackedEtcd() || len(members) < least || len(own) == 0 || !h.runsAlready(manifests.EtcdManifest) || !h.rewrites(manifests.EtcdManifest) {
		return nil
	}
	return []string{h.add(plan.Step{
		ID: h.quorumID(), Phase: phaseTurn, Lane: phaseTurn + "/" + h.host.Name,
		Why: "its etcd is started anew", Cluster: plan.QuorumHolds{Without: own[0].Name},
	})}
}

// rewrites tells whether a file of the host is not as it should be.
func (h *hostDraft) rewrites(path string) bool {
	return slices.ContainsFunc(h.state.Files, func(file manifests.File) bool {
		if file.Path != path {
			return false
		}
		why, _ := h.fileDiffers(file)
		return why != ""
	})
}
