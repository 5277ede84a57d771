package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	corev1 "k8s.io/api/core/v1"
)

// until waits until a look says done, for as long as the promise's context lasts. What was last
// seen is the cause where it never is.
func (s *Smoke) until(ctx context.Context, object hosts.ObjectKey, what string, look func(context.Context) (done bool, seen string, err error)) error {
	_, err := s.c.until(ctx, what, int(smokeMost/time.Second), nil, func(ctx context.Context) (verdict, error) {
		done, seen, err := look(ctx)
		if err == nil {
			s.moves.saw(what, cmp.Or(seen, fmt.Sprint(done)))
		}
		return verdict{done: done, seen: seen, next: s.c.pace.slow}, err
	})
	if err != nil {
		return &brokenPromise{object: object, err: err}
	}
	return nil
}

// get reads an object of the API into a value; false where there is none.
func (s *Smoke) get(ctx context.Context, key hosts.ObjectKey, into any) (bool, error) {
	body, err := s.c.object(ctx, key)
	if err != nil || body == nil {
		return false, err
	}
	return true, json.Unmarshal(body, into)
}

// rolledOut waits until a Deployment, DaemonSet or StatefulSet runs as it says.
func (s *Smoke) rolledOut(ctx context.Context, key hosts.ObjectKey) error {
	return s.until(ctx, key, key.Kind+" "+key.Name+" to roll out", func(ctx context.Context) (bool, string, error) {
		found, err := s.c.rolledOut(ctx, key, 0)
		return found.done, found.seen, err
	})
}

// pods are those of an app that are not being deleted.
func (s *Smoke) pods(ctx context.Context, app string) ([]corev1.Pod, error) {
	body, err := s.c.send(ctx, request{
		verb: http.MethodGet, path: "/api/v1/namespaces/" + s.Namespace() + "/pods", params: map[string]string{"labelSelector": "app=" + app},
	})
	if err != nil {
		return nil, err
	}
	pods, err := each(body, partsSeen, func(pod corev1.Pod) corev1.Pod { return pod })
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil }), err
}

// podIs waits until a Pod is as it is wanted, and gives it. wanted says what is missing, or nothing.
func (s *Smoke) podIs(ctx context.Context, name, what string, wanted func(corev1.Pod) string) (pod corev1.Pod, err error) {
	key := s.key("v1", "Pod", name)
	err = s.until(ctx, key, "Pod "+name+" "+what, func(ctx context.Context) (bool, string, error) {
		pod = corev1.Pod{}
		found, err := s.get(ctx, key, &pod)
		if err != nil || !found {
			return false, "it does not exist", err
		}
		missing := wanted(pod)
		return missing == "", missing, nil
	})
	if broken, ok := errors.AsType[*brokenPromise](err); ok {
		broken.node = pod.Spec.NodeName
	}
	return pod, err
}

// runs is what keeps a Pod from running and being ready.
func runs(pod corev1.Pod) string {
	if podReady(pod) {
		return ""
	}
	if why := podTrouble(pod); why != "" {
		return why
	}
	return "it is " + string(pod.Status.Phase)
}

// unscheduled is the scheduler's word on a Pod that it finds no node for; empty while it has none.
func unscheduled(pod corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	return ""
}

// askLimit bounds one question to a Pod or Service.
const askLimit = 3 * time.Second

// ask gets a file by HTTP, as a host sees its address.
func (s *Smoke) ask(ctx context.Context, from, address, file string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	transport := &http.Transport{DialContext: s.c.all[from].Dial, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+file, nil)
	if err != nil {
		return "", err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(body), err
}

// answers waits until a file that a host gets from an address is as it should be; the object is
// what stands behind the address.
func (s *Smoke) answers(ctx context.Context, object hosts.ObjectKey, from, address, file string, right func(string) bool) error {
	what := fmt.Sprintf("http://%s%s to answer %s", address, file, from)
	err := s.until(ctx, object, what, func(ctx context.Context) (bool, string, error) {
		body, err := s.ask(ctx, from, address, file)
		switch {
		case err != nil:
			return false, brief(err), nil
		case !right(body):
			return false, fmt.Sprintf("the answer is %q", body), nil
		}
		return true, "", nil
	})
	if broken, ok := errors.AsType[*brokenPromise](err); ok {
		broken.node = from
	}
	return err
}

func is(word string) func(string) bool { return func(body string) bool { return body == word } }

func has(words ...string) func(string) bool {
	return func(body string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(body, word) })
	}
}
