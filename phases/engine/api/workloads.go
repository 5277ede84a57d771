package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	pageOf    = 250     // objects of a list that are asked for at once
	mostPaged = 500_000 // objects of all pages
	mostOld   = 3       // times that a list is begun anew because its pages are too old
)

// Workloads looks at what runs in the cluster, and where else it could: what a forecast of drains
// is made of.
func (c *Client) Workloads(ctx context.Context) (forecast.State, error) {
	state := forecast.State{DaemonSets: map[string]bool{}}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		state.Nodes, err = pages(ctx, c, "/api/v1/nodes", "", trimNode)
		return err
	})
	group.Go(func() (err error) {
		state.Pods, err = pages(ctx, c, "/api/v1/pods", "", forecast.Trim)
		return err
	})
	group.Go(func() (err error) {
		state.Budgets, err = pages(ctx, c, "/apis/policy/v1/poddisruptionbudgets", "", func(b policyv1.PodDisruptionBudget) policyv1.PodDisruptionBudget {
			b.ManagedFields, b.Status.DisruptedPods = nil, nil
			return b
		})
		return err
	})
	group.Go(func() (err error) {
		state.Volumes, err = pages(ctx, c, "/api/v1/persistentvolumes", "", func(v corev1.PersistentVolume) corev1.PersistentVolume {
			return corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: v.Name}, Spec: corev1.PersistentVolumeSpec{NodeAffinity: v.Spec.NodeAffinity}}
		})
		return err
	})
	group.Go(func() (err error) {
		state.Claims, err = pages(ctx, c, "/api/v1/persistentvolumeclaims", "", func(v corev1.PersistentVolumeClaim) corev1.PersistentVolumeClaim {
			return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: v.Name, Namespace: v.Namespace}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: v.Spec.VolumeName}}
		})
		return err
	})
	group.Go(func() error {
		sets, err := pages(ctx, c, "/apis/apps/v1/daemonsets", metadataList, func(set metav1.PartialObjectMetadata) string { return set.Namespace + "/" + set.Name })
		for _, set := range sets {
			state.DaemonSets[set] = true
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return forecast.State{}, fmt.Errorf("look at what runs in the cluster: %w", err)
	}
	return state, nil
}

func trimNode(node corev1.Node) corev1.Node {
	return corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, Labels: node.Labels},
		Spec:       corev1.NodeSpec{Taints: node.Spec.Taints, Unschedulable: node.Spec.Unschedulable},
		Status:     corev1.NodeStatus{Allocatable: node.Status.Allocatable, Conditions: node.Status.Conditions},
	}
}

// pages lists all objects of a collection, so many at a time, and gives what keep makes of each.
func pages[T, K any](ctx context.Context, c *Client, path, accept string, keep func(T) K) ([]K, error) {
	return pagesOf(ctx, c, path, accept, pageOf, partsKept, keep)
}

// pagesOf is pages with so many objects at a time, which may have so many parts.
func pagesOf[T, K any](ctx context.Context, c *Client, path, accept string, objects, parts int, keep func(T) K) ([]K, error) {
	persist := func(ctx context.Context, try func(context.Context) error) error { return c.persist(ctx, nil, try) }
	all, _, err := listPages(ctx, c, persist, request{verb: http.MethodGet, path: path, accept: accept}, objects, parts, keep)
	return all, err
}

// listPages lists what a request asks for, page by page, each got by way of attempt, and gives the version
// that the list is of as well.
func listPages[T, K any](ctx context.Context, c *Client, attempt func(context.Context, func(context.Context) error) error,
	asked request, objects, parts int, keep func(T) K,
) (all []K, version string, err error) {
	for next, old := "", 0; ; {
		var page []K
		var about metav1.ListMeta
		err := attempt(ctx, func(ctx context.Context) error {
			one := asked
			one.params = map[string]string{"limit": strconv.Itoa(objects)}
			maps.Copy(one.params, asked.params)
			if next != "" {
				one.params["continue"] = next
			}
			body, err := c.send(ctx, one)
			if err != nil {
				return err
			}
			var list struct{ Metadata metav1.ListMeta }
			if err := json.Unmarshal(body, &list); err != nil {
				return err
			}
			about = list.Metadata
			page, err = each(body, parts, keep)
			return err
		})
		switch {
		case apierrors.IsResourceExpired(err) && old < mostOld:
			all, next = nil, ""
			old++
			continue
		case err == nil && len(all)+len(page) > mostPaged:
			err = fmt.Errorf("there are more than %d", mostPaged)
		}
		if err != nil {
			return nil, "", fmt.Errorf("list %s: %w", asked.path, err)
		}
		if all, next = append(all, page...), about.Continue; next == "" {
			return all, about.ResourceVersion, nil
		}
	}
}

// AskEvictions asks the API server, as a dry run, to evict Pods (namespace/name), and gives why it
// refuses those that it does.
func (c *Client) AskEvictions(ctx context.Context, pods []string) (map[string]string, error) {
	refused := map[string]string{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(observeAtOnce)
	for _, pod := range pods {
		group.Go(func() error {
			why, err := c.askEviction(ctx, pod)
			if err != nil {
				return fmt.Errorf("ask for the eviction of %s: %w", pod, err)
			}
			if why != "" {
				mu.Lock()
				defer mu.Unlock()
				refused[pod] = why
			}
			return nil
		})
	}
	return refused, group.Wait()
}

// askEviction says why a Pod would not be evicted now; empty where it would, or is gone.
func (c *Client) askEviction(ctx context.Context, pod string) (why string, err error) {
	namespace, name, _ := strings.Cut(pod, "/")
	err = c.persist(ctx, func(hosts.Progress) {}, func(ctx context.Context) error {
		why = ""
		err := c.typed.PolicyV1().Evictions(namespace).Evict(ctx, &policyv1.Eviction{
			ObjectMeta:    metav1.ObjectMeta{Namespace: namespace, Name: name},
			DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}},
		})
		switch {
		case err == nil || apierrors.IsNotFound(err):
			return nil
		case apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause) || answered(err) && !outage(err):
			why = refusal(err)
			return nil
		}
		return err
	})
	return why, err
}
