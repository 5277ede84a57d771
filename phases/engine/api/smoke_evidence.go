package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	corev1 "k8s.io/api/core/v1"
)

// lastEvents is how many of an object's warnings are shown.
const lastEvents = 3

// describe fills in of a broken promise where, why, and what proves it.
func (s *Smoke) describe(ctx context.Context, result *SmokeResult, err error) {
	result.Cause = plainly(err.Error())
	broken, ok := errors.AsType[*brokenPromise](err)
	if !ok {
		return
	}
	result.Object, result.Node = broken.object.String(), broken.node
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.c.pace.observe)
	defer cancel()
	pods, err := s.pods(ctx, broken.object.Name)
	if err != nil {
		return
	}
	pods = slices.DeleteFunc(pods, podReady)
	result.Evidence = s.warnings(ctx, broken.object.Name, pods)
	for _, pod := range pods {
		result.Node = cmp.Or(result.Node, pod.Spec.NodeName)
		if why := podTrouble(pod); why != "" {
			result.Evidence = append(result.Evidence, "Pod "+pod.Name+": "+why)
		}
		if said, err := s.log(ctx, pod, false); err == nil && strings.TrimSpace(said) != "" {
			result.Evidence = append(result.Evidence, "Pod "+pod.Name+" says: "+lastLine(said))
		}
	}
}

// warnings are the last events about an object and those of its Pods that are not ready.
func (s *Smoke) warnings(ctx context.Context, name string, pods []corev1.Pod) []string {
	body, err := s.c.get(ctx, "/api/v1/namespaces/"+s.Namespace()+"/events")
	if err != nil {
		return nil
	}
	events, err := each(body, partsSeen, func(event corev1.Event) corev1.Event { return event })
	if err != nil {
		return nil
	}
	events = slices.DeleteFunc(events, func(event corev1.Event) bool {
		about := event.InvolvedObject.Name
		ofPod := slices.ContainsFunc(pods, func(pod corev1.Pod) bool { return pod.Name == about })
		return event.Type != corev1.EventTypeWarning || event.InvolvedObject.Kind == "Pod" && !ofPod || about != name && !ofPod
	})
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	var lines []string
	for _, event := range events[max(0, len(events)-lastEvents):] {
		lines = append(lines, event.InvolvedObject.Kind+" "+event.InvolvedObject.Name+": "+worded(event.Reason, event.Message))
	}
	return lines
}

// log is the last of what a Pod's first container wrote; with ended, of its last run before.
func (s *Smoke) log(ctx context.Context, pod corev1.Pod, ended bool) (string, error) {
	params := map[string]string{"container": pod.Spec.Containers[0].Name, "tailLines": "5", "limitBytes": "4096"}
	if ended {
		params["previous"] = "true"
	}
	body, err := s.c.send(ctx, request{verb: http.MethodGet, path: "/api/v1/namespaces/" + pod.Namespace + "/pods/" + pod.Name + "/log", params: params})
	return string(body), err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return hosts.CleanLine(lines[len(lines)-1])
}
