package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// watchPace is how often a watch tells and looks, and what it waits for.
type watchPace struct {
	tell     time.Duration // at least between two calls
	alive    time.Duration // between two looks whether an API server answers
	down     time.Duration // the same, while none does
	again    time.Duration // before a list or watch that has failed is tried again: at first
	longest  time.Duration // the same, at last
	pending  time.Duration // how long a Pod may be Pending and be called well
	unready  time.Duration // how long a Pod may not be ready
	overtime time.Duration // how much longer than it was given a Pod may take to end
}

var usualWatchPace = watchPace{
	tell:     200 * time.Millisecond,
	alive:    5 * time.Second,
	down:     time.Second,
	again:    250 * time.Millisecond,
	longest:  2 * time.Second,
	pending:  time.Minute,
	unready:  30 * time.Second,
	overtime: 30 * time.Second,
}

// What is kept of the objects of a list until all of it is there: what is shown of them.

func watchedNode(node corev1.Node) corev1.Node {
	return corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, Labels: node.Labels, Annotations: node.Annotations},
		Spec:       corev1.NodeSpec{Unschedulable: node.Spec.Unschedulable},
		Status: corev1.NodeStatus{
			Conditions: node.Status.Conditions, NodeInfo: corev1.NodeSystemInfo{KubeletVersion: node.Status.NodeInfo.KubeletVersion},
		},
	}
}

func shownOfPod(pod corev1.Pod) corev1.Pod {
	containers := func(statuses []corev1.ContainerStatus) (kept []corev1.ContainerStatus) {
		for _, status := range statuses {
			kept = append(kept, corev1.ContainerStatus{State: status.State, RestartCount: status.RestartCount})
		}
		return kept
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, Labels: pod.Labels, OwnerReferences: pod.OwnerReferences, Finalizers: pod.Finalizers,
			CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec: corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase, Reason: pod.Status.Reason, Message: pod.Status.Message, Conditions: pod.Status.Conditions,
			ContainerStatuses: containers(pod.Status.ContainerStatuses), InitContainerStatuses: containers(pod.Status.InitContainerStatuses),
		},
	}
}

func shownOfEvent(event corev1.Event) corev1.Event {
	event.ManagedFields, event.Annotations, event.Labels = nil, nil, nil
	return event
}

const roleLabel = "node-role.kubernetes.io/"

func liveNode(node *corev1.Node) hosts.LiveNode {
	live := hosts.LiveNode{
		Name: hosts.CleanLine(node.Name), Version: hosts.CleanLine(node.Status.NodeInfo.KubeletVersion),
		Cordoned: node.Spec.Unschedulable, CordonedBy: hosts.CleanLine(node.Annotations[hosts.AnnotationCordonedBy]),
	}
	var reason string
	live.Ready, reason = readiness(*node)
	live.Reason = hosts.CleanLine(reason)
	for name := range node.Labels {
		if role, is := strings.CutPrefix(name, roleLabel); is {
			live.Roles = append(live.Roles, hosts.CleanLine(role))
		}
	}
	live.Pressures = pressures(*node)
	slices.Sort(live.Roles)
	return live
}

func warning(event *corev1.Event) hosts.Warning {
	of := event.InvolvedObject
	name := cmp.Or(strings.Trim(of.Namespace+"/"+of.Name, "/"), of.Name)
	shown := hosts.Warning{
		Object: hosts.CleanLine(strings.TrimSpace(of.Kind + " " + name)),
		Reason: hosts.CleanLine(event.Reason), Message: hosts.CleanLine(plainly(event.Message)),
		Count: max(1, int(event.Count)),
	}
	times := []time.Time{event.CreationTimestamp.Time, event.EventTime.Time, event.FirstTimestamp.Time, event.LastTimestamp.Time}
	if series := event.Series; series != nil {
		shown.Count = max(shown.Count, int(series.Count))
		times = append(times, series.LastObservedTime.Time)
	}
	shown.Time = slices.MaxFunc(times, time.Time.Compare)
	return shown
}

// watchedPod is what is kept of a Pod.
type watchedPod struct {
	node  string
	ended bool
	short hosts.LivePod
	// trouble is what makes it unwell; nil: nothing does. It counts from this time on.
	trouble *hosts.UnwellPod
	from    time.Time
}

func (p watchPace) watchedPod(pod *corev1.Pod) watchedPod {
	kept := watchedPod{
		node: pod.Spec.NodeName, ended: pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed,
		short: hosts.LivePod{Namespace: hosts.CleanLine(pod.Namespace), Name: hosts.CleanLine(pod.Name), Phase: hosts.CleanLine(string(pod.Status.Phase))},
	}
	if pod.DeletionTimestamp != nil {
		kept.short.Phase = "Terminating"
	}
	for _, status := range containersOf(pod) {
		kept.short.Restarts += int(status.RestartCount)
	}
	t := p.troubleOf(pod)
	if t.reason == "" {
		return kept
	}
	kept.from = t.from
	kept.trouble = &hosts.UnwellPod{
		Namespace: kept.short.Namespace, Name: kept.short.Name, Node: hosts.CleanLine(pod.Spec.NodeName),
		Owner: hosts.CleanLine(ownerOf(pod)), Phase: hosts.CleanLine(string(pod.Status.Phase)),
		Reason: hosts.CleanLine(t.reason), Message: hosts.CleanLine(plainly(t.message)), Since: t.since,
		Restarts: kept.short.Restarts,
	}
	return kept
}

// trouble is what makes a Pod unwell, since when, and from when on that counts; without a reason
// nothing does.
type trouble struct {
	reason, message string
	since, from     time.Time
}

func (p watchPace) troubleOf(pod *corev1.Pod) trouble {
	born := pod.CreationTimestamp.Time
	switch {
	case pod.Status.Phase == corev1.PodSucceeded:
		return trouble{}
	case pod.DeletionTimestamp != nil:
		over := pod.DeletionTimestamp.Time
		why := "it should have ended"
		if len(pod.Finalizers) > 0 {
			why = "it waits for who has set its finalizers: " + strings.Join(pod.Finalizers, ", ")
		}
		return trouble{"Terminating", why, over, over.Add(p.overtime)}
	case pod.Status.Phase == corev1.PodFailed:
		return trouble{cmp.Or(pod.Status.Reason, "Failed"), cmp.Or(pod.Status.Message, podTrouble(*pod)), born, time.Time{}}
	}
	if waiting := stuckContainer(pod); waiting != nil {
		return trouble{waiting.Reason, waiting.Message, born, time.Time{}}
	}
	if pod.Status.Phase == corev1.PodPending || pod.Status.Phase == "" {
		return trouble{"Pending", podTrouble(*pod), born, born.Add(p.pending)}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status != corev1.ConditionTrue {
			since := condition.LastTransitionTime.Time
			return trouble{"NotReady", cmp.Or(podTrouble(*pod), worded(condition.Reason, condition.Message)), since, since.Add(p.unready)}
		}
	}
	return trouble{}
}

// stuckContainer is the first container that does not come up for a reason that waiting alone does not
// mend; nil where there is none.
func stuckContainer(pod *corev1.Pod) *corev1.ContainerStateWaiting {
	for _, status := range containersOf(pod) {
		waiting := status.State.Waiting
		if waiting != nil && waiting.Reason != "" && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing" {
			return waiting
		}
	}
	return nil
}

func containersOf(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

// ownerOf is kind and name of what a Pod is of: of a ReplicaSet that a Deployment has made, that one.
func ownerOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return ""
	}
	hash := pod.Labels["pod-template-hash"]
	if name, of := strings.CutSuffix(owner.Name, "-"+hash); owner.Kind == "ReplicaSet" && of && hash != "" {
		return "Deployment " + name
	}
	return fmt.Sprintf("%s %s", owner.Kind, owner.Name)
}
