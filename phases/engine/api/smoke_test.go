package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// smokeNodeJSON is a node of the fake API.
func smokeNodeJSON(name string, ready, cordoned bool, taint string) string {
	node := map[string]any{
		"metadata": map[string]any{"name": name, "labels": map[string]any{"kubernetes.io/hostname": name}},
		"spec":     map[string]any{"unschedulable": cordoned},
		"status":   map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": map[bool]string{true: "True", false: "False"}[ready]}}},
	}
	if taint != "" {
		node["spec"].(map[string]any)["taints"] = []any{map[string]any{"key": taint, "effect": "NoSchedule"}}
	}
	text, _ := json.Marshal(node)
	return string(text)
}

// smokeOn is a smoke with these promises on a fake cluster.
func smokeOn(t *testing.T, c *cluster, client *Client, promises ...smokePromise) *Smoke {
	t.Helper()
	c.put("/api/v1/nodes/cp-1", smokeNodeJSON("cp-1", true, false, "node-role.kubernetes.io/control-plane"))
	c.put("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", `{"spec":{"template":{"spec":{"containers":[{"name":"kube-proxy","image":"example.test/kube-proxy:v1"}]}}}}`)
	s, err := client.NewSmoke(t.Context(), SmokeOptions{ID: "abc", Secret: "xyz", KubeletFolder: "/var/lib/kubelet"})
	if err != nil {
		t.Fatal(err)
	}
	s.promises = promises
	return s
}

func TestSmokeAsksNodesThatTakePods(t *testing.T) {
	play(t, []string{"cp-1", "cp-2", "cp-3"}, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/cp-2", smokeNodeJSON("cp-2", true, true, ""))
		c.put("/api/v1/nodes/cp-3", smokeNodeJSON("cp-3", false, false, ""))
		c.put("/api/v1/nodes/worker-9", smokeNodeJSON("worker-9", true, false, ""))
		s := smokeOn(t, c, client)
		if got := names(s.nodes); got != "cp-1" {
			t.Errorf("asked are %s, want cp-1 alone", got)
		}
		want := []string{"cp-2 is cordoned", "cp-3 is not Ready", "worker-9 is not connected"}
		if got := slices.Sorted(slices.Values(s.LeftOut())); !slices.Equal(got, want) {
			t.Errorf("left out are %q, want %q", got, want)
		}
		c.put("/api/v1/nodes/cp-1", smokeNodeJSON("cp-1", true, false, "example.test/others"))
		_, err := client.NewSmoke(t.Context(), SmokeOptions{})
		if err == nil || !strings.Contains(err.Error(), "none takes Pods") {
			t.Errorf("where no node takes Pods: got %v", err)
		}
		if want := "cp-1 has the taint example.test/others"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	})
}

func TestSmokeAsksAtTheSameTimeAndInOrder(t *testing.T) {
	play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
		both := make(chan struct{}, 2)
		meet := func(*Smoke, context.Context) (string, error) { // it ends when both have begun
			both <- struct{}{}
			for len(both) < 2 {
				elapse(time.Millisecond)
			}
			return "met", nil
		}
		fails := func(s *Smoke, _ context.Context) (string, error) {
			return "", &brokenPromise{object: s.key("v1", "Pod", "web"), node: "cp-1", err: errors.New("it does not run")}
		}
		kept := func(*Smoke, context.Context) (string, error) { return "", nil }
		alone := func(*Smoke, context.Context) (string, error) { return "", notAsked("only one host") }
		s := smokeOn(t, c, client, smokePromise{"one", "", meet, ""}, smokePromise{"two", "", meet, ""}, smokePromise{"broken", "", fails, "mend it"},
			smokePromise{"builds on it", "broken", kept, ""}, smokePromise{"builds on one", "one", kept, ""}, smokePromise{"of several", "", alone, ""})
		c.put("/api/v1/namespaces/slipway-smoke-abc/events/1", `{"type":"Warning","reason":"BackOff","message":"it ends again and again","involvedObject":{"kind":"Pod","name":"web"}}`)
		c.put("/api/v1/namespaces/slipway-smoke-abc/pods/web", `{"metadata":{"name":"web","namespace":"slipway-smoke-abc","labels":{"app":"web"}},"spec":{"containers":[{"name":"web"}]}}`)
		c.put("/api/v1/namespaces/slipway-smoke-abc/events/2", `{"type":"Warning","reason":"BackOff","message":"of another","involvedObject":{"kind":"Pod","name":"other"}}`)
		var mu sync.Mutex
		told := 0
		results, err := s.Run(t.Context(), func(SmokeResult) { mu.Lock(); defer mu.Unlock(); told++ })
		var outcomes []string
		for _, one := range results {
			outcomes = append(outcomes, string(one.Outcome))
		}
		want := []string{"kept", "kept", "broken", "not asked", "kept", "not asked"}
		if !slices.Equal(outcomes, want) || told != len(want) {
			t.Errorf("got %q, told %d times; want %q", outcomes, told, want)
		}
		var failed *SmokeError
		if !errors.As(err, &failed) || err.Error() != "1 of 6 promises are broken: broken" {
			t.Errorf("the error is %v", err)
		}
		bad := results[2]
		if bad.Object != "Pod slipway-smoke-abc/web" || bad.Node != "cp-1" || bad.Fix != "mend it" || bad.Cause != "it does not run" {
			t.Errorf("told is %+v", bad)
		}
		if !slices.Equal(bad.Evidence, []string{"Pod web: BackOff: it ends again and again"}) {
			t.Errorf("the evidence is %q", bad.Evidence)
		}
	})
}

func TestSmokeEndsWhenInterrupted(t *testing.T) {
	play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
		ctx, cancel := context.WithCancel(t.Context())
		waits := func(s *Smoke, ctx context.Context) (string, error) {
			cancel()
			_, err := s.podIs(ctx, "web", "to run", runs)
			return "", err
		}
		s := smokeOn(t, c, client, smokePromise{"waits", "", waits, ""})
		results, err := s.Run(ctx, func(SmokeResult) {})
		if !errors.Is(err, context.Canceled) || results[0].Outcome != SmokeNotAsked {
			t.Errorf("got %v, %+v", err, results)
		}
	})
}

// TestSmokeWaitsForWhatMoves: on a slow host a Pod may wait for minutes while others start; a promise is broken
// where nothing of all moves any more, or something moves for ever.
func TestSmokeWaitsForWhatMoves(t *testing.T) {
	every := func(pause time.Duration, states int) func(*Smoke, context.Context) (string, error) {
		return func(s *Smoke, ctx context.Context) (string, error) {
			began := time.Now()
			return "", s.until(ctx, s.key("v1", "Pod", "web"), "Pod web to run", func(context.Context) (bool, string, error) {
				state := int(time.Since(began) / pause)
				return state == states, fmt.Sprintf("state %d", state), nil
			})
		}
	}
	patient := func(s *Smoke, ctx context.Context) (string, error) {
		began := time.Now()
		return "", s.until(ctx, s.key("v1", "Pod", "late"), "Pod late to run", func(context.Context) (bool, string, error) {
			return time.Since(began) > 6*time.Minute, "ContainerCreating", nil
		})
	}
	for name, test := range map[string]struct {
		first  func(*Smoke, context.Context) (string, error)
		kept   bool // both
		cause  string
		within time.Duration
	}{
		"the other moves each minute":    {every(time.Minute, 6), true, "", 7 * time.Minute},
		"the other moves too seldom":     {every(2*time.Minute, 3), false, "nothing that smoke has made has moved for 90 s", 2 * time.Minute},
		"the other moves without an end": {every(10*time.Second, 1000), false, "nothing that smoke has made has moved for 90 s", 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
				s := smokeOn(t, c, client, smokePromise{"first", "", test.first, ""}, smokePromise{"late", "", patient, ""})
				results, _ := s.Run(t.Context(), func(SmokeResult) {})
				late := results[1]
				if kept := late.Outcome == SmokeKept; kept != test.kept || !strings.Contains(late.Cause, test.cause) || late.Seconds > test.within.Seconds() {
					t.Errorf("got %+v", late)
				}
			})
		})
	}
}

// TestSmokeSaysWhatItLastSaw where a wait lasts as long as its promise may.
func TestSmokeSaysWhatItLastSaw(t *testing.T) {
	play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
		waits := func(s *Smoke, ctx context.Context) (string, error) {
			_, err := s.podIs(ctx, "web", "to run", runs)
			return "", err
		}
		s := smokeOn(t, c, client, smokePromise{"waits", "", waits, ""})
		c.put("/api/v1/namespaces/slipway-smoke-abc/pods/web", `{"spec":{"nodeName":"cp-1","containers":[{"name":"web"}]},"metadata":{"name":"web","namespace":"slipway-smoke-abc","labels":{"app":"web"}},
			"status":{"phase":"Pending","containerStatuses":[{"name":"web","state":{"waiting":{"reason":"ErrImageNeverPull","message":"no such image"}}}]}}`)
		results, _ := s.Run(t.Context(), func(SmokeResult) {})
		if got := results[0]; !strings.Contains(got.Cause, "ErrImageNeverPull: no such image") || got.Node != "cp-1" || got.Seconds > smokeLimit.Seconds()+5 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestSmokeCleansUp takes away what this run and killed ones have made, and nothing else.
func TestSmokeCleansUp(t *testing.T) {
	play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
		s := smokeOn(t, c, client)
		object := func(path, name, id, manager string) {
			c.put(path+"/"+name, `{"metadata":{"name":"`+name+`","labels":{"slipway.dev/smoke":"`+id+`","app.kubernetes.io/managed-by":"`+manager+`"}}}`)
		}
		const namespaces, volumes = "/api/v1/namespaces", "/api/v1/persistentvolumes"
		object(namespaces, "slipway-smoke-abc", "abc", "slipway")
		object(namespaces, "slipway-smoke-old", "old", "slipway")
		object(volumes, "slipway-smoke-old", "old", "slipway")
		object(namespaces, "production", "old", "slipway")
		object(namespaces, "slipway-smoke-his", "his", "somebody")
		if err := s.Clean(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for path, want := range map[string]bool{
			namespaces + "/slipway-smoke-abc": false, namespaces + "/slipway-smoke-old": false, volumes + "/slipway-smoke-old": false,
			namespaces + "/production": true, namespaces + "/slipway-smoke-his": true,
		} {
			if there := c.objects[path] != nil; there != want {
				t.Errorf("%s: it is there: %v, want %v", path, there, want)
			}
		}
	})
}

// TestSmokeSaysWhatItCouldNotDelete, and for how long it waited.
func TestSmokeSaysWhatItCouldNotDelete(t *testing.T) {
	play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
		s := smokeOn(t, c, client)
		c.put("/api/v1/namespaces/slipway-smoke-abc", `{"metadata":{"name":"slipway-smoke-abc","deletionTimestamp":"2026-01-01T00:00:00Z","labels":{"slipway.dev/smoke":"abc","app.kubernetes.io/managed-by":"slipway"}}}`)
		err := s.Clean(t.Context(), true)
		if err == nil || !strings.Contains(err.Error(), "Namespace slipway-smoke-abc is being deleted") || !strings.Contains(err.Error(), "not within 5 min") {
			t.Errorf("got %v", err)
		}
		if n := c.count("DELETE /api/v1/namespaces/slipway-smoke-abc"); n > 0 {
			t.Errorf("it was deleted %d times more", n)
		}
	})
}

// TestSmokeBeginsWhenPodsAreAccepted: they are not before kube-controller-manager has made the namespace's account; where
// it never does, the promises are asked all the same.
func TestSmokeBeginsWhenPodsAreAccepted(t *testing.T) {
	for name, test := range map[string]struct{ comes, least, most time.Duration }{
		"at once":                {0, 0, time.Second},
		"when it has its lease":  {2 * time.Minute, 2 * time.Minute, 121 * time.Second},
		"not while it is waited": {time.Hour, takenUp, takenUp + 20*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
				s := smokeOn(t, c, client)
				after(test.comes, func() { c.put("/api/v1/namespaces/"+s.Namespace()+"/serviceaccounts/default", `{}`) })
				began := time.Now()
				err := s.Begin(t.Context())
				if took := time.Since(began); err != nil || took < test.least || took > test.most {
					t.Errorf("%v after %s", err, took)
				}
				elapse(time.Hour)
			})
		})
	}
}

// TestSmokePromisesAreATable: what a promise builds on comes before it and builds on nothing,
// so that nothing is waited for in a circle.
func TestSmokePromisesAreATable(t *testing.T) {
	seen := map[string]bool{}
	for _, one := range smokePromises {
		if seen[one.name] || one.prove == nil || one.fix == "" {
			t.Errorf("%s: it stands there twice, or lacks something", one.name)
		}
		if one.after != "" && !seen[one.after] {
			t.Errorf("%s builds on %q, which does not come before it", one.name, one.after)
		}
		seen[one.name] = true
	}
}

// smokeBlocks are the blocks of the template.
var smokeBlocks = []string{
	"web", "client", "rolling", "every", "job", "cron", "disk", "db", "probed", "limited", "greedy", "budget", "repelled", "tolerating", "picked",
}

// TestSmokesPodsKeepToTheStrictestStandard: no Pod security standard of a cluster's may refuse them.
// Whatever is made has the labels by which it is found.
func TestSmokesPodsKeepToTheStrictestStandard(t *testing.T) {
	s := &Smoke{SmokeOptions: SmokeOptions{ID: "abc"}, image: "example.test/kube-proxy:v1"}
	data := smokeData{App: "web", Word: "one", Node: "cp-1", Nodes: []string{"cp-1", "cp-2"}, Taints: []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule}}, Volume: "/v"}
	for _, block := range smokeBlocks {
		objects, err := s.render("smoke/"+block, data)
		if err != nil {
			t.Fatal(err)
		}
		pods := 0
		for _, object := range objects {
			var generic map[string]any
			if err := json.Unmarshal(object.body, &generic); err != nil {
				t.Fatal(err)
			}
			labels, _ := generic["metadata"].(map[string]any)["labels"].(map[string]any)
			if labels[labelSmoke] != "abc" || labels["app.kubernetes.io/managed-by"] != "slipway" {
				t.Errorf("%s: %s has the labels %v", block, object.key, labels)
			}
			for _, spec := range podSpecs(generic) {
				pods++
				restricted(t, block, spec)
			}
		}
		if pods == 0 {
			t.Errorf("%s: it has no Pod", block)
		}
	}
}

// podSpecs finds the Pods in an object, by their containers.
func podSpecs(value any) []corev1.PodSpec {
	inner, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	if _, is := inner["containers"]; is {
		text, _ := json.Marshal(inner)
		var spec corev1.PodSpec
		_ = json.Unmarshal(text, &spec)
		return []corev1.PodSpec{spec}
	}
	var found []corev1.PodSpec
	for _, value := range inner {
		found = append(found, podSpecs(value)...)
	}
	return found
}

func restricted(t *testing.T, block string, spec corev1.PodSpec) {
	t.Helper()
	security := spec.SecurityContext
	if security == nil || security.RunAsNonRoot == nil || !*security.RunAsNonRoot || security.SeccompProfile == nil || security.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
		spec.HostNetwork || spec.HostPID || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Errorf("%s: the Pod's security is %+v", block, spec)
	}
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		own := container.SecurityContext
		if own == nil || own.AllowPrivilegeEscalation == nil || *own.AllowPrivilegeEscalation || own.Capabilities == nil || !slices.Equal(own.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: container %s has the security %+v", block, container.Name, own)
		}
		if container.Image != "example.test/kube-proxy:v1" {
			t.Errorf("%s: container %s has the image %s", block, container.Name, container.Image)
		}
	}
	for _, volume := range spec.Volumes {
		if volume.HostPath != nil {
			t.Errorf("%s: volume %s is of the host", block, volume.Name)
		}
	}
}
