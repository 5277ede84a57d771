package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// viewer is who a watch tells.
type viewer struct {
	t     *testing.T
	told  chan hosts.Live
	end   func()
	times []time.Time // of the calls
}

func watching(t *testing.T, client *Client) *viewer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	v, ended := &viewer{t: t, told: make(chan hosts.Live, 10_000)}, make(chan struct{})
	go func() {
		defer close(ended)
		client.Watch(ctx, func(live hosts.Live) {
			v.times = append(v.times, time.Now())
			v.told <- live
		})
		close(v.told) // and a call after this panics
	}()
	v.end = func() {
		cancel()
		<-ended
	}
	return v
}

// until waits for a picture that is so, and gives it.
func (v *viewer) until(what string, is func(hosts.Live) bool) hosts.Live {
	v.t.Helper()
	var last hosts.Live
	for over := time.After(2 * time.Minute); ; {
		select {
		case last = <-v.told:
			if is(last) {
				return last
			}
		case <-over:
			v.t.Fatalf("%s: not seen; last was %+v", what, last)
		}
	}
}

// silent fails where something is told within a time.
func (v *viewer) silent(what string, within time.Duration) {
	v.t.Helper()
	select {
	case live := <-v.told:
		v.t.Errorf("%s: it was told %+v", what, live)
	case <-time.After(within):
	}
}

func settled(live hosts.Live) bool { return live.Connected && len(live.Lacking) == 0 }

const (
	webPath  = "/api/v1/namespaces/default/pods/web-5d-1"
	readyNow = `"conditions":[{"type":"Ready","status":"True"}]`
)

func (c *cluster) node(name, status string) {
	c.put("/api/v1/nodes/"+name, fmt.Sprintf(`{"metadata":{"name":%q,"labels":{"node-role.kubernetes.io/control-plane":""}},"status":{"nodeInfo":{"kubeletVersion":"v1.36.3"},%s}}`, name, status))
}

func (c *cluster) web(status string) {
	c.put(webPath, `{"metadata":{"name":"web-5d-1","namespace":"default","labels":{"pod-template-hash":"5d"},"managedFields":[{"manager":"x"}],
		"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-5d","uid":"u","controller":true}]},
		"spec":{"nodeName":"cp-1"},"status":{"phase":"Running",`+status+`}}`)
}

func (c *cluster) event(name, kind string, at time.Time) {
	c.put("/api/v1/namespaces/default/events/"+name, fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"default"},"type":%q,"reason":"BackOff",
		"message":"back-off\u001b[2J restarting","count":3,"lastTimestamp":%q,"involvedObject":{"kind":"Pod","namespace":"default","name":"web-5d-1"}}`,
		name, kind, at.UTC().Format(time.RFC3339)))
}

// TestWatchShowsWhatThereIsAndWhatChanges.
func TestWatchShowsWhatThereIsAndWhatChanges(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		at := time.Now().Truncate(time.Second)
		c.node("cp-1", readyNow)
		c.web(readyNow)
		c.event("a", "Warning", at)
		c.event("b", "Normal", at)
		v := watching(t, client)
		defer v.end()
		live := v.until("all there is", settled)
		if len(live.Nodes) != 1 || live.Nodes[0].Pods != 1 || !live.Nodes[0].Ready || live.Nodes[0].Roles[0] != "control-plane" || live.Nodes[0].Version != "v1.36.3" {
			t.Errorf("nodes: %+v", live.Nodes)
		}
		want := hosts.Warning{Time: at, Object: "Pod default/web-5d-1", Reason: "BackOff", Message: `back-off\u001b[2J restarting`, Count: 3}
		if len(live.Warnings) != 1 || !live.Warnings[0].Time.Equal(at) {
			t.Fatalf("warnings: %+v", live.Warnings)
		}
		if live.Warnings[0].Time = at; live.Warnings[0] != want {
			t.Errorf("warning: %+v", live.Warnings[0])
		}
		if live.Version != "v1.36.3" || live.Pods != 1 || live.UnwellPods != 0 {
			t.Errorf("it shows %+v", live)
		}
		if on := live.Nodes[0].OnIt; !slices.Equal(on, []hosts.LivePod{{Namespace: "default", Name: "web-5d-1", Phase: "Running"}}) {
			t.Errorf("on the node: %+v", on)
		}
		c.web(`"containerStatuses":[{"restartCount":4,"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 5m0s"}}}]`)
		live = v.until("a Pod that crashes", func(l hosts.Live) bool { return l.UnwellPods == 1 })
		if got := live.Unwell[0]; got.Reason != "CrashLoopBackOff" || got.Message != "back-off 5m0s" || got.Owner != "Deployment web" || got.Restarts != 4 || got.Node != "cp-1" {
			t.Errorf("the Pod: %+v", got)
		}
		if on := live.Nodes[0].OnIt; len(on) != 1 || on[0].Restarts != 4 {
			t.Errorf("on the node: %+v", on)
		}
		c.node("cp-1", `"conditions":[{"type":"Ready","status":"False","reason":"KubeletNotReady","message":"no\nnetwork"},{"type":"DiskPressure","status":"True"},{"type":"MemoryPressure","status":"False"},{"type":"example.test/Checked","status":"True"}]`)
		live = v.until("a node that is not ready", func(l hosts.Live) bool { return !l.Nodes[0].Ready })
		if live.Nodes[0].Reason != "KubeletNotReady: no network" || !slices.Equal(live.Nodes[0].Pressures, []string{"DiskPressure"}) {
			t.Errorf("the node: %+v", live.Nodes[0])
		}
		c.lose(webPath)
		v.until("the Pod's end", func(l hosts.Live) bool { return l.UnwellPods == 0 && l.Pods == 0 })
	})
}

// TestWatchTellsOnlyWhatHasChanged, and not more often than five times a second.
func TestWatchTellsOnlyWhatHasChanged(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.node("cp-1", readyNow)
		v := watching(t, client)
		v.until("all there is", settled)
		c.node("cp-1", readyNow+`,"daemonEndpoints":{"kubeletEndpoint":{"Port":1}}`)
		v.silent("a heartbeat", 10*time.Minute)
		for i := range 300 {
			c.put(fmt.Sprintf("/api/v1/namespaces/default/pods/p-%d", i), `{"metadata":{"name":"p","namespace":"default"},"status":{"phase":"Running"}}`)
			c.put(fmt.Sprintf("/api/v1/namespaces/default/pods/p-%d", i), fmt.Sprintf(`{"metadata":{"name":"p-%d","namespace":"default"},"status":{"phase":"Running"}}`, i))
			elapse(10 * time.Millisecond)
		}
		v.until("all Pods", func(l hosts.Live) bool { return l.Pods == 301 })
		v.end()
		for i := 1; i < len(v.times); i++ {
			if apart := v.times[i].Sub(v.times[i-1]); apart < 200*time.Millisecond {
				t.Errorf("two calls are %s apart", apart)
			}
		}
		if n := len(v.times); n < 5 || n > 30 {
			t.Errorf("it was told %d times", n)
		}
	})
}

// TestWatchGoesOnWithAnotherAPIServer, and says so while there is none.
func TestWatchGoesOnWithAnotherAPIServer(t *testing.T) {
	play(t, three, func(t *testing.T, c *cluster, client *Client) {
		c.node("cp-1", readyNow)
		v := watching(t, client)
		defer v.end()
		v.until("all there is", settled)
		for _, down := range []string{"cp-1", "cp-2"} {
			c.planes[down].cut(errDown)
			c.node("n-"+down, readyNow)
			live := v.until("what came after "+down+" was cut", func(l hosts.Live) bool { return l.Nodes[len(l.Nodes)-1].Name == "n-"+down })
			if !live.Connected {
				t.Errorf("with others there it is not connected: %s", live.Cause)
			}
		}
		c.planes["cp-3"].cut(errDown)
		live := v.until("the end of the last", func(l hosts.Live) bool { return !l.Connected })
		if !strings.Contains(live.Cause, "reach the API server on cp-3 (cp-3:6443): connect: connection refused") || len(live.Nodes) != 3 {
			t.Errorf("it says %q, with %d nodes", live.Cause, len(live.Nodes))
		}
		c.forget()
		c.lose("/api/v1/nodes/n-cp-1")
		c.planes["cp-2"].cut(nil)
		live = v.until("it all again", func(l hosts.Live) bool { return settled(l) && len(l.Nodes) == 2 })
		if live.Cause != "" {
			t.Errorf("it still says %q", live.Cause)
		}
	})
}

// TestWatchNoticesAnAPIServerThatHangs: nothing ends by itself then.
func TestWatchNoticesAnAPIServerThatHangs(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.node("cp-1", readyNow)
		v := watching(t, client)
		defer v.end()
		v.until("all there is", settled)
		began, held := time.Now(), make(chan struct{})
		c.mu.Lock()
		c.held = held
		c.mu.Unlock()
		live := v.until("that it hangs", func(l hosts.Live) bool { return !l.Connected })
		if took := time.Since(began); took > 10*time.Second || !strings.Contains(live.Cause, "the API server on cp-1 (cp-1:6443): no answer within 3s") {
			t.Errorf("after %s it says %q", took, live.Cause)
		}
		c.mu.Lock()
		c.held = nil
		c.mu.Unlock()
		close(held)
		v.until("it again", settled)
	})
}

// TestWatchSaysWhatItMayNotSee, and shows the rest.
func TestWatchSaysWhatItMayNotSee(t *testing.T) {
	for name, forbidden := range map[string]string{"a list": "list", "a watch": "watch"} {
		t.Run(name, func(t *testing.T) {
			play(t, one, func(t *testing.T, c *cluster, client *Client) {
				c.node("cp-1", readyNow)
				c.answer = func(_ string, r *http.Request) *metav1.Status {
					if watches := r.URL.Query().Get("watch") == "true"; r.URL.Path == "/api/v1/pods" && watches == (forbidden == "watch") {
						return status(403, metav1.StatusReasonForbidden, "pods is forbidden")
					}
					return nil
				}
				v := watching(t, client)
				defer v.end()
				live := v.until("the lack", func(l hosts.Live) bool { return len(l.Lacking) == 1 && strings.Contains(l.Lacking[0].Why, "forbidden") })
				if live.Lacking[0].What != hosts.LackPods || len(live.Nodes) != 1 || !live.Connected {
					t.Errorf("it shows %+v", live)
				}
				v.silent("nothing new", time.Minute)
				c.mu.Lock()
				c.answer = nil
				c.mu.Unlock()
				v.until("all", settled)
			})
		})
	}
}

// TestWatchListsAnewWhatIsTooOld: a watch that cannot go on where it was.
func TestWatchListsAnewWhatIsTooOld(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.node("cp-1", readyNow)
		refused := false
		c.answer = func(_ string, r *http.Request) *metav1.Status {
			if r.URL.Query().Get("watch") == "true" && r.URL.Path == "/api/v1/nodes" && !refused {
				refused = true
				return status(410, metav1.StatusReasonExpired, "too old resource version")
			}
			return nil
		}
		v := watching(t, client)
		defer v.end()
		v.until("all there is", settled)
		c.node("cp-2", readyNow)
		v.until("what came", func(l hosts.Live) bool { return len(l.Nodes) == 2 })
		if lists := c.count("GET /api/v1/nodes"); lists < 2 {
			t.Errorf("nodes were listed %d times", lists)
		}
	})
}

// TestWatchNoticesWhatOnlyTimeMakesUnwell.
func TestWatchNoticesWhatOnlyTimeMakesUnwell(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.clock = time.Hour
		born := time.Now().Add(c.clock)
		c.put(webPath, fmt.Sprintf(`{"metadata":{"name":"web-5d-1","namespace":"default","creationTimestamp":%q},"status":{"phase":"Pending",
			"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes are available"}]}}`, born.UTC().Format(time.RFC3339)))
		v := watching(t, client)
		defer v.end()
		if live := v.until("all there is", settled); live.UnwellPods != 0 {
			t.Errorf("at once it is unwell: %+v", live.Unwell)
		}
		live := v.until("that it stays Pending", func(l hosts.Live) bool { return l.UnwellPods == 1 })
		if took := time.Since(born.Add(-c.clock)); took < 58*time.Second || took > 63*time.Second {
			t.Errorf("it was told after %s", took)
		}
		if got := live.Unwell[0]; got.Reason != "Pending" || got.Message != "Unschedulable: 0/3 nodes are available" || got.Node != "" {
			t.Errorf("it is %+v", got)
		}
	})
}

// TestWatchKeepsTheNewestWarnings of as many as there may be.
func TestWatchKeepsTheNewestWarnings(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		begin := time.Now().Truncate(time.Second)
		for i := range 700 {
			c.event(fmt.Sprintf("e-%03d", i), "Warning", begin.Add(time.Duration(i)*time.Second))
		}
		v := watching(t, client)
		defer v.end()
		live := v.until("all there is", settled)
		if n := len(live.Warnings); n != hosts.MostWarnings || !live.Warnings[0].Time.Equal(begin.Add(699*time.Second)) || !live.Warnings[n-1].Time.Equal(begin.Add(500*time.Second)) {
			t.Errorf("%d warnings, from %s to %s", n, live.Warnings[0].Time, live.Warnings[n-1].Time)
		}
	})
}

// TestWatchWithoutAControlPlane says so, and ends with its context.
func TestWatchWithoutAControlPlane(t *testing.T) {
	play(t, nil, func(t *testing.T, _ *cluster, client *Client) {
		v := watching(t, client)
		if live := v.until("what it says", func(hosts.Live) bool { return true }); live.Connected || live.Cause != errNoHost.Error() {
			t.Errorf("it says %+v", live)
		}
		v.end()
	})
}

func TestWhatMakesAPodUnwell(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ago := func(long time.Duration) metav1.Time { return metav1.NewTime(now.Add(-long)) }
	waiting := func(reason string) corev1.ContainerStatus {
		return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
	}
	unready := func(long time.Duration) []corev1.PodCondition {
		return []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", Message: "web", LastTransitionTime: ago(long)}}
	}
	gone := ago(time.Minute)
	for name, test := range map[string]struct {
		pod  corev1.Pod
		want string
	}{
		"it runs":                        {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}, ""},
		"it has ended well":              {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded, Conditions: unready(time.Hour)}}, ""},
		"it was evicted":                 {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "low on memory"}}, "Evicted: low on memory"},
		"it has failed":                  {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}}}}}}, "Failed: Error"},
		"its image does not come":        {corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: ago(0)}, Status: corev1.PodStatus{Phase: corev1.PodPending, InitContainerStatuses: []corev1.ContainerStatus{waiting("ImagePullBackOff")}}}, "ImagePullBackOff: "},
		"it is being made":               {corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: ago(time.Second)}, Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{waiting("ContainerCreating")}}}, ""},
		"it is being made for long":      {corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: ago(time.Hour)}, Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{waiting("ContainerCreating")}}}, "Pending: ContainerCreating"},
		"it is not ready":                {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: unready(time.Minute)}}, "NotReady: ContainersNotReady: web"},
		"it is not ready for a moment":   {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: unready(time.Second)}}, ""},
		"it is ending":                   {corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{Time: now}}, Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: unready(time.Hour)}}, ""},
		"it should have ended":           {corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &gone}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}, "Terminating: it should have ended"},
		"a finalizer keeps it from that": {corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &gone, Finalizers: []string{"a/b"}}}, "Terminating: it waits for who has set its finalizers: a/b"},
	} {
		t.Run(name, func(t *testing.T) {
			kept, got := usualWatchPace.watchedPod(&test.pod), ""
			if kept.trouble != nil && !kept.from.After(now) {
				got = kept.trouble.Reason + ": " + kept.trouble.Message
			}
			if got != test.want {
				t.Errorf("it says %q, want %q", got, test.want)
			}
		})
	}
}

// TestWatchKeepsFewPodsOfANode, the first ones, and counts all that have not ended.
func TestWatchKeepsFewPodsOfANode(t *testing.T) {
	w := newWatched(usualWatchPace)
	put := func(source int, object any) {
		t.Helper()
		if err := w.sources()[source].store.Add(object); err != nil {
			t.Fatal(err)
		}
	}
	put(0, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}})
	for i := range 500 {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: fmt.Sprintf("p-%03d", i)}, Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
		switch i {
		case 0:
			pod.Status.Phase = corev1.PodSucceeded
		case 1:
			pod.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		}
		put(1, pod)
	}
	first, _, _ := w.live(time.Now())
	node := first.Nodes[0]
	if node.Pods != 499 || len(node.OnIt) != hosts.MostOnNode || node.OnIt[0] != (hosts.LivePod{Namespace: "a", Name: "p-001", Phase: "Terminating"}) {
		t.Errorf("it has %d Pods, and shows %d: %+v", node.Pods, len(node.OnIt), node.OnIt[0])
	}
	put(1, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p-002"}, Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{Phase: corev1.PodPending}})
	if second, _, _ := w.live(time.Now()); second.Nodes[0].OnIt[1].Phase != "Pending" || first.Nodes[0].OnIt[1].Phase != "Running" {
		t.Errorf("what changed is shown as %+v, and before as %+v", second.Nodes[0].OnIt[1], first.Nodes[0].OnIt[1])
	}
}

// BenchmarkWatchOfManyPods is what each picture of a cluster of 10,000 Pods costs: at most five are
// made a second, and none where nothing changes.
func BenchmarkWatchOfManyPods(b *testing.B) {
	w := newWatched(usualWatchPace)
	for i := range 10_000 {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("web-%d", i)}, Spec: corev1.PodSpec{NodeName: fmt.Sprintf("n-%d", i%500)}}
		if pod.Status.Phase = corev1.PodRunning; i%100 == 0 {
			pod.Status.Phase = corev1.PodFailed
		}
		if err := w.sources()[1].store.Add(&pod); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 500 {
		if err := w.sources()[0].store.Add(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n-%d", i)}}); err != nil {
			b.Fatal(err)
		}
	}
	now := time.Now()
	for b.Loop() {
		if live, _, _ := w.live(now); live.UnwellPods != 100 {
			b.Fatal(live.UnwellPods)
		}
	}
}
