package api

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// watched is what the watches of a cluster have seen. Of each object little is kept: clusters have
// 10,000 Pods and more.
type watched struct {
	pace watchPace
	news chan struct{} // holds one while there may be something to tell

	mu        sync.Mutex
	asked     bool // whether an API server answers is known
	connected bool
	cause     string
	version   string
	lacking   map[string]string // why a kind is not kept up, by Lacking.What
	nodes     map[string]hosts.LiveNode
	pods      map[string]watchedPod
	onNodes   map[string][]hosts.LivePod // as told last: what is the same is compared soon
	warnings  map[string]hosts.Warning
}

func newWatched(pace watchPace) *watched {
	const unread = "they are being read"
	return &watched{
		pace: pace, news: make(chan struct{}, 1),
		lacking: map[string]string{hosts.LackNodes: unread, hosts.LackPods: unread, hosts.LackWarnings: unread},
		nodes:   map[string]hosts.LiveNode{}, pods: map[string]watchedPod{}, warnings: map[string]hosts.Warning{},
	}
}

// change edits what was seen, and has it told.
func (w *watched) change(edit func()) {
	w.mu.Lock()
	edit()
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *watched) serverIs(connected bool, cause, version string) {
	w.change(func() {
		w.asked, w.connected, w.cause = true, connected, hosts.CleanLine(cause)
		if version != "" {
			w.version = hosts.CleanLine(version)
		}
	})
}

// lacks notes why a kind is not kept up; empty: it is.
func (w *watched) lacks(what, why string) {
	w.change(func() {
		if delete(w.lacking, what); why != "" {
			w.lacking[what] = hosts.CleanLine(why)
		}
	})
}

// live is what there is to tell at a time, whether it is known if an API server answers, and in how
// long time alone changes it; 0: it does not.
func (w *watched) live(now time.Time) (live hosts.Live, known bool, next time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	live = hosts.Live{Connected: w.connected, Cause: w.cause, Version: w.version}
	if w.connected {
		for _, what := range slices.Sorted(maps.Keys(w.lacking)) {
			live.Lacking = append(live.Lacking, hosts.Lacking{What: what, Why: w.lacking[what]})
		}
	}
	on := map[string][]hosts.LivePod{}
	for _, pod := range w.pods {
		if !pod.ended {
			on[pod.node] = append(on[pod.node], pod.short)
			live.Pods++
		}
		switch wait := pod.from.Sub(now); {
		case pod.trouble == nil:
		case wait <= 0:
			live.Unwell = append(live.Unwell, *pod.trouble)
		case next == 0 || wait < next:
			next = wait
		}
	}
	told := w.onNodes
	w.onNodes = map[string][]hosts.LivePod{}
	for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
		node := w.nodes[name]
		node.Pods, node.OnIt = len(on[name]), firstPods(on[name])
		if slices.Equal(node.OnIt, told[name]) {
			node.OnIt = told[name]
		}
		w.onNodes[name] = node.OnIt
		live.Nodes = append(live.Nodes, node)
	}
	slices.SortFunc(live.Unwell, func(a, b hosts.UnwellPod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	live.UnwellPods = len(live.Unwell)
	live.Unwell = slices.Clip(live.Unwell[:min(len(live.Unwell), hosts.MostUnwell)])
	live.Warnings = newest(slices.Collect(maps.Values(w.warnings)))
	return live, w.asked, next
}

// firstPods are the first Pods by namespace and name.
func firstPods(all []hosts.LivePod) []hosts.LivePod {
	slices.SortFunc(all, func(a, b hosts.LivePod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return slices.Clip(all[:min(len(all), hosts.MostOnNode)])
}

// newest are the newest warnings, the newest first.
func newest(all []hosts.Warning) []hosts.Warning {
	slices.SortFunc(all, func(a, b hosts.Warning) int {
		return cmp.Or(b.Time.Compare(a.Time), strings.Compare(a.Object, b.Object), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Message, b.Message))
	})
	return all[:min(len(all), hosts.MostWarnings)]
}

// dropOld forgets all but the newest warnings, once there are many more; the caller holds the lock.
func (w *watched) dropOld() {
	if len(w.warnings) <= 2*hosts.MostWarnings {
		return
	}
	keys := slices.SortedFunc(maps.Keys(w.warnings), func(a, b string) int {
		return cmp.Or(w.warnings[b].Time.Compare(w.warnings[a].Time), strings.Compare(a, b))
	})
	for _, key := range keys[hosts.MostWarnings:] {
		delete(w.warnings, key)
	}
}
