package workflow

import (
	"slices"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// Estimate says how long a plan still takes, by how long such steps took before. Its methods may be called
// from several goroutines.
type Estimate struct {
	mu     sync.Mutex
	course *plan.Course   // nil where the plan has none
	index  map[string]int // of steps, by id
	stands []plan.Stand
	sends  []Transfer // by step: its content, while it is on its way
	alike  []*alike   // by step
}

// alike are steps that take about as long as each other.
type alike struct {
	own, before []time.Duration // in this run, and in earlier ones
	known       bool            // some of them were done
	takes       time.Duration
}

// NewEstimate is an estimate for a plan that is about to be carried out. before may be nil.
func NewEstimate(p plan.Plan, before *Durations) *Estimate {
	if before == nil {
		before = &Durations{}
	}
	e := &Estimate{index: map[string]int{}, stands: make([]plan.Stand, len(p.Steps)), sends: make([]Transfer, len(p.Steps))}
	e.course, _ = plan.NewCourse(p) // a plan without one is not applied
	byKey, kinds := map[string]*alike{}, map[string]time.Duration{}
	for i, step := range p.Steps {
		e.index[step.ID] = i
		key, kind := plan.TimeKeyOf(step), plan.Kind(step)
		if byKey[key] == nil {
			if _, asked := kinds[kind]; !asked {
				kinds[kind] = median(before.kinds[kind])
			}
			byKey[key] = newAlike(before.steps[key], kinds[kind])
		}
		e.alike = append(e.alike, byKey[key])
	}
	return e
}

// newAlike is steps that took so long before or, where there were none, others of their kind.
func newAlike(before []time.Duration, kind time.Duration) *alike {
	if len(before) == 0 {
		return &alike{takes: kind}
	}
	return &alike{before: before, known: true, takes: median(before)}
}

// took takes over that one more of these was done. What is of this run counts first.
func (a *alike) took(d time.Duration) {
	if len(a.own) == newestOfAKey {
		a.own = slices.Delete(a.own, 0, 1)
	}
	a.own, a.known = append(a.own, d), true
	a.takes = median(slices.Concat(a.own, a.before[:min(len(a.before), newestOfAKey-len(a.own))]))
}

// Event takes over what has happened. Events of other plans change nothing.
func (e *Estimate) Event(event plan.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, known := e.index[event.Step]
	if !known {
		return
	}
	switch event.Type {
	case plan.EventStepStarted:
		e.stands[i] = plan.Stand{Began: event.Time}
	case plan.EventStepProgress:
		if Carries(event) && e.stands[i].Began.IsZero() {
			e.sends[i].Note(*event.Progress, event.Time)
			e.stands[i].More, _, _ = e.sends[i].Left(event.Time)
		}
	case plan.EventStepFinished:
		e.alike[i].took(time.Duration(event.Seconds * float64(time.Second)))
		e.stands[i] = plan.Stand{Ended: true}
	case plan.EventStepFailed, plan.EventStepSkipped, plan.EventStepCanceled, plan.EventStepNotNeeded:
		e.stands[i] = plan.Stand{Ended: true}
	}
}

// Left is the time that the plan still takes. It is not known where no such step was done before of at least
// half of the steps that are left.
func (e *Estimate) Left(now time.Time) (left time.Duration, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.course == nil {
		return 0, false
	}
	steps, told := 0, 0
	left = e.course.Left(now, func(i int) plan.Stand {
		if !e.stands[i].Ended {
			steps++
			if e.alike[i].known {
				told++
			}
		}
		return e.stands[i]
	}, func(i int) time.Duration { return e.alike[i].takes })
	if 2*told < steps {
		return 0, false
	}
	return left, true
}
