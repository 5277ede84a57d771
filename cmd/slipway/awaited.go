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
// back, within mustPatience. A second interrupt does.
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
	began := time.Now()
	time.AfterFunc(interruptPatience, func() { a.giveUp(out, exit, began, true) })
}

func (a *awaited) giveUp(out io.Writer, exit func(code int), began time.Time, first bool) {
	a.mu.Lock()
	list := a.list(0)
	var musts []string
	for what := range a.musts {
		musts = append(musts, *what)
	}
	a.mu.Unlock()
	slices.Sort(musts)
	undone := strings.Join(musts, ", ")
	if undone != "" && time.Since(began) < mustPatience {
		if first {
			written(out, fmt.Sprintf("interrupted; still %s: a second Ctrl-C ends at once, and leaves it undone\n", undone))
		}
		time.AfterFunc(interruptPatience, func() { a.giveUp(out, exit, began, false) })
		return
	}
	var said strings.Builder
	if undone != "" {
		fmt.Fprintf(&said, "not waited for any longer, and left undone: %s\n", undone)
	}
	if list != "" {
		fmt.Fprintf(&said, "not waited for any longer: %s; a host ends by itself what it has in hand\n", list)
	}
	said.WriteString("interrupted; the same command goes on from here\n")
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
