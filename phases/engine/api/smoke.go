package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NewSmoke learns which nodes there are to ask. It makes nothing.
func (c *Client) NewSmoke(ctx context.Context, options SmokeOptions) (*Smoke, error) {
	s := &Smoke{SmokeOptions: options, c: c, promises: smokePromises}
	err := c.persist(ctx, nil, func(ctx context.Context) error {
		body, err := c.get(ctx, "/api/v1/nodes")
		if err != nil {
			return err
		}
		nodes, err := each(body, partsSeen, func(node corev1.Node) corev1.Node { return smokeNode(node) })
		if err != nil {
			return err
		}
		s.choose(nodes)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at the nodes: %w", err)
	}
	if len(s.plain) == 0 {
		return nil, fmt.Errorf("find a node to ask: none takes Pods (%s); make one Ready and schedulable: slipway kubectl -- get nodes", strings.Join(slices.Concat(s.tainted, s.left), ", "))
	}
	return s, s.findImage(ctx)
}

// SmokePromises are the names of all promises that are asked, in the order in which they are told.
func SmokePromises() []string {
	var names []string
	for _, one := range smokePromises {
		names = append(names, one.name)
	}
	return names
}

// Run asks for every promise, those that build on no other beside each other, as fast as the control
// plane takes them, and gives what became of each, in the order of the table. tell is called when one is known, from several
// goroutines. Clean takes away what was made.
func (s *Smoke) Run(ctx context.Context, tell func(SmokeResult)) ([]SmokeResult, error) {
	results := make([]SmokeResult, len(s.promises))
	known := map[string]chan struct{}{}
	place := map[string]int{}
	for i, one := range s.promises {
		known[one.name], place[one.name] = make(chan struct{}), i
	}
	pace := newSmokePace(ctx, s.answer)
	defer pace.end()
	var group sync.WaitGroup
	for i, one := range s.promises {
		group.Go(func() {
			defer close(known[one.name])
			if one.after != "" {
				<-known[one.after]
				if before := results[place[one.after]]; before.Outcome != SmokeKept {
					results[i] = SmokeResult{Promise: one.name, Outcome: SmokeNotAsked, Detail: one.after + wasNotKept[before.Outcome]}
					tell(results[i])
					return
				}
			}
			pace.turn()
			results[i] = s.prove(ctx, one)
			tell(results[i])
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return results, err
	}
	return results, broken(results)
}

// answer asks for smoke's own namespace. What comes of it tells only how long an answer takes.
func (s *Smoke) answer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, mostBetween/smokeAnswers)
	defer cancel()
	_, _ = s.c.get(ctx, "/api/v1/namespaces/"+s.Namespace())
}

// wasNotKept is why a promise is not asked that builds on another.
var wasNotKept = map[SmokeOutcome]string{SmokeBroken: " is broken", SmokeNotAsked: " was not asked"}

// broken is the error of what is broken; nil where nothing is.
func broken(results []SmokeResult) error {
	failed := &SmokeError{Of: len(results)}
	for _, one := range results {
		if one.Outcome == SmokeBroken {
			failed.Broken = append(failed.Broken, one)
		}
	}
	if len(failed.Broken) == 0 {
		return nil
	}
	return failed
}

// prove asks for one promise.
func (s *Smoke) prove(ctx context.Context, one smokePromise) SmokeResult {
	within, cancel := s.moves.within(ctx)
	defer cancel()
	began := time.Now()
	detail, err := one.prove(s, within)
	result := SmokeResult{Promise: one.name, Outcome: SmokeKept, Detail: detail}
	why := notAsked("")
	switch {
	case err == nil:
	case errors.As(err, &why):
		result.Outcome, result.Detail = SmokeNotAsked, string(why)
	case ctx.Err() != nil:
		result.Outcome, result.Detail = SmokeNotAsked, "interrupted"
	default:
		result.Outcome, result.Detail, result.Fix = SmokeBroken, "", one.fix
		s.describe(ctx, &result, err)
	}
	result.Seconds = time.Since(began).Seconds()
	return result
}

// LeftOut is why nodes of the cluster are not asked.
func (s *Smoke) LeftOut() []string { return s.left }

// smokeKinds are the kinds that smoke makes outside of a namespace. The volumes go last: as long
// as its claim is there, one stays.
var smokeKinds = []hosts.ObjectKey{{APIVersion: "v1", Kind: "Namespace"}, {APIVersion: "v1", Kind: "PersistentVolume"}}

// Clean deletes all that smoke has made, in this run or one that was killed, and waits until it is
// gone where wait says so.
func (s *Smoke) Clean(ctx context.Context, wait bool) error {
	what := "what smoke has made to be gone"
	_, err := s.c.until(ctx, what, int(smokeGone/time.Second), nil, func(ctx context.Context) (verdict, error) {
		seen := ""
		for _, kind := range smokeKinds {
			left, err := s.remove(ctx, kind)
			if err != nil {
				return verdict{}, err
			}
			if left != "" && seen == "" {
				seen = left
			}
		}
		return verdict{done: seen == "" || !wait, seen: seen, next: s.c.pace.slow}, nil
	})
	return err
}

// remove deletes the objects of a kind that smoke has made, and says of one that is left why.
func (s *Smoke) remove(ctx context.Context, kind hosts.ObjectKey) (left string, err error) {
	collection, err := s.c.collection(ctx, kind)
	if err != nil {
		return "", err
	}
	body, err := s.c.send(ctx, request{verb: http.MethodGet, path: collection, params: map[string]string{"labelSelector": labelSmoke}, accept: metadataList})
	if err != nil {
		return "", err
	}
	found, err := each(body, partsSeen, func(one metav1.PartialObjectMetadata) metav1.PartialObjectMetadata { return one })
	if err != nil {
		return "", err
	}
	for _, one := range found {
		if !isSmokes(one) {
			continue
		}
		kind.Name = one.Name
		left = fmt.Sprintf("%s is being deleted", kind)
		if one.DeletionTimestamp == nil {
			if _, err := s.c.deleteOnce(ctx, plan.Delete{Object: kind}); err != nil {
				return "", err
			}
		}
	}
	return left, nil
}

// isSmokes tells whether an object is smoke's own: by its label and its name, which agree.
func isSmokes(one metav1.PartialObjectMetadata) bool {
	id := one.Labels[labelSmoke]
	return id != "" && one.Name == smokePrefix+id && one.Labels["app.kubernetes.io/managed-by"] == FieldManager
}
