package api

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestAMemoryLimitIsSeenInWhicheverTryItEnded: on a slow host the limit may meet who starts the container first.
func TestAMemoryLimitIsSeenInWhicheverTryItEnded(t *testing.T) {
	ended := func(reason string) corev1.ContainerState {
		if reason == "" {
			return corev1.ContainerState{}
		}
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: 128}}
	}
	for name, test := range map[string]struct {
		before, now string // what the container ended with
		seen        string // empty: the promise is kept
	}{
		"at its limit":                       {"", "OOMKilled", ""},
		"at its limit, and started again":    {"OOMKilled", "", ""},
		"not started, and then at its limit": {"StartError", "OOMKilled", ""},
		"not started":                        {"", "StartError", "it ended with StartError, code 128"},
		"not started once":                   {"StartError", "", "it ended with StartError, code 128"},
		"its work is done":                   {"", "Completed", "it ended with Completed"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{LastTerminationState: ended(test.before), State: ended(test.now)}}}}
			if got := limited(pod); (got == "") != (test.seen == "") || !strings.HasPrefix(got, test.seen) {
				t.Errorf("seen is %q, want %q", got, test.seen)
			}
		})
	}
}
