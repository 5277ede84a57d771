package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	nodeReady   = `{"metadata":{"name":"n-1"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`
	nodeUnready = `{"metadata":{"name":"n-1"},"status":{"conditions":[{"type":"Ready","status":"False","reason":"KubeletNotReady","message":"no network"}]}}`
)

// after makes something happen a while from now.
func after(length time.Duration, what func()) { time.AfterFunc(length, what) }

func TestWaitAPI(t *testing.T) {
	play(t, three, func(t *testing.T, c *cluster, client *Client) {
		c.planes["cp-2"].down = errDown
		checks := "etcd"
		c.ready = func(host string) string {
			if host == "cp-2" {
				return checks
			}
			return ""
		}
		after(3*time.Second, func() { c.planes["cp-2"].cut(nil) })
		after(6*time.Second, func() { c.mu.Lock(); checks = ""; c.mu.Unlock() })
		began := time.Now()
		var notes []string
		_, err := client.Do(t.Context(), plan.WaitAPI{Host: "cp-2", Timeout: 30}, nil, func(p hosts.Progress) { notes = append(notes, p.Note) })
		took := time.Since(began)
		if err != nil || took < 6*time.Second || took > 6500*time.Millisecond {
			t.Errorf("after %s: %v", took, err)
		}
		if len(notes) != 2 || !strings.Contains(notes[0], "connection refused") || notes[1] != "not ready: etcd" {
			t.Errorf("notes %q", notes)
		}
		if c.planes["cp-1"].dialed+c.planes["cp-3"].dialed > 0 {
			t.Error("another control plane was asked")
		}
	})
}

// TestAnAPIServerOfBeforeDoesNotCount: who waits for a version waits until that one answers.
func TestAnAPIServerOfBeforeDoesNotCount(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		after(3*time.Second, func() { c.mu.Lock(); c.serves = "v1.36.4"; c.mu.Unlock() })
		began := time.Now()
		var notes []string
		_, err := client.Do(t.Context(), plan.WaitAPI{Host: "cp-1", Version: "v1.36.4", Timeout: 30}, nil, func(p hosts.Progress) { notes = append(notes, p.Note) })
		if took := time.Since(began); err != nil || took < 3*time.Second || took > 5*time.Second || !slices.Contains(notes, "it serves v1.36.3") {
			t.Errorf("after %s: %v, told %q", took, err, notes)
		}
	})
}

// TestAnAPIServerServesBeforeItIsReady: who waits only for that does not wait for the rest.
func TestAnAPIServerServesBeforeItIsReady(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.planes["cp-1"].down = errDown
		c.ready = func(string) string { return "poststarthook/rbac/bootstrap-roles" }
		after(3*time.Second, func() { c.planes["cp-1"].cut(nil) })
		began := time.Now()
		_, err := client.Do(t.Context(), plan.WaitAPI{Host: "cp-1", Serving: true, Timeout: 30}, nil, nil)
		if took := time.Since(began); err != nil || took < 3*time.Second || took > 4*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

func TestWaitThatEndsTellsWhatWasLastSeen(t *testing.T) {
	deployment := `{"metadata":{"generation":2},"spec":{"replicas":2,"selector":{"matchLabels":{"k":"dns"}}},
		"status":{"observedGeneration":2,"replicas":2,"updatedReplicas":2,"availableReplicas":1}}`
	pod := `{"metadata":{"name":"coredns-1","labels":{"k":"dns"}},"status":{"containerStatuses":[{"state":{"waiting":{"reason":"ImagePullBackOff","message":"not found"}}}]}}`
	dns := hosts.ObjectKey{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "kube-system", Name: "coredns"}
	tests := map[string]struct {
		action plan.ClusterAction
		says   []string
	}{
		"API":               {plan.WaitAPI{Host: "cp-1", Timeout: 5}, []string{"the API server on cp-1 to be ready", "not ready: etcd"}},
		"node":              {plan.WaitNode{Node: "n-1", Ready: true, Timeout: 5}, []string{"node n-1 to be ready", "KubeletNotReady: no network"}},
		"node not there":    {plan.WaitNode{Node: "n-2", Timeout: 5}, []string{"node n-2 to be registered", "not registered"}},
		"rollout":           {plan.WaitAvailable{Object: dns, Timeout: 5}, []string{"of 2 replicas 2 are up to date, 1 available", "Pod coredns-1: ImagePullBackOff: not found"}},
		"rollout not there": {plan.WaitAvailable{Object: hosts.ObjectKey{APIVersion: "apps/v1", Kind: "DaemonSet", Namespace: "a", Name: "b"}, Timeout: 5}, []string{"DaemonSet a/b", "it does not exist"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			play(t, one, func(t *testing.T, c *cluster, client *Client) {
				c.ready = func(string) string { return "etcd" }
				c.put("/api/v1/nodes/n-1", nodeUnready)
				c.put("/apis/apps/v1/namespaces/kube-system/deployments/coredns", deployment)
				c.put("/api/v1/namespaces/kube-system/pods/coredns-1", pod)
				began := time.Now()
				_, err := client.Do(t.Context(), test.action, nil, nil)
				var late *WaitError
				if !errors.As(err, &late) || late.After != 5*time.Second || time.Since(began) > 6*time.Second {
					t.Fatalf("not a wait that ended: %v", err)
				}
				for _, word := range test.says {
					if !strings.Contains(err.Error(), word) {
						t.Errorf("%q is not in: %v", word, err)
					}
				}
			})
		})
	}
}

func TestWaitAPIGivesUpOnAHostThatIsGone(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.planes["cp-1"].down = &hosts.Error{Kind: hosts.KindCut, Op: "connect", Err: errors.New("EOF")}
		began := time.Now()
		_, err := client.Do(t.Context(), plan.WaitAPI{Host: "cp-1", Timeout: 60}, nil, nil)
		var known *hosts.Error
		if !errors.As(err, &known) || known.Kind != hosts.KindCut || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestWaitNodeOutlivesAnOutage(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		after(time.Second, func() { c.planes["cp-1"].cut(errDown) })
		after(2*time.Second, func() { c.planes["cp-1"].cut(nil); c.put("/api/v1/nodes/n-1", nodeUnready) })
		after(3*time.Second, func() { c.put("/api/v1/nodes/n-1", nodeReady) })
		began := time.Now()
		_, err := client.Do(t.Context(), plan.WaitNode{Node: "n-1", Ready: true, Timeout: 60}, nil, nil)
		if took := time.Since(began); err != nil || took < 3*time.Second || took > 4*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if done, err := client.Do(t.Context(), plan.WaitNode{Node: "n-1", Ready: true, Timeout: 60}, nil, nil); err != nil || done.Result != hosts.Unchanged {
			t.Errorf("%v %v", done, err)
		}
	})
}

// TestWaitNodeWaitsForItsDaemonSets: a ready node whose Pods have no network yet has not come.
func TestWaitNodeWaitsForItsDaemonSets(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		flannel := hosts.ObjectKey{APIVersion: "apps/v1", Kind: "DaemonSet", Namespace: "kube-flannel", Name: "ds"}
		pod := func(owner, node, ready string) string {
			return fmt.Sprintf(`{"metadata":{"name":"p","namespace":"kube-flannel","ownerReferences":[{"apiVersion":"apps/v1","kind":"DaemonSet","name":%q,"uid":"1","controller":true}]},
				"spec":{"nodeName":%q},"status":{"conditions":[{"type":"Ready","status":%q}]}}`, owner, node, ready)
		}
		c.put("/api/v1/nodes/n-1", nodeReady)
		const path = "/api/v1/namespaces/kube-flannel/pods/"
		c.put(path+"another", pod("ds", "n-2", "True"))
		c.put(path+"other", pod("proxy", "n-1", "True"))
		c.put(path+"p", pod("ds", "n-1", "False"))
		after(3*time.Second, func() { c.put(path+"p", pod("ds", "n-1", "True")) })
		began := time.Now()
		var notes []string
		_, err := client.Do(t.Context(), plan.WaitNode{Node: "n-1", Ready: true, DaemonSets: []hosts.ObjectKey{flannel}, Timeout: 30}, nil,
			func(p hosts.Progress) { notes = append(notes, p.Note) })
		if took := time.Since(began); err != nil || took < 3*time.Second || took > 4*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if len(notes) == 0 || !strings.Contains(notes[0], "DaemonSet kube-flannel/ds: not ready") {
			t.Errorf("notes %q", notes)
		}
	})
}

// TestWaitNodeBelievesNoReadyFromBefore: for 40 s after its kubelet has ended a node is Ready. One
// that comes up and ends again renews its lease once.
func TestWaitNodeBelievesNoReadyFromBefore(t *testing.T) {
	lease := func(second int) string {
		return fmt.Sprintf(`{"metadata":{"name":"n-1","namespace":"kube-node-lease"},"spec":{"renewTime":"2026-11-20T12:00:%02d.000000Z"}}`, second)
	}
	const path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n-1"
	for renewals, want := range []string{"has not renewed its lease", "renewed its lease once", ""} {
		play(t, one, func(t *testing.T, c *cluster, client *Client) {
			c.put("/api/v1/nodes/n-1", nodeReady)
			c.put(path, lease(0))
			for i := range renewals {
				after(time.Duration(2+10*i)*time.Second, func() { c.put(path, lease(2+10*i)) })
			}
			began := time.Now()
			_, err := client.Do(t.Context(), plan.WaitNode{Node: "n-1", Ready: true, Restarted: true, Timeout: 30}, nil, nil)
			if took := time.Since(began); want == "" && (err != nil || took < 12*time.Second || took > 14*time.Second) {
				t.Errorf("after %s: %v", took, err)
			}
			if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("with %d renewals: %v", renewals, err)
			}
		})
	}
}

// TestRenewalsOfAKubeletThatStaysUp holds looks at a lease against what they tell: the second at
// which it is looked at, and the second of the last renewal at that time.
func TestRenewalsOfAKubeletThatStaysUp(t *testing.T) {
	loop := func(every, until int) (looks [][2]int) {
		for at := range until {
			looks = append(looks, [2]int{at, at - at%every})
		}
		return looks
	}
	for name, test := range map[string]struct {
		looks [][2]int
		want  bool
	}{
		"every ten seconds":                       {loop(10, 21), true},
		"the restart's alone":                     {loop(10, 20), false},
		"the last of before is an interval back":  {append(loop(10, 1), [2]int{1, 1}, [2]int{2, 1}), false},
		"a start every two seconds":               {loop(2, 120), false},
		"a start every six seconds":               {loop(6, 120), false},
		"a start every two seconds, many unseen":  {[][2]int{{0, 0}, {1, 1}, {2, 2}, {12, 12}, {22, 22}}, false},
		"a start every five seconds, some unseen": {[][2]int{{0, 0}, {3, 3}, {4, 3}, {7, 3}, {13, 13}}, false},
		"some looks fail, none where it matters":  {[][2]int{{0, 0}, {2, 2}, {9, 2}, {12, 12}}, true},
	} {
		var renewed renewals
		for _, look := range test.looks {
			if renewed.enough() {
				break
			}
			at := func(second int) time.Time { return time.Unix(1_800_000_000+int64(second), 0) }
			renewed.note(at(look[1]), at(look[0]).Add(time.Hour), 10*time.Second) // its clock is not ours
		}
		if renewed.enough() != test.want {
			t.Errorf("%s: enough is %t: %s", name, renewed.enough(), &renewed)
		}
	}
}

// TestRenewalsOfAShortLease: two looks are seldom within half of an interval of one second.
func TestRenewalsOfAShortLease(t *testing.T) {
	for every, want := range map[time.Duration]bool{time.Second: true, time.Second / 2: false} {
		var renewed renewals
		began := time.Unix(1_800_000_000, 0)
		took := time.Duration(0)
		for ; took < 30*time.Second && !renewed.enough(); took += 600 * time.Millisecond {
			renewed.note(began.Add(took.Truncate(every)), began.Add(took+time.Hour), time.Second)
		}
		if renewed.enough() != want || want && took < 9*time.Second {
			t.Errorf("renewed every %s: enough is %t after %s", every, renewed.enough(), took)
		}
	}
}

// counting is a host that tells how often its kubelet was restarted.
type counting struct {
	hosts.Host
	restarts func() int
}

func (h counting) Observe(context.Context, hosts.Query) (hosts.Facts, error) {
	return hosts.Facts{Units: map[string]hosts.Unit{kubeletUnit: {Restarts: h.restarts()}}}, nil
}

// TestWaitNodeCountsRestarts: a kubelet that ends nine seconds after each start, and is started
// again a second later, renews its lease as one that stays up.
func TestWaitNodeCountsRestarts(t *testing.T) {
	const path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n-1"
	for loops, want := range map[bool]string{true: "start again and again", false: ""} {
		play(t, one, func(t *testing.T, c *cluster, _ *Client) {
			began := time.Now()
			client := c.clientWith(c.ca, func(o *Options) {
				o.AllHosts = map[string]hosts.Host{"n-1": counting{restarts: func() int {
					if !loops {
						return 3
					}
					return 3 + int(time.Since(began)/(10*time.Second))
				}}}
			})
			defer client.Close()
			c.put("/api/v1/nodes/n-1", nodeReady)
			for second := 0; second < 60; second += 10 {
				after(time.Duration(second)*time.Second, func() {
					c.put(path, fmt.Sprintf(`{"metadata":{"name":"n-1","namespace":"kube-node-lease"},"spec":{"renewTime":"2026-11-20T12:00:%02d.000000Z"}}`, second))
				})
			}
			_, err := client.Do(t.Context(), plan.WaitNode{Node: "n-1", Ready: true, Restarted: true, Timeout: 50}, nil, nil)
			if (err != nil) != loops || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("restarted again and again is %t: %v", loops, err)
			}
		})
	}
}

// TestWaitNodeSeesAKubeletThatStartsAgainAndAgain: it renews its lease at each start, and the node
// is called Ready all the while.
func TestWaitNodeSeesAKubeletThatStartsAgainAndAgain(t *testing.T) {
	const path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n-1"
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/n-1", nodeReady)
		for second := 0; second < 60; second += 2 {
			after(time.Duration(second)*time.Second, func() {
				c.put(path, fmt.Sprintf(`{"metadata":{"name":"n-1","namespace":"kube-node-lease"},"spec":{"leaseDurationSeconds":40,"renewTime":"2026-11-20T12:00:%02d.000000Z"}}`, second))
			})
		}
		_, err := client.Do(t.Context(), plan.WaitNode{Node: "n-1", Ready: true, Restarted: true, Timeout: 30}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "start again and again") {
			t.Errorf("after a kubelet that does not stay up: %v", err)
		}
	})
}

// TestWaitPodsTellsTheOldPodFromTheNewOne: until the kubelet has seen the new manifest, what is
// ready is the Pod of before. What admission makes of the new one is no other manifest.
func TestWaitPodsTellsTheOldPodFromTheNewOne(t *testing.T) {
	pod := func(inputs, ready string) string {
		return fmt.Sprintf(`{"metadata":{"name":"etcd-cp-1","namespace":"kube-system","annotations":{"a":"b","slipway.dev/inputs":%q,"kubernetes.io/config.hash":"x"}},
			"spec":{"nodeName":"cp-1","containers":[{"name":"etcd","image":"mirror.example/etcd:1","command":["etcd"],
				"resources":{"limits":{"memory":"512Mi"}},"terminationMessagePath":"/dev/termination-log"}]},
			"status":{"conditions":[{"type":"Ready","status":%q}]}}`, inputs, ready)
	}
	manifest := "metadata: {name: etcd, namespace: kube-system, annotations: {a: b, slipway.dev/inputs: new}}\nspec: {containers: [{name: etcd, image: 'etcd:1', command: [etcd]}]}\n"
	content := func(string) ([]byte, error) { return []byte(manifest), nil }
	action := plan.WaitPods{Host: "cp-1", Pods: []plan.StaticPod{{Name: "etcd", Manifest: "ref"}}, Timeout: 30}
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		const path = "/api/v1/namespaces/kube-system/pods/etcd-cp-1"
		c.put(path, pod("old", "True"))
		after(3*time.Second, func() { c.put(path, pod("new", "False")) })
		after(6*time.Second, func() { c.put(path, pod("new", "True")) })
		began := time.Now()
		var notes []string
		_, err := client.Do(t.Context(), action, content, func(p hosts.Progress) { notes = append(notes, p.Note) })
		if took := time.Since(began); err != nil || took < 6*time.Second || took > 8*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if len(notes) < 2 || !strings.Contains(notes[0], "still runs by the manifest of before") || !strings.Contains(notes[1], "not ready") {
			t.Errorf("notes %q", notes)
		}
	})
}

func TestMarkNode(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/n-1", `{"metadata":{"name":"n-1","labels":{"keep":"me","dropped":"x"},"annotations":{"keep":"me"}},
			"spec":{"taints":[{"key":"old","effect":"NoSchedule"},{"key":"keep","effect":"NoExecute"}]}}`)
		action := plan.MarkNode{
			Node: "n-1", Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""},
			Taints: []string{"node-role.kubernetes.io/control-plane:NoSchedule", "a=b:NoExecute"}, RemoveTaints: []string{"old:NoSchedule"},
			RemoveLabels: []string{"dropped", "never-there"}, Seal: "5ea1",
		}
		for _, want := range []hosts.Result{hosts.Changed, hosts.Unchanged} {
			if done, err := client.Do(t.Context(), action, nil, nil); err != nil || done.Result != want {
				t.Fatalf("%v %v, should be %s", done, err, want)
			}
		}
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil {
			t.Fatal(err)
		}
		node := facts.Nodes[0]
		taints := []string{"a=b:NoExecute", "keep:NoExecute", "node-role.kubernetes.io/control-plane:NoSchedule"}
		if len(node.Labels) != 2 || node.Labels["keep"] != "me" || !slices.Equal(node.Taints, taints) {
			t.Errorf("node %+v", node)
		}
		if node.Marks == nil || len(node.Marks.Labels) != 1 || !slices.Equal(node.Marks.Taints, action.Taints) || node.Marks.Seal != action.Seal {
			t.Errorf("the node's note is %+v", node.Marks)
		}
		began := time.Now()
		if _, err := client.Do(t.Context(), plan.MarkNode{Node: "n-2"}, nil, nil); err == nil || time.Since(began) > time.Second {
			t.Errorf("a node that is not there cannot be marked: %v", err)
		}
	})
}

func TestCordonAndUncordon(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/n-1", nodeReady)
		tests := []struct {
			action plan.ClusterAction
			result hosts.Result
		}{
			{plan.Cordon{Node: "n-1"}, hosts.Changed}, {plan.Cordon{Node: "n-1"}, hosts.Unchanged},
			{plan.Uncordon{Node: "n-1"}, hosts.Changed}, {plan.Uncordon{Node: "n-1"}, hosts.Unchanged},
			{plan.Cordon{Node: "n-2"}, hosts.Unchanged},
		}
		for i, test := range tests {
			if done, err := client.Do(t.Context(), test.action, nil, nil); err != nil || done.Result != test.result {
				t.Errorf("%d: %v %v, should be %s", i, done, err, test.result)
			}
		}
		if _, err := client.Do(t.Context(), plan.Uncordon{Node: "n-2"}, nil, nil); err == nil {
			t.Error("a node that is not there cannot be uncordoned")
		}
	})
}

func podPath(name string) string { return "/api/v1/namespaces/default/pods/" + name }

func podObject(name, owner string) string {
	owners := `[]`
	if owner != "" {
		owners = fmt.Sprintf(`[{"apiVersion":"apps/v1","kind":%q,"name":"o","uid":"1","controller":true}]`, owner)
	}
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"default","uid":%q,"ownerReferences":%s},"spec":{"nodeName":"n-1"}}`, name, name, owners)
}

func TestDrain(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/n-1", nodeReady)
		c.put("/apis/apps/v1/namespaces/default/daemonsets/o", `{}`)
		c.put(podPath("web"), podObject("web", "ReplicaSet"))
		c.put(podPath("agent"), podObject("agent", "DaemonSet"))
		allowed := false
		c.budget = func(string) bool { return allowed }
		after(5*time.Second, func() { c.mu.Lock(); allowed = true; c.mu.Unlock() })
		var notes []string
		done, err := client.Do(t.Context(), plan.Drain{Node: "n-1", DrainOptions: plan.DrainOptions{Timeout: 60, DeleteEmptyDirData: true}}, nil, func(p hosts.Progress) { notes = append(notes, p.Note) })
		if err != nil || done.Result != hosts.Changed {
			t.Fatalf("%v %v", done, err)
		}
		if c.objects[podPath("web")] != nil || c.objects[podPath("agent")] == nil {
			t.Error("web should be gone, the DaemonSet's Pod should stay")
		}
		if c.objects["/api/v1/nodes/n-1"]["spec"].(map[string]any)["unschedulable"] != true {
			t.Error("the node is not cordoned")
		}
		if len(notes) == 0 || !strings.Contains(notes[0], "default/web") || !strings.Contains(notes[0], "disruption budget web") {
			t.Errorf("progress does not tell what is in the way: %q", notes)
		}
		if done, err = client.Do(t.Context(), plan.Drain{Node: "n-1", DrainOptions: plan.DrainOptions{Timeout: 60, DeleteEmptyDirData: true}}, nil, nil); err != nil || done.Result != hosts.Unchanged {
			t.Errorf("the second time: %v %v", done, err)
		}
	})
}

func TestDrainListsAFewPodsAndCountsTheRest(t *testing.T) {
	if got := some([]string{"a", "b"}); got != "a; b" {
		t.Error(got)
	}
	if got := some([]string{"1", "2", "3", "4", "5", "6", "7"}); got != "1; 2; 3; 4; 5; and 2 more" {
		t.Error(got)
	}
}

func TestDrainTellsWhatBlocksIt(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/n-1", nodeReady)
		c.put(podPath("web"), podObject("web", "ReplicaSet"))
		c.budget = func(string) bool { return false }
		_, err := client.Do(t.Context(), plan.Drain{Node: "n-1", DrainOptions: plan.DrainOptions{Timeout: 5, DeleteEmptyDirData: true}}, nil, nil)
		var late *WaitError
		if !errors.As(err, &late) || !strings.Contains(late.Last, "default/web") || !strings.Contains(late.Last, "The disruption budget web needs 2") {
			t.Errorf("%v", err)
		}
		c.put(podPath("bare"), podObject("bare", ""))
		var blocked *DrainError
		if _, err = client.Do(t.Context(), plan.Drain{Node: "n-1", DrainOptions: plan.DrainOptions{Timeout: 5, DeleteEmptyDirData: true}}, nil, nil); !errors.As(err, &blocked) || !strings.Contains(err.Error(), "default/bare") {
			t.Errorf("%v", err)
		}
	})
}

// TestHealth: each component is asked where it is said to serve its health, through its own host.
func TestHealth(t *testing.T) {
	play(t, []string{"cp-1", "cp-2"}, func(t *testing.T, c *cluster, _ *Client) {
		client := c.clientWith(c.ca, func(o *Options) {
			o.Health = map[string]map[string]string{
				"cp-1": {hosts.ComponentEtcd: "http://[::1]:2381/readyz", hosts.ComponentKubelet: "http://127.0.0.1:10248/healthz"},
				"cp-2": {hosts.ComponentEtcd: "http://127.0.0.1:2381/readyz"},
			}
		})
		defer client.Close()
		c.routes["[::1]:2381"] = func(context.Context, string) (net.Conn, error) {
			near, far := pipe()
			go func() {
				defer far.Close()
				if request, err := http.ReadRequest(bufio.NewReader(far)); err == nil && request.URL.Path == "/readyz" {
					_, _ = io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			}()
			return near, nil
		}
		c.planes["cp-2"].down = errDown
		c.answer = func(string, *http.Request) *metav1.Status { return nil }
		var found []string
		for _, one := range client.Health(t.Context()) {
			found = append(found, fmt.Sprint(one.Host, " ", one.Component, " ", one.Healthy))
			if one.Healthy != (one.Detail == "") {
				t.Errorf("%+v", one)
			}
		}
		want := []string{"cp-1 etcd true", "cp-1 kube-apiserver true", "cp-1 kubelet false", "cp-2 etcd false", "cp-2 kube-apiserver false"}
		if !slices.Equal(found, want) {
			t.Errorf("found %q, want %q", found, want)
		}
	})
}
