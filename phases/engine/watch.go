package engine

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

const (
	// askInterval is how long something is waited for before the hosts are asked how it stands: what comes
	// as usual is there by then.
	askInterval = 20 * time.Second
	// sayInterval is after how long a status is told again of which only the times have changed.
	sayInterval = time.Minute
)

// watch is what is seen of a step that waits, while it does.
type watch struct {
	run   *run
	step  plan.Step
	names []string // the hosts that are asked
	began time.Time
	stop  context.CancelCauseFunc

	mu      sync.Mutex
	note    string // what the wait itself last saw
	verdict checks.Verdict
}

// beginWatch asks the hosts how a wait that lasts stands, tells it, and ends the context that it gives where
// the wait is stuck. What end answers is what was seen last; it tells nothing more from then on.
func (r *run) beginWatch(step plan.Step) (ctx context.Context, w *watch, end func()) {
	ctx, stop := context.WithCancelCause(r.heeds(step))
	w = &watch{run: r, step: step, names: r.concerned(step), began: time.Now(), stop: stop}
	if len(w.names) == 0 {
		return ctx, w, func() { stop(nil) }
	}
	var group sync.WaitGroup
	watching, cancel := context.WithCancel(ctx)
	group.Go(func() { w.look(watching) })
	return ctx, w, func() { cancel(); group.Wait(); stop(nil) }
}

// look looks until its context ends, or the wait is stuck.
func (w *watch) look(ctx context.Context) {
	seen := checks.NewWatch(w.step)
	told := said{}
	for pause := askInterval; ; pause = lookInterval {
		if hosts.Pause(ctx, pause) != nil {
			return
		}
		shown := w.run.shownOf(ctx, w.step, w.names, w.run.askOnce)
		if ctx.Err() != nil {
			return
		}
		verdict := seen.Look(w.picture(shown))
		w.run.pulse.note(w.step.ID, w.began, verdict)
		w.mu.Lock()
		w.verdict = verdict
		w.mu.Unlock()
		if told.news(verdict, time.Now()) {
			w.tell(verdict)
		}
		if verdict.Stuck != "" {
			w.stop(&plan.StuckError{Why: verdict.Stuck})
			return
		}
	}
}

// picture is what a look found, with how the rest of the run stands.
func (w *watch) picture(shown map[string]checks.Shown) checks.Look {
	w.mu.Lock()
	defer w.mu.Unlock()
	look := checks.Look{After: time.Since(w.began), Note: w.note, Shown: shown}
	moved, busy, working := w.run.pulse.others(w.step.ID)
	look.Working = working
	if !moved.IsZero() {
		look.Moved = max(0, moved.Sub(w.began))
	}
	if !busy.IsZero() {
		look.Busy = max(0, busy.Sub(w.began))
	}
	return look
}

// tell tells how a wait stands; of a step that is none, only what is known to make it last.
func (w *watch) tell(verdict checks.Verdict) {
	if _, _, waits := plan.PatienceOf(w.step); !waits {
		if verdict.Cause == nil {
			return
		}
		verdict.Status = ""
	}
	w.run.record.stands(w.step, verdict)
}

// noting passes on what the wait tells, and keeps what it saw.
func (w *watch) noting(progress func(hosts.Progress)) func(hosts.Progress) {
	return func(p hosts.Progress) {
		w.mu.Lock()
		w.note = p.Note
		w.mu.Unlock()
		progress(p)
	}
}

// times are what changes in a status while what it tells of stays as it is.
var times = regexp.MustCompile(`\d+( (s|min|h)\b)?`)

// said keeps a status from being told again and again.
type said struct {
	key string
	at  time.Time
}

func (s *said) news(verdict checks.Verdict, now time.Time) bool {
	key := times.ReplaceAllString(verdict.Status, "")
	if verdict.Cause != nil {
		key += verdict.Cause.Host + verdict.Cause.Check // its line is another each time
	}
	if key == s.key && now.Sub(s.at) < sayInterval {
		return false
	}
	s.key, s.at = key, now
	return true
}

// judged completes a wait's failure with what was seen of it.
func (w *watch) judged(failure *StepError) {
	w.mu.Lock()
	verdict := w.verdict
	w.mu.Unlock()
	if verdict.Stuck != "" && verdict.Cause != nil {
		failure.Cause, failure.Fix = verdict.Cause, verdict.Cause.Fix
	}
	late, is := errors.AsType[*plan.WaitError](failure.Err)
	if !is {
		return
	}
	if late.Stuck == "" {
		late.Moved = verdict.Moving
	}
	failure.Fix = cmp.Or(failure.Fix, w.advice(late))
	if late.Stuck == "" && late.Moved == "" && verdict.Status != "" {
		late.Stuck = "its time was over, and nothing moved any more"
	}
}

const goOn = "run the same command again: it goes on from here"

// advice is what can be done about a wait that ended without a known cause.
func (w *watch) advice(late *plan.WaitError) string {
	if _, _, waits := plan.PatienceOf(w.step); !waits {
		return ""
	}
	if late.Stuck == "" {
		return goOn + "; where hosts need longer, set timeouts.limit in the cluster file"
	}
	where := "the hosts"
	if len(w.names) == 1 {
		where = w.names[0]
	}
	return "see `journalctl -u kubelet -u containerd`, and what containers say in /var/log/pods, on " + where + ", then " + goOn +
		"; where a host needs longer for a step than that, set timeouts.withoutProgress in the cluster file"
}
