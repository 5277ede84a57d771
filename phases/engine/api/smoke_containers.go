package api

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// probes runs a container whose liveness probe fails, and one whose readiness probe does: the
// one is started anew, the other goes on and is not ready.
func (s *Smoke) probes(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/probed", smokeData{App: "probed"}); err != nil {
		return "", err
	}
	_, err := s.podIs(ctx, "probed", "to be restarted by its liveness probe, and be not ready by its readiness probe", func(pod corev1.Pod) string {
		var alive, ready corev1.ContainerStatus
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == "alive" {
				alive = status
			} else {
				ready = status
			}
		}
		switch {
		case len(pod.Status.ContainerStatuses) < 2:
			return runs(pod)
		case alive.RestartCount == 0:
			return "the container whose liveness probe fails is not started anew"
		case ready.Ready:
			return "the container whose readiness probe fails is ready"
		case ready.State.Running == nil || ready.RestartCount > 0: // it runs the same program, so it is not that which ends
			return "the container whose readiness probe fails does not go on running"
		}
		return ""
	})
	return "liveness restarts a container, readiness holds a Pod back", err
}

// limited is empty when a Pod's container was ended at its memory limit, now or before it was started again.
func limited(pod corev1.Pod) string {
	seen := runs(pod)
	for _, status := range pod.Status.ContainerStatuses {
		for _, state := range []corev1.ContainerState{status.LastTerminationState, status.State} {
			switch ended := state.Terminated; {
			case ended == nil:
			case ended.Reason == "OOMKilled":
				return ""
			default:
				seen = fmt.Sprintf("it ended with %s, code %d, and not for its memory", ended.Reason, ended.ExitCode)
			}
		}
	}
	return seen
}

func (s *Smoke) limits(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/limited", smokeData{App: "limited"}); err != nil {
		return "", err
	}
	_, err := s.podIs(ctx, "limited", "to be ended at its memory limit", limited)
	return "a container over its memory limit is ended", err
}
