package hosts

import "strings"

var _ = register(StopPods{})

// StopPods stops and removes every Pod, container and task in containerd's k8s.io
// namespace, whether the kubelet runs or not.
type StopPods struct {
	// Only names the Pods of kube-system that are stopped, where not all are; each of their
	// containers is asked to end first, and has Grace seconds for it.
	Only  []string `json:"only,omitempty"`
	Grace int      `json:"graceSeconds,omitempty"`
}

func (a StopPods) describe() Description {
	pods := "all Pods"
	if len(a.Only) > 0 {
		pods = strings.Join(a.Only, ", ")
	}
	return Description{Kind: "stop-pods", Deed: "stop and remove " + pods}
}
