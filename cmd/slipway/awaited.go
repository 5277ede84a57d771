package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

const (
	// awaitedAfter is when it is first said whom a command waits for, and awaitedAgain how
	// often from then on.
	awaitedAfter = 5 * time.Second
	awaitedAgain = 15 * time.Second
	// awaitedFirst is when the first is said to a user who looks at a terminal.
	awaitedFirst = 800 * time.Millisecond
	// interruptPatience is how long a command may take to end once it is interrupted.
	interruptPatience = 1800 * time.Millisecond
	// writePatience is how long its last words may take.
	writePatience = 100 * time.Millisecond
	// mustPatience bounds what an interrupt does not cut short: a service manager or a CI job
	// interrupts once, and waits.
	mustPatience = max(workflow.BackWithin, engine.RescueWithin) + 30*time.Second
)

// awaited knows whom a command waits for and with what, and says so when it takes long.
type awaited struct {
	mu      sync.Mutex
	say     func(line string)
	display func(line string) // where not nil, it takes say's place
	waits   map[stage]*wait
	musts   map[any]must // what an interrupt does not cut short, by whatever began it
	talking bool         // tell runs
	watched bool         // a user looks at a terminal, on which nothing was said yet
	hushed  int          // questions that are open there: nothing is said in between
	ends    string       // what is said at last of an interrupt that had no answer; goesOn unless said
}

// stage is what a host, or all, is in.
type stage struct{ name, host string }

// wait is one that is waited for.
type wait struct {
	who, what string
	since     time.Time
}

// must is something that an interrupt does not cut short, and how it is made up for where it
// is cut short all the same.
type must struct{ what, fix string }

// answering is who is waited for in a stage that is not a host's.
var answering = map[string]string{
	workflow.StageCluster: "the cluster's API",
	workflow.StageHealth:  "the control planes' components",
	workflow.StageAPIs:    "the API servers",
	workflow.StageTraffic: "the hosts' traffic",
}

// Event takes note of a stage: of whom is waited for, and of what an interrupt does not cut short.
func (a *awaited) Event(event plan.Event) {
	if event.Stage == "" {
		return
	}
	at := stage{event.Stage, event.Host}
	switch {
	case event.Type == plan.EventStageFinished:
		a.end(at)
	case event.Fix != "":
		a.note(at, must{event.Detail, event.Fix})
	case event.Detail != "" && (event.Host != "" || answering[event.Stage] != ""):
		a.begin(at, event.Detail)
	}
}

// begin notes that somebody is waited for or, where that is known, with what by now.
func (a *awaited) begin(at stage, what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.waits[at]; ok {
		known.what = what
		return
	}
	if a.waits == nil {
		a.waits = map[stage]*wait{}
	}
	a.waits[at] = &wait{who: cmp.Or(at.host, answering[at.name]), what: what, since: time.Now()}
	if !a.talking {
		a.talking = true
		time.AfterFunc(a.after(), a.tell)
	}
}

func (a *awaited) end(at stage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waits, at)
	delete(a.musts, at)
}

// tell says whom one waits for, where that has taken long, and comes again. It says so
// without the lock: who reads what is said may have stopped reading.
func (a *awaited) tell() {
	line, say, next := a.due()
	if line != "" {
		say(line)
	}
	if next > 0 {
		time.AfterFunc(next, a.tell)
	}
}

// due is what there is to say now, by whom, and when there may be more; 0: nobody is
// waited for.
func (a *awaited) due() (line string, say func(line string), next time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waits) == 0 {
		a.talking = false
		return "", nil, 0
	}
	if a.hushed > 0 {
		return "", nil, awaitedAfter
	}
	if list := a.list(a.after()); list != "" {
		a.watched = false
		if say = a.say; a.display != nil {
			say = a.display
		}
		return "waiting for " + list, say, awaitedAgain
	}
	return "", nil, a.after() // none of these has been waited for that long
}

// after is how long somebody is waited for before it is said.
func (a *awaited) after() time.Duration {
	if a.watched {
		return awaitedFirst
	}
	return awaitedAfter
}

// hush has nothing said while a question is open.
func (a *awaited) hush() (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hushed++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.hushed--
	}
}

// list names those that have been waited for at least so long, each once: with what has taken
// longest.
func (a *awaited) list(atLeast time.Duration) string {
	longest := map[string]*wait{}
	for _, w := range a.waits {
		if known, ok := longest[w.who]; time.Since(w.since) >= atLeast && (!ok || w.since.Before(known.since)) {
			longest[w.who] = w
		}
	}
	var names []string
	for _, who := range slices.Sorted(maps.Keys(longest)) {
		w := longest[who]
		names = append(names, fmt.Sprintf("%s (%s, %.0f s)", who, w.what, time.Since(w.since).Seconds()))
	}
	return strings.Join(names, ", ")
}

// through has what is said go another way, a display's; nil is for the usual one again.
func (a *awaited) through(display func(line string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.display = display
}

// mustEnd notes something that an interrupt does not cut short: what was taken out is put
// back, within mustPatience. A second interrupt does; fix says what is to be done then.
func (a *awaited) mustEnd(what, fix string) (end func()) {
	key := new(must)
	a.note(key, must{what, fix})
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.musts, key)
	}
}

func (a *awaited) note(key any, m must) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.musts == nil {
		a.musts = map[any]must{}
	}
	a.musts[key] = m
}

// undone names what must end and has not, and gives what is to be done about it, each once.
func (a *awaited) undone() (what, fix string) {
	whats, fixes := map[string]bool{}, map[string]bool{}
	for _, m := range a.musts {
		whats[m.what], fixes[m.fix] = true, true
	}
	return strings.Join(slices.Sorted(maps.Keys(whats)), ", "), strings.Join(slices.Sorted(maps.Keys(fixes)), "; ")
}

// interrupted ends the process soon after its interrupt, whoever does not answer: a host
// ends by itself what it has in hand, and lets go of its lease with the connection.
func (a *awaited) interrupted(out io.Writer, exit func(code int)) {
	began := time.Now()
	time.AfterFunc(interruptPatience, func() { a.giveUp(out, exit, began, true) })
}

func (a *awaited) giveUp(out io.Writer, exit func(code int), began time.Time, first bool) {
	a.mu.Lock()
	list := a.list(0)
	undone, fix := a.undone()
	a.mu.Unlock()
	if undone != "" && time.Since(began) < mustPatience {
		if first {
			written(out, fmt.Sprintf("interrupted; still %s: a second Ctrl-C ends at once, and leaves it undone; %s\n", undone, fix))
		}
		time.AfterFunc(interruptPatience, func() { a.giveUp(out, exit, began, false) })
		return
	}
	var said strings.Builder
	if list != "" {
		fmt.Fprintf(&said, "not waited for any longer: %s; a host ends by itself what it has in hand\n", list)
	}
	if undone != "" {
		fmt.Fprintf(&said, "interrupted, and left undone: %s; %s\n", undone, fix)
	} else {
		said.WriteString(cmp.Or(a.ends, goesOn))
	}
	written(out, said.String())
	exit(exitInterrupted)
}

// written writes a text, and leaves it behind where nobody takes it at once: a reader that
// stands still (a pager, a collector of logs) keeps no process from its end.
func written(out io.Writer, text string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.WriteString(out, text)
	}()
	patience := time.NewTimer(writePatience)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
	}
}
