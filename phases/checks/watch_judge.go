package checks

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Verdict is what is known of a wait after a look.
type Verdict struct {
	// Status says in a line how what is waited for stands.
	Status string
	// Cause is the known cause that makes the wait last, if there is one, stuck or not.
	Cause *Finding
	// Stuck says why waiting on is in vain; empty: it goes on.
	Stuck string
	// Moved is when, since the wait began, what it goes by itself last moved; Busy when it was last at work.
	Moved, Busy time.Duration
	// Moving says what still moves; empty: nothing does.
	Moving string
}

// judge says how the wait stands, and whether it is stuck: by a cause that does not heal, by what ends in the
// same way again and again, or since nothing moves.
func (w *Watch) judge(look Look, verdict *Verdict) {
	details := w.details(look)
	moved, busy := max(verdict.Moved, look.Moved), max(w.busy, look.Busy)
	still, idle := look.After-moved, look.After-max(moved, busy)
	verdict.Moving = w.progress(look, idle)
	verdict.Status = w.status(look, still, idle, details)
	if note := hosts.CleanLine(look.Note); note != "" && note != details {
		verdict.Status += "; " + note
	}
	cause, lasting := w.cause(look, still)
	verdict.Cause = cause
	if w.patience.Quiet == 0 {
		return
	}
	loop := w.loop(look)
	switch {
	case lasting:
		verdict.Stuck = "what is in its way does not heal by itself"
	case loop != nil:
		verdict.Cause = loop // what else is seen may come of it
		verdict.Stuck = "it ends again and again"
	case idle >= w.quiet(look):
		verdict.Stuck = fmt.Sprintf("nothing has moved for %s: %s", plan.Spent(still), details)
	case still >= max(w.patience.BusyTime(), w.quiet(look)) && w.silent:
		verdict.Stuck = "no host has told how it is for " + plan.Spent(look.After-w.answered)
	case still >= max(w.patience.BusyTime(), w.quiet(look)):
		verdict.Stuck = fmt.Sprintf("what is waited for is at work, and has shown nothing new for %s: %s", plan.Spent(still), details)
	}
}

// progress says what still moves: of what is waited for itself, of all else that the run does, or that it is at work.
func (w *Watch) progress(look Look, idle time.Duration) string {
	lately := func(at time.Duration) bool { return look.After-at < w.patience.QuietTime() }
	switch {
	case w.moving != "" && lately(w.lastMoved("")):
		return w.moving
	case look.Moved > 0 && lately(look.Moved):
		return "what else is being done"
	case idle < w.patience.QuietTime() && !w.silent && max(w.busy, look.Busy) > 0:
		return "it is at work"
	}
	return ""
}

// quiet is how long nothing may move: longer where the kubelet waits before it starts a container again.
func (w *Watch) quiet(look Look) time.Duration {
	quiet := w.patience.QuietTime()
	for _, shown := range look.Shown {
		for _, sign := range shown.Signs {
			if sign.Attempt <= 1 || !w.awaited(sign.Source) {
				continue
			}
			switch {
			case sign.State == hosts.StateEnded:
				quiet = max(quiet, backoff(sign.Attempt)+30*time.Second)
			case sign.Seconds < w.patience.QuietTime().Seconds(): // it has just been started again, after that time
				quiet = max(quiet, backoff(sign.Attempt-1)+w.patience.QuietTime())
			}
		}
	}
	return quiet
}

// loop finds an awaited container that has ended at least three times in the same way, the last time begun and
// ended after all else had come to rest: so it has no hope of anything that is still on its way.
func (w *Watch) loop(look Look) *Finding {
	for _, host := range slices.Sorted(maps.Keys(look.Shown)) {
		for _, sign := range look.Shown[host].Signs {
			at := host + " " + sign.Source
			e := w.endings[at]
			if e == nil || !w.awaited(sign.Source) || sign.Ended == nil || e.seen < sameEnds+1 || len(e.kinds) < sameEnds {
				continue
			}
			kind := endingKind(*sign.Ended)
			same := !slices.ContainsFunc(e.kinds[len(e.kinds)-sameEnds:], func(one string) bool { return one != kind })
			rest := max(w.lastMoved(at), look.Moved, look.Busy)
			age := time.Duration(sign.Ended.Ran * float64(time.Second))
			if sign.State == hosts.StateEnded {
				age += time.Duration(sign.Seconds * float64(time.Second))
			} else {
				age += time.Duration(sign.Seconds*float64(time.Second)) + backoff(sign.Attempt-1)
			}
			if same && look.After-rest >= max(age, min(w.patience.QuietTime()/2, atRest)) && !slices.Contains(look.Working, host) {
				return w.loopFinding(look, host, sign)
			}
		}
	}
	return nil
}

func (w *Watch) loopFinding(look Look, host string, sign hosts.Sign) *Finding {
	says := ""
	for _, one := range look.Shown[host].Evidence {
		if one.Source == sign.Source && len(one.Lines) > 1 {
			says = fmt.Sprintf("; it says %q", hosts.Shorten(one.Lines[len(one.Lines)-1], mostSaid))
		}
	}
	found := finding("see what it says in /var/log/pods and `journalctl -u kubelet` on the host, mend that, then run the same command again",
		"%s has ended %s in the same way, with code %d after %s%s", nameOf(sign.Source), times(w.endings[host+" "+sign.Source].seen),
		sign.Ended.Code, plan.Spent(time.Duration(sign.Ended.Ran*float64(time.Second))), says)
	found.Check, found.Severity = "CrashLoop", Error
	found = found.on(host)
	return &found
}

// atRest is how long everything else has to have come to rest at most before a loop is one.
const atRest = time.Minute

// sameEnds is how many ends that were seen have to be alike: the last one's beginning comes after all else has
// come to rest.
const sameEnds = 2
