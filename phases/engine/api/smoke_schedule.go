package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func (s *Smoke) requests(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/greedy", smokeData{App: "greedy"}); err != nil {
		return "", err
	}
	_, err := s.podIs(ctx, "greedy", "to be refused by every node", turnedAway("Insufficient cpu"))
	return "a Pod that asks for more than any node has waits", err
}

// turnedAway is what keeps a Pod from being refused by the scheduler for a reason.
func turnedAway(reason string) func(corev1.Pod) string {
	return func(pod corev1.Pod) string {
		switch why := unscheduled(pod); {
		case pod.Spec.NodeName != "":
			return "it is on " + pod.Spec.NodeName
		case why == "":
			return "the scheduler has not looked at it"
		case !strings.Contains(why, reason):
			return why
		}
		return ""
	}
}

// taints uses a taint that a node has already: one more would keep off the users' Pods.
func (s *Smoke) taints(ctx context.Context) (string, error) {
	at := slices.IndexFunc(s.nodes, func(node corev1.Node) bool { return len(hardTaints(node)) > 0 })
	if at < 0 {
		return "", notAsked("no node that can be asked has a taint")
	}
	node, taints := s.nodes[at], hardTaints(s.nodes[at])
	for _, app := range []string{"repelled", "tolerating"} {
		if err := s.make(ctx, "smoke/"+app, smokeData{App: app, Node: hostname(node), Taints: taints}); err != nil {
			return "", err
		}
	}
	if _, err := s.podIs(ctx, "repelled", "to be kept off by a taint", turnedAway("untolerated taint")); err != nil {
		return "", err
	}
	_, err := s.podIs(ctx, "tolerating", "to run where it tolerates the taint", runs)
	return fmt.Sprintf("%s of %s keeps off who does not tolerate it", taints[0].ToString(), node.Name), err
}

// hardTaints are a node's that keep Pods off.
func hardTaints(node corev1.Node) []corev1.Taint {
	return slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(taint corev1.Taint) bool { return taint.Effect == corev1.TaintEffectPreferNoSchedule })
}

// selectors places a Pod by its node's label, and takes from it the label by which a Service
// finds it.
func (s *Smoke) selectors(ctx context.Context) (string, error) {
	node := s.plain[0]
	if err := s.make(ctx, "smoke/picked", smokeData{App: "picked", Node: hostname(node)}); err != nil {
		return "", err
	}
	pod, err := s.podIs(ctx, "picked", "to run", runs)
	if err != nil {
		return "", err
	}
	if pod.Spec.NodeName != node.Name {
		return "", &brokenPromise{object: s.key("v1", "Pod", "picked"), node: pod.Spec.NodeName, err: fmt.Errorf("it selects the node with %s=%s, which is %s", corev1.LabelHostname, hostname(node), node.Name)}
	}
	if err := s.endpoints(ctx, 1); err != nil {
		return "", err
	}
	err = s.c.persist(ctx, nil, func(ctx context.Context) error {
		without := []byte(`{"metadata":{"labels":{"slipway.dev/picked":null}}}`)
		_, err := s.c.typed.CoreV1().Pods(s.Namespace()).Patch(ctx, "picked", types.MergePatchType, without, metav1.PatchOptions{FieldManager: FieldManager})
		return err
	})
	if err != nil {
		return "", &brokenPromise{object: s.key("v1", "Pod", "picked"), err: err}
	}
	return "a node by its label, a Service's Pods by theirs", s.endpoints(ctx, 0)
}

// endpoints waits until a Service has found so many Pods.
func (s *Smoke) endpoints(ctx context.Context, want int) error {
	return s.until(ctx, s.key("v1", "Service", "picked"), fmt.Sprintf("Service picked to have %d Pods behind it", want), func(ctx context.Context) (bool, string, error) {
		slices, err := s.c.typed.DiscoveryV1().EndpointSlices(s.Namespace()).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=picked"})
		if err != nil {
			return false, "", err
		}
		found := 0
		for _, slice := range slices.Items {
			found += len(slice.Endpoints)
		}
		return found == want, fmt.Sprintf("it has %d", found), nil
	})
}
