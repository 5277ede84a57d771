package api

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/polymorphichelpers"
)

func (s *Smoke) deployment(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/web", smokeData{App: "web", Word: wordOne}); err != nil {
		return "", err
	}
	if err := s.rolledOut(ctx, s.key("apps/v1", "Deployment", "web")); err != nil {
		return "", err
	}
	pods, err := s.pods(ctx, "web")
	return "2 replicas on " + strings.Join(nodesOf(pods), ", "), err
}

// nodesOf are the nodes of Pods, each once.
func nodesOf(pods []corev1.Pod) []string {
	var names []string
	for _, pod := range pods {
		names = append(names, pod.Spec.NodeName)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// rollout gives a Deployment another template, and the one of before again, as kubectl rollout
// undo does; each time what is served is of that template.
func (s *Smoke) rollout(ctx context.Context) (string, error) {
	for _, word := range []string{wordOne, wordTwo} {
		if err := s.make(ctx, "smoke/rolling", smokeData{App: "rolling", Word: word}); err != nil {
			return "", err
		}
		if err := s.serves(ctx, "rolling", word); err != nil {
			return "", err
		}
	}
	if err := s.undo(ctx, "rolling"); err != nil {
		return "", &brokenPromise{object: s.key("apps/v1", "Deployment", "rolling"), err: fmt.Errorf("undo the rollout: %w", err)}
	}
	return "to another version and back", s.serves(ctx, "rolling", wordOne)
}

// undo takes a Deployment back to its template of before, by kubectl's own code.
func (s *Smoke) undo(ctx context.Context, name string) error {
	back, err := polymorphichelpers.RollbackerFor(schema.GroupKind{Group: "apps", Kind: "Deployment"}, s.c.typed)
	if err != nil {
		return err
	}
	live, err := s.c.typed.AppsV1().Deployments(s.Namespace()).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	_, err = back.Rollback(live, nil, 0, util.DryRunNone)
	return err
}

// serves waits until a Deployment of one replica has rolled out, and serves a word.
func (s *Smoke) serves(ctx context.Context, app, word string) error {
	key := s.key("apps/v1", "Deployment", app)
	if err := s.rolledOut(ctx, key); err != nil {
		return err
	}
	return s.until(ctx, key, "Deployment "+app+" to serve "+word, func(ctx context.Context) (bool, string, error) {
		pods, err := s.pods(ctx, app)
		if err != nil || len(pods) != 1 {
			return false, fmt.Sprintf("it has %d Pods", len(pods)), err
		}
		if s.c.all[pods[0].Spec.NodeName] == nil {
			return true, "", nil // nobody can be asked there; the rollout itself is seen
		}
		said, err := s.ask(ctx, pods[0].Spec.NodeName, net.JoinHostPort(pods[0].Status.PodIP, "8080"), configFile)
		if err != nil {
			return false, brief(err), nil
		}
		return said == word, fmt.Sprintf("it serves %q", said), nil
	})
}

func (s *Smoke) daemonSet(ctx context.Context) (string, error) {
	var nodes []string
	for _, node := range s.nodes {
		nodes = append(nodes, hostname(node))
	}
	if err := s.make(ctx, "smoke/every", smokeData{App: "every", Word: wordOne, Nodes: nodes}); err != nil {
		return "", err
	}
	key := s.key("apps/v1", "DaemonSet", "every")
	err := s.until(ctx, key, "DaemonSet every to run on "+names(s.nodes), func(ctx context.Context) (bool, string, error) {
		pods, err := s.pods(ctx, "every")
		if err != nil {
			return false, "", err
		}
		var missing []string
		for _, node := range s.nodes {
			at := slices.IndexFunc(pods, func(pod corev1.Pod) bool { return pod.Spec.NodeName == node.Name })
			switch {
			case at < 0:
				missing = append(missing, "no Pod on "+node.Name)
			case runs(pods[at]) != "":
				missing = append(missing, node.Name+": "+runs(pods[at]))
			}
		}
		return len(missing) == 0, strings.Join(missing, "; "), nil
	})
	return "a Pod on " + names(s.nodes), err
}
