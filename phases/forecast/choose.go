package forecast

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// longGrace is from how long on it is told that a Pod may take its time to end.
const longGrace = 60 * time.Second

// defaultGrace is what a Pod has that does not say.
const defaultGrace = 30 * time.Second

// harmless are finalizers that Kubernetes' own controllers set and remove by themselves.
var harmless = map[string]bool{"batch.kubernetes.io/job-tracking": true, "foregroundDeletion": true, "orphan": true}

// choose says whether a Pod is to go, by the rules of kubectl drain --ignore-daemonsets, and what
// there is to know before any budget is asked. A Pod that is blocked here is not asked for at all.
func (s *simulation) choose(p *pod) Pod {
	told := Pod{Name: p.key, Owner: p.owner, Fate: Evicted}
	over := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	stays := func(why string) Pod {
		told.Fate, told.Why = Stays, why
		return told
	}
	switch {
	case !s.selector.Matches(p.labels):
		return stays("--pod-selector leaves it")
	case p.Annotations[corev1.MirrorPodAnnotationKey] != "":
		told.Owner = ""
		return stays("static Pod")
	case s.skipped(p):
		return stays("it was told to end long ago, and is not waited for (--skip-wait-for-delete-timeout)")
	case p.daemonSet != "" && !over && s.state.DaemonSets[p.daemonSet]:
		return stays("DaemonSet")
	}
	if over {
		told.Why = "it has ended"
		return told
	}
	s.judge(p, &told)
	if Worst(told.Notes) == Blocks {
		told.Fate = Blocked
	}
	return told
}

// skipped tells whether a Pod ends for longer than it is to be waited for.
func (s *simulation) skipped(p *pod) bool {
	limit := time.Duration(s.options.SkipWaitForDelete) * time.Second
	return limit > 0 && p.DeletionTimestamp != nil && s.options.Now.Sub(p.DeletionTimestamp.Time) > limit
}

// judge notes what is to be known of a Pod that runs.
func (s *simulation) judge(p *pod, told *Pod) {
	note := func(kind Kind, severity Severity, fix string, may []Choice, seen string, args ...any) {
		told.Notes = append(told.Notes, Note{Kind: kind, Severity: severity, Seen: fmt.Sprintf(seen, args...), Fix: fix, May: may})
	}
	kubectl := "kubectl -n " + p.Namespace + " "
	switch {
	case p.daemonSet != "" && !s.options.Force:
		note(KindOrphan, Blocks, "--force deletes it", []Choice{Skip}, "its DaemonSet %s is gone, and nothing makes it again", p.daemonSet)
	case p.daemonSet != "":
		told.Fate = Deleted
		note(KindOrphan, Interrupts, "", nil, "its DaemonSet %s is gone: it is deleted for good", p.daemonSet)
	case p.controller == nil && !s.options.Force:
		note(KindBare, Blocks, "save what it is: "+kubectl+"get pod "+p.Name+" -o yaml; then --force deletes it", []Choice{Skip}, "no controller makes it again elsewhere")
	case p.controller == nil:
		told.Fate = Deleted
		note(KindBare, Interrupts, kubectl+"get pod "+p.Name+" -o yaml, and apply it again afterwards", nil, "no controller makes it again: it is deleted for good")
	case p.controller.Kind == "Job":
		note(KindJob, Interrupts, "wait until it has ended, where it can not be run twice", nil, "the Job begins this Pod's work anew")
	}
	s.judgeVolumes(p, note)
	s.judgeEnd(p, kubectl, note)
}

type noting func(kind Kind, severity Severity, fix string, may []Choice, seen string, args ...any)

func (s *simulation) judgeVolumes(p *pod, note noting) {
	var empty, paths []string
	for _, volume := range p.Spec.Volumes {
		switch {
		case volume.EmptyDir != nil:
			empty = append(empty, volume.Name)
		case volume.HostPath != nil:
			paths = append(paths, volume.HostPath.Path)
		}
	}
	switch {
	case len(empty) == 0:
	case s.options.DeleteEmptyDirData:
		note(KindEmptyDir, Told, "", nil, "what is in emptyDir %s is lost", some(empty))
	default:
		note(KindEmptyDir, Blocks, "--delete-emptydir-data, if they may be lost", []Choice{Skip}, "what is in emptyDir %s would be lost", some(empty))
	}
	if len(paths) > 0 {
		note(KindHostPath, Told, "", nil, "it uses %s of its host, and gets another host's", some(paths))
	}
}

// judgeEnd notes what keeps a Pod from ending soon.
func (s *simulation) judgeEnd(p *pod, kubectl string, note noting) {
	limit := time.Duration(s.options.Timeout) * time.Second
	switch grace := s.grace(p); {
	case limit > 0 && grace >= limit:
		note(KindGrace, Blocks, fmt.Sprintf("--timeout %s, or a shorter --grace-period", brief(grace+time.Minute)), []Choice{Skip},
			"it may take %s to end, and the time limit is %s", brief(grace), brief(limit))
	case grace > longGrace:
		note(KindGrace, Told, "", nil, "it may take %s to end", brief(grace))
	}
	var held []string
	for _, finalizer := range p.Finalizers {
		if !harmless[finalizer] {
			held = append(held, finalizer)
		}
	}
	ending := p.DeletionTimestamp != nil
	switch {
	case len(held) > 0:
		began := "stays until whoever set it removes it"
		if ending {
			began = "was told to end, and " + began
		}
		note(KindFinalizer, Blocks, "see to it that its owner does; else "+kubectl+"patch pod "+p.Name+` --type merge -p '{"metadata":{"finalizers":null}}'`,
			[]Choice{Wait, Skip}, "it has finalizer %s: it %s", some(held), began)
	case ending:
		note(KindEnding, Told, "", nil, "it is ending already")
	}
}

// grace is how long a Pod may take to end.
func (s *simulation) grace(p *pod) time.Duration {
	switch {
	case s.options.GracePeriod != nil && *s.options.GracePeriod >= 0:
		return time.Duration(*s.options.GracePeriod) * time.Second
	case p.Spec.TerminationGracePeriodSeconds != nil:
		return time.Duration(*p.Spec.TerminationGracePeriodSeconds) * time.Second
	}
	return defaultGrace
}

// brief writes a duration as people do: 5m, not 5m0s.
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// daemonSetOf is the DaemonSet that a Pod says it is of.
func daemonSetOf(pod *corev1.Pod, controller *metav1.OwnerReference) string {
	if controller == nil || controller.Kind != "DaemonSet" || !strings.HasPrefix(controller.APIVersion, "apps/") {
		return ""
	}
	return pod.Namespace + "/" + controller.Name
}
