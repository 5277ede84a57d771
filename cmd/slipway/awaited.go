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
)

// awaiting is what this process waits for: it has one user.
var awaiting = &awaited{say: func(line string) { fmt.Fprintln(os.Stderr, line) }}

// awaited knows whom a command waits for and with what, and says so when it takes long.
type awaited struct {
	mu      sync.Mutex
	say     func(line string)
	waits   map[*wait]bool
	musts   map[*string]bool // what an interrupt does not cut short
	talking bool             // tell runs
}

// wait is one that is waited for.
type wait struct {
	who, what string
	since     time.Time
}

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

// tell says whom one waits for, where that has taken long, and comes again.
func (a *awaited) tell() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waits) == 0 {
		a.talking = false
		return
	}
	next := awaitedAgain
	if list := a.list(awaitedAfter); list != "" {
		a.say("waiting for " + list)
	} else {
		next = awaitedAfter // none of these has been waited for that long
	}
	time.AfterFunc(next, a.tell)
}

// list names those that have been waited for at least so long, each once.
func (a *awaited) list(atLeast time.Duration) string {
	names := map[string]string{}
	for w := range a.waits {
		if took := time.Since(w.since); took >= atLeast {
			names[w.who] = fmt.Sprintf("%s (%s, %.0f s)", w.who, w.what, took.Seconds())
		}
	}
	return strings.Join(slices.Sorted(maps.Values(names)), ", ")
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
// back. A second interrupt does.
func (a *awaited) mustEnd(what string) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.musts == nil {
		a.musts = map[*string]bool{}
	}
	a.musts[&what] = true
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.musts, &what)
	}
}

// interrupted ends the process soon after its interrupt, whoever does not answer: a host
// ends by itself what it has in hand, and lets go of its lease with the connection.
func (a *awaited) interrupted(out io.Writer, exit func(code int)) {
	time.AfterFunc(interruptPatience, func() { a.giveUp(out, exit, true) })
}

func (a *awaited) giveUp(out io.Writer, exit func(code int), first bool) {
	a.mu.Lock()
	list := a.list(0)
	var musts []string
	for what := range a.musts {
		musts = append(musts, *what)
	}
	a.mu.Unlock()
	if len(musts) > 0 {
		if first {
			fmt.Fprintf(out, "interrupted; still %s: a second Ctrl-C ends at once, and leaves it undone\n", strings.Join(musts, ", "))
		}
		time.AfterFunc(interruptPatience, func() { a.giveUp(out, exit, false) })
		return
	}
	if list != "" {
		fmt.Fprintf(out, "not waited for any longer: %s; a host ends by itself what it has in hand\n", list)
	}
	fmt.Fprintln(out, "interrupted; the same command goes on from here")
	exit(exitInterrupted)
}
