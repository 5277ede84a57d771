package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// awaitedAfter is when it is first said whom a command waits for, and awaitedAgain how
	// often from then on.
	awaitedAfter = 5 * time.Second
	awaitedAgain = 15 * time.Second
	// interruptPatience is how long a command may take to end once it is interrupted.
	interruptPatience = 1800 * time.Millisecond
	// writePatience is how long its last words may take.
	writePatience = 100 * time.Millisecond
	// mustPatience bounds what an interrupt does not cut short: a service manager or a CI job
	// interrupts once, and waits.
	mustPatience = trialBack + 30*time.Second
)

// goesOn is said of a command that was interrupted and has left nothing undone.
const goesOn = "interrupted; the same command goes on from here\n"

// awaiting is what this process waits for: it has one user.
var awaiting = &awaited{say: func(line string) { fmt.Fprintln(os.Stderr, line) }}

// awaited knows whom a command waits for and with what, and says so when it takes long.
type awaited struct {
	mu      sync.Mutex
	say     func(line string)
	waits   map[*wait]bool
	musts   map[*must]bool // what an interrupt does not cut short
	talking bool           // tell runs
	itself  bool           // the process ends by itself when it is interrupted
}

// wait is one that is waited for.
type wait struct {
	who, what string
	since     time.Time
}

// must is something that an interrupt does not cut short, and how it is made up for where it
// is cut short all the same.
type must struct{ what, fix string }

// begin notes that who is waited for. at changes with what; end ends it.
func (a *awaited) begin(who, what string) (at func(what string), end func()) {
	w := &wait{who: who, what: what, since: time.Now()}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waits == nil {
		a.waits = map[*wait]bool{}
	}
	a.waits[w] = true
	if !a.talking {
		a.talking = true
		time.AfterFunc(awaitedAfter, a.tell)
	}
	at = func(what string) {
		a.mu.Lock()
		defer a.mu.Unlock()
		w.what = what
	}
	return at, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waits, w)
	}
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
	if list := a.list(awaitedAfter); list != "" {
		return "waiting for " + list, a.say, awaitedAgain
	}
	return "", nil, awaitedAfter // none of these has been waited for that long
}

// list names those that have been waited for at least so long, each once: with what has taken
// longest.
func (a *awaited) list(atLeast time.Duration) string {
	longest := map[string]*wait{}
	for w := range a.waits {
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

// through has what is said go another way, a display's, until restore is called.
func (a *awaited) through(say func(line string)) (restore func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.say
	a.say = say
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.say = before
	}
}

// mustEnd notes something that an interrupt does not cut short: what was taken out is put
// back, within mustPatience. A second interrupt does; fix says what is to be done then.
func (a *awaited) mustEnd(what, fix string) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.musts == nil {
		a.musts = map[*must]bool{}
	}
	m := &must{what, fix}
	a.musts[m] = true
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.musts, m)
	}
}

// undone names what must end and has not, and gives what is to be done about it, each once.
func (a *awaited) undone() (what, fix string) {
	whats, fixes := map[string]bool{}, map[string]bool{}
	for m := range a.musts {
		whats[m.what], fixes[m.fix] = true, true
	}
	return strings.Join(slices.Sorted(maps.Keys(whats)), ", "), strings.Join(slices.Sorted(maps.Keys(fixes)), "; ")
}

// endsItself tells that nobody is to end this process for an interrupt, nor to say anything
// of it: it has its own way to come to an end.
func (a *awaited) endsItself() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.itself = true
}

// interrupted ends the process soon after its interrupt, whoever does not answer: a host
// ends by itself what it has in hand, and lets go of its lease with the connection.
func (a *awaited) interrupted(out io.Writer, exit func(code int)) {
	began := time.Now()
	time.AfterFunc(interruptPatience, func() { a.giveUp(out, exit, began, true) })
}

// interruptedAgain ends the process at once.
func (a *awaited) interruptedAgain(exit func(code int)) {
	a.mu.Lock()
	itself := a.itself
	a.mu.Unlock()
	if !itself {
		exit(exitInterrupted)
	}
}

func (a *awaited) giveUp(out io.Writer, exit func(code int), began time.Time, first bool) {
	a.mu.Lock()
	list, itself := a.list(0), a.itself
	undone, fix := a.undone()
	a.mu.Unlock()
	if itself {
		return
	}
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
		said.WriteString(goesOn)
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
