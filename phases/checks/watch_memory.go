package checks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Look is one look at all that a wait goes by.
type Look struct {
	After time.Duration    // since the wait began
	Note  string           // what the wait itself last saw
	Shown map[string]Shown // what hosts showed, by name
	// Working are the hosts on which something else than waits is being done.
	Working []string
	// Moved and Busy are when, since this wait began, something last moved, or was at work, of all else that
	// the run waits for or does: an API server that ends for want of etcd's other members goes by theirs.
	Moved, Busy time.Duration
}

// Shown is what one host showed.
type Shown struct {
	Evidence []hosts.Evidence
	Signs    []hosts.Sign
	// Silent: it did not answer in time, which says nothing of what is waited for.
	Silent bool
}

// Watch tells from look to look whether a wait is slow or stuck. It knows no clock: all that it goes by is
// in the looks.
type Watch struct {
	step     plan.Step
	patience plan.Patience
	concerns func(string) bool
	awaited  sources

	looks    int
	last     Look
	known    map[string]bool          // what has been seen, each once
	told     map[string]int           // how much of it is of one kind
	moved    map[string]time.Duration // when something new was last seen, by host and source
	moving   string
	busy     time.Duration
	silent   bool          // no host has answered the last look
	answered time.Duration // when one last did
	causes   map[string]sighting
	endings  map[string]*endings
	fetched  int64
	previous map[string]hosts.Evidence // by host and source
	signs    map[string]hosts.Sign     // the same
}

// sighting is how long a cause has been seen.
type sighting struct{ first, last time.Duration }

// NewWatch begins to watch a step's wait.
func NewWatch(step plan.Step) *Watch {
	patience, _, _ := plan.PatienceOf(step)
	return &Watch{
		step: step, patience: patience, concerns: Concerns(step), awaited: awaited(step),
		known: map[string]bool{}, told: map[string]int{}, moved: map[string]time.Duration{},
		causes: map[string]sighting{}, endings: map[string]*endings{},
		previous: map[string]hosts.Evidence{}, signs: map[string]hosts.Sign{},
	}
}

// awaited are the sources whose work is what the step waits for.
func awaited(step plan.Step) sources {
	switch action := step.Cluster.(type) {
	case plan.WaitAPI:
		return static(hosts.ComponentAPIServer, hosts.ComponentEtcd)
	case plan.MemberPromote:
		return static(hosts.ComponentEtcd)
	case plan.WaitPods:
		var names []string
		for _, pod := range action.Pods {
			names = append(names, pod.Name)
		}
		return static(names...)
	case plan.WaitNode:
		return anyOf(is(kubelet, containerd), ownContainers)
	case plan.WaitAvailable:
		return podsOf(action.Object)
	case plan.WaitEndpoint:
		return anyOf(is(haproxy, keepalived), static(hosts.ComponentAPIServer))
	}
	return func(string) bool { return false }
}

// lastMoved is when something new was last seen, but for what one source has shown.
func (w *Watch) lastMoved(but string) time.Duration {
	var last time.Duration
	for source, at := range w.moved {
		if but == "" || source != but {
			last = max(last, at)
		}
	}
	return last
}

// see takes in what is new, and who is at work.
func (w *Watch) see(look Look) {
	w.note(look, "", "note", withoutNumbers(look.Note), look.Note)
	answered := false
	for _, host := range slices.Sorted(maps.Keys(look.Shown)) {
		shown := look.Shown[host]
		answered = answered || !shown.Silent
		for _, sign := range shown.Signs {
			w.seeSign(look, host, sign)
		}
		for _, one := range shown.Evidence {
			w.seeLines(look, host, one)
		}
	}
	if w.silent = !answered; w.silent {
		w.busy = look.After // nobody knows that nothing moves
	} else {
		w.answered = look.After
	}
}

// most is how many new things of one kind count as progress: what turns in circles finds new words for ever.
const most = 60

// note takes in something that may be new; text says it to people.
func (w *Watch) note(look Look, source, kind, what, text string) {
	key := kind + " " + source + ": " + what
	if what == "" || w.known[key] || w.told[kind+" "+source] >= most {
		return
	}
	w.known[key] = true
	w.told[kind+" "+source]++
	if w.looks > 1 {
		w.moved[source], w.moving = look.After, text
	}
}

func (w *Watch) seeSign(look Look, host string, sign hosts.Sign) {
	if sign.Source == hosts.SourceImages {
		if sign.Fetched > w.fetched && w.looks > 1 {
			w.moved[host+" "+sign.Source], w.moving = look.After, describe(sign, 0)
		}
		w.fetched = max(w.fetched, sign.Fetched)
		return
	}
	if !w.concerns(sign.Source) {
		return
	}
	at := host + " " + sign.Source
	w.note(look, at, "state", sign.State, describe(sign, 0))
	if sign.Ended != nil {
		w.note(look, at, "end", endingKind(*sign.Ended), describe(sign, 0))
	}
	before, known := w.signs[at]
	if passed := look.After - w.last.After; known && passed > 0 && before.Attempt == sign.Attempt {
		if used := sign.CPU - before.CPU; used >= atWork*passed.Seconds() && w.patience.Busy > 0 {
			w.busy = look.After
		}
	}
	w.signs[at] = sign
	w.seeEnding(at, sign)
}

// atWork is the share of one processor from which on a program is at work: an API server that starts takes all
// that it gets, one that waits for etcd, or a kubelet that has nothing to do, a twentieth at most.
const atWork = 0.2

// seeLines takes in what a source says: that it says something new is a sign of work. Who listens at a port
// is news.
func (w *Watch) seeLines(look Look, host string, one hosts.Evidence) {
	at := host + " " + one.Source
	switch {
	case strings.HasPrefix(one.Source, "port "):
		w.note(look, at, "port", strings.Join(one.Lines, " "), fmt.Sprintf("%s: %s", one.Source, strings.Join(one.Lines, " ")))
	case w.awaited(one.Source) && w.patience.Busy > 0:
		for _, line := range one.Lines[min(1, len(one.Lines)):] {
			key := "line " + at + ": " + shape(line)
			if w.known[key] || w.told["line "+at] >= 3*most || others(one.Source, line) {
				continue
			}
			w.known[key] = true
			w.told["line "+at]++
			w.busy = look.After
		}
	}
}

// endings are how a container has ended while it was watched.
type endings struct {
	kinds []string // of each end that was seen, in order; the first may be from before
	seen  int      // how often it had ended at the last look
}

func (w *Watch) seeEnding(at string, sign hosts.Sign) {
	ended := sign.Attempt
	if sign.State == hosts.StateEnded {
		ended++
	}
	e, known := w.endings[at]
	if !known {
		e = &endings{seen: ended}
		w.endings[at] = e
		if sign.Ended != nil {
			e.kinds = append(e.kinds, endingKind(*sign.Ended))
		}
		return
	}
	if ended > e.seen && sign.Ended != nil {
		e.kinds = append(e.kinds, endingKind(*sign.Ended))
	}
	e.seen = max(e.seen, ended)
}
