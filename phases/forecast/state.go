// Package forecast says beforehand what draining hosts will do: which Pods go and which stay, what
// will block, and what is missed meanwhile. It plays a whole sequence of hosts, since what one
// host's drain takes of a disruption budget, or of the room elsewhere, the next one lacks.
//
// It is pure: it touches no host, no clock and no file. Of the scheduler's rules it knows those that
// can keep a Pod from every node: resources, node selector and affinity, taints, ports of the host,
// where volumes are, and required Pod anti-affinity. It does not know required Pod affinity and
// topology spread; and it is as good at placing Pods as the scheduler may be, so that what it says
// will block does.
package forecast

import (
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// State is what was seen of a cluster. Of the objects only those fields are needed that the
// package reads: Trim takes away the others.
type State struct {
	Nodes   []corev1.Node
	Pods    []corev1.Pod
	Budgets []policyv1.PodDisruptionBudget
	Volumes []corev1.PersistentVolume
	Claims  []corev1.PersistentVolumeClaim
	// DaemonSets are those that exist, by namespace/name.
	DaemonSets map[string]bool
	// Refused is why the API server has refused, as a dry run, to evict a Pod, by namespace/name.
	Refused map[string]string
}

// Set is hosts that are drained while all of them are cordoned, one after another.
type Set struct {
	Hosts []string
	// Return tells that they take Pods again before the next set goes.
	Return bool
}

// Options are how hosts are drained, and when.
type Options struct {
	plan.DrainOptions
	Now time.Time
	// Cordoned are nodes that one who was interrupted has cordoned for these drains: they take Pods again
	// like those that are cordoned now, and at once where no set has them.
	Cordoned map[string]bool
}

// Forecast is what draining will do, host by host in their order.
type Forecast struct {
	Hosts []Host `json:"hosts"`
}

// Host is what draining one host will do.
type Host struct {
	Name  string `json:"name"`
	Pods  []Pod  `json:"pods"`
	Notes []Note `json:"notes,omitempty"` // of the host itself
}

// Fate is what becomes of a Pod.
type Fate string

// The fates.
const (
	Evicted Fate = "evicted"
	Deleted Fate = "deleted" // without asking a budget, or for good
	Stays   Fate = "stays"
	Blocked Fate = "blocked"
)

// Pod is what becomes of one Pod, and why.
type Pod struct {
	Name  string `json:"name"` // namespace/name
	Owner string `json:"owner,omitempty"`
	Fate  Fate   `json:"fate"`
	Why   string `json:"why,omitempty"`
	Notes []Note `json:"notes,omitempty"`
}

// Severity is how much a note matters.
type Severity string

// The severities.
const (
	Blocks     Severity = "blocks"     // the drain does not end
	Interrupts Severity = "interrupts" // something that the cluster runs is missed meanwhile, or lost
	Told       Severity = "told"
)

// Kind is what a note is about.
type Kind string

// The kinds.
const (
	KindBudget    Kind = "budget"
	KindRefused   Kind = "refused" // the API server refuses the eviction, and no budget explains it
	KindBare      Kind = "bare"
	KindOrphan    Kind = "orphan"
	KindEmptyDir  Kind = "emptyDir"
	KindHostPath  Kind = "hostPath"
	KindSingle    Kind = "single"
	KindJob       Kind = "job"
	KindNowhere   Kind = "nowhere"
	KindVolume    Kind = "volume"
	KindGrace     Kind = "gracePeriod"
	KindFinalizer Kind = "finalizer"
	KindEnding    Kind = "ending"
	KindNode      Kind = "node"
)

// Choice is what may be done about what blocks.
type Choice string

// The choices; what is left is to touch nothing.
const (
	Wait  Choice = "wait"  // until it passes or the time is over
	Force Choice = "force" // wait for some time, then delete
	Skip  Choice = "skip"  // leave this host out
)

// Note is one thing to know about a Pod's or host's drain, and what to do about it.
type Note struct {
	Kind     Kind     `json:"kind"`
	Severity Severity `json:"severity"`
	Seen     string   `json:"seen"`
	May      []Choice `json:"may,omitempty"` // what helps, of what can be chosen
	Fix      string   `json:"fix,omitempty"`
}

// Goes tells whether the Pod is to go, be it that something blocks it.
func (p Pod) Goes() bool { return p.Fate != Stays }

// Worst is how much the worst of some notes matters; empty where there is none.
func Worst(notes []Note) Severity {
	worst := Severity("")
	for _, note := range notes {
		switch {
		case note.Severity == Blocks, worst == "", note.Severity == Interrupts && worst == Told:
			worst = note.Severity
		}
	}
	return worst
}

// Blocks tells whether the host's drain would not end.
func (h Host) Blocks() bool {
	if Worst(h.Notes) == Blocks {
		return true
	}
	for _, pod := range h.Pods {
		if Worst(pod.Notes) == Blocks {
			return true
		}
	}
	return false
}

// Going counts the Pods that are to go.
func (h Host) Going() int {
	n := 0
	for _, pod := range h.Pods {
		if pod.Goes() {
			n++
		}
	}
	return n
}

// Blocked names the hosts whose drain would not end.
func (f Forecast) Blocked() []string {
	var names []string
	for _, host := range f.Hosts {
		if host.Blocks() {
			names = append(names, host.Name)
		}
	}
	return names
}

// Asked names the Pods whose eviction the API server is asked for.
func (f Forecast) Asked() []string {
	var names []string
	for _, host := range f.Hosts {
		for _, pod := range host.Pods {
			if pod.Fate == Evicted || slices.ContainsFunc(pod.Notes, func(n Note) bool { return n.Kind == KindBudget }) {
				names = append(names, pod.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names) // one may move from host to host
}

// Of finds a host's part.
func (f Forecast) Of(name string) Host {
	for _, host := range f.Hosts {
		if host.Name == name {
			return host
		}
	}
	return Host{Name: name}
}

// Trim takes away what no forecast needs of a Pod: most of it.
func Trim(pod corev1.Pod) corev1.Pod {
	pod.ManagedFields = nil
	for name := range pod.Annotations {
		if name != corev1.MirrorPodAnnotationKey {
			delete(pod.Annotations, name)
		}
	}
	trimContainers(pod.Spec.InitContainers)
	trimContainers(pod.Spec.Containers)
	pod.Spec.EphemeralContainers = nil
	pod.Status = corev1.PodStatus{Phase: pod.Status.Phase, Conditions: pod.Status.Conditions}
	return pod
}

func trimContainers(containers []corev1.Container) {
	for i, c := range containers {
		containers[i] = corev1.Container{Name: c.Name, Resources: c.Resources, Ports: c.Ports, RestartPolicy: c.RestartPolicy}
	}
}

// keyOf is how a Pod is called.
func keyOf(pod *corev1.Pod) string { return pod.Namespace + "/" + pod.Name }

// ownerOf names what makes a Pod again, for people: of a ReplicaSet that a Deployment has made, that
// one, whose name the ReplicaSet's begins with. The hash that follows is on the Pod as well.
func ownerOf(pod *corev1.Pod) string {
	for _, owner := range pod.OwnerReferences {
		if owner.Controller == nil || !*owner.Controller {
			continue
		}
		kind, name := owner.Kind, owner.Name
		if hash := pod.Labels["pod-template-hash"]; kind == "ReplicaSet" && hash != "" {
			if deployment, found := strings.CutSuffix(name, "-"+hash); found {
				kind, name = "Deployment", deployment
			}
		}
		return kind + " " + pod.Namespace + "/" + name
	}
	return ""
}
