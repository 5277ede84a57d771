package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// budget has an eviction refused by a budget that allows none, and done by one that does.
func (s *Smoke) budget(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/budget", smokeData{App: "budget", Available: 1}); err != nil {
		return "", err
	}
	pod, err := s.podIs(ctx, "budget", "to run", runs)
	if err != nil {
		return "", err
	}
	key := s.key("policy/v1", "PodDisruptionBudget", "budget")
	err = s.until(ctx, key, "the budget to count its Pod", func(ctx context.Context) (bool, string, error) {
		var budget policyv1.PodDisruptionBudget
		_, err := s.get(ctx, key, &budget)
		return budget.Status.CurrentHealthy == 1, fmt.Sprintf("it counts %d", budget.Status.CurrentHealthy), err
	})
	if err != nil {
		return "", err
	}
	evict := func(ctx context.Context) error {
		return s.c.typed.CoreV1().Pods(s.Namespace()).EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}})
	}
	if why := refusedByBudget(evict(ctx)); why != "" {
		return "", &brokenPromise{object: key, node: pod.Spec.NodeName, err: errors.New("an eviction that leaves fewer Pods than the budget asks for: " + why)}
	}
	objects, err := s.render("smoke/budget", smokeData{App: "budget"})
	if err != nil {
		return "", err
	}
	if _, err := s.c.applyOnce(ctx, key, objects[0].body); err != nil {
		return "", &brokenPromise{object: key, err: err}
	}
	err = s.until(ctx, key, "the budget to allow an eviction", func(ctx context.Context) (bool, string, error) {
		err := evict(ctx)
		if err != nil && answered(err) {
			return false, refusal(err), nil
		}
		return err == nil, "", err
	})
	return "an eviction is refused, then allowed", err
}

// refusedByBudget is what is wrong with the answer to an eviction that a budget does not allow.
func refusedByBudget(err error) string {
	switch {
	case err == nil:
		return "it was allowed"
	case !strings.Contains(refusal(err), "disruption budget"):
		return err.Error()
	}
	return ""
}
