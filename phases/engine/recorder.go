package engine

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// progressInterval is how often at most one step's progress is told.
const progressInterval = 100 * time.Millisecond

// recorder tells what happens: to the front end as events, to the journal as JSON lines.
type recorder struct {
	now    func() time.Time
	digest string
	holder string

	mu      sync.Mutex // orders events and lines
	events  func(plan.Event)
	journal io.Writer
	broken  error // the journal's first failure; the run goes on
}

// Entry is a line of the journal.
type Entry struct {
	Time   time.Time `json:"time"`
	Mark   string    `json:"mark"` // begin, end
	Plan   string    `json:"plan,omitempty"`
	Holder string    `json:"holder,omitempty"`
	Step   string    `json:"step,omitempty"` // empty for the run itself
	Host   string    `json:"host,omitempty"`
	Action string    `json:"action"`
	// TimeKey is plan.TimeKey, where a step was done; journals of older versions do not have it.
	TimeKey string       `json:"timeKey,omitempty"`
	Result  hosts.Result `json:"result,omitempty"`
	Detail  string       `json:"detail,omitempty"`
	Seconds float64      `json:"seconds,omitempty"`
	Error   string       `json:"error,omitempty"`
	// Warnings are what the plan was begun with all the same.
	Warnings []string `json:"warnings,omitempty"`
}

func newRecorder(options Options, digest string) *recorder {
	return &recorder{
		now: options.Now, digest: digest, holder: options.Holder,
		events: options.Events, journal: options.Journal,
	}
}

func (r *recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

// tell passes an event on and, where mark is set, writes it to the journal.
func (r *recorder) tell(event plan.Event, mark string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	event.Time = r.now()
	if mark != "" {
		r.write(event, mark)
	}
	r.events(event)
}

func (r *recorder) write(event plan.Event, mark string) {
	key := ""
	if event.Type == plan.EventStepFinished {
		key = plan.TimeKey(event)
	}
	line, err := json.Marshal(Entry{
		Time: event.Time, Mark: mark, Plan: r.digest, Holder: r.holder,
		Step: event.Step, Host: event.Host, Action: event.Kind, TimeKey: key,
		Result: event.Result, Detail: event.Detail, Seconds: event.Seconds, Error: event.Error,
		Warnings: event.Warnings,
	})
	if err == nil {
		_, err = r.journal.Write(append(line, '\n'))
	}
	if r.broken == nil {
		r.broken = err
	}
}

func (r *recorder) runStarted(p plan.Plan) {
	r.tell(plan.Event{Type: plan.EventRunStarted, Kind: p.Workflow, Warnings: p.Warnings}, "begin")
}

func (r *recorder) runFinished(p plan.Plan, took time.Duration, err error) {
	event := plan.Event{Type: plan.EventRunFinished, Kind: p.Workflow, Seconds: took.Seconds()}
	if err != nil {
		event.Error = err.Error()
	}
	r.tell(event, "end")
}

// started tells of a step and, of a rescue step, of the failed one that it runs for.
func (r *recorder) started(step plan.Step, because string) {
	event := about(step, plan.EventStepStarted)
	event.Detail, event.Because = step.Why, because
	r.tell(event, "begin")
}

func (r *recorder) finished(step plan.Step, outcome hosts.Outcome, took time.Duration) {
	event := about(step, plan.EventStepFinished)
	event.Result, event.Detail, event.Seconds = outcome.Result, outcome.Detail, took.Seconds()
	r.tell(event, "end")
}

func (r *recorder) failed(step plan.Step, failure *StepError, took time.Duration) {
	event := about(step, plan.EventStepFailed)
	event.Error, event.Fix, event.Evidence = failure.Err.Error(), failure.Fix, failure.Evidence
	event.Seconds = took.Seconds()
	if failure.Cause != nil {
		event.Detail = seenOn(*failure.Cause)
	}
	r.tell(event, "end")
}

// stands tells how a wait that lasts stands, and the known cause of it.
func (r *recorder) stands(step plan.Step, verdict checks.Verdict) {
	event := about(step, plan.EventStepProgress)
	event.Status = verdict.Status
	if cause := verdict.Cause; cause != nil {
		event.Detail, event.Fix = seenOn(*cause), cause.Fix
	}
	r.tell(event, "")
}

func (r *recorder) skipped(step plan.Step, because string) {
	event := about(step, plan.EventStepSkipped)
	event.Because = because
	r.tell(event, "")
}

func (r *recorder) notNeeded(step plan.Step) {
	event := about(step, plan.EventStepNotNeeded)
	event.Detail = "not needed"
	r.tell(event, "end")
}

// rescues tells the front end whether something has begun that must not be cut short.
func (r *recorder) rescues(pending bool) {
	event := plan.Event{Type: plan.EventStageFinished, Stage: plan.StageRescue}
	if pending {
		event.Type = plan.EventStageStarted
		event.Detail, event.Fix = "ending or putting back what has begun", "the same command goes on from there"
	}
	r.tell(event, "")
}

// canceled tells of a step that was not begun, or of one that broke off (mark end).
func (r *recorder) canceled(step plan.Step, mark string) {
	event := about(step, plan.EventStepCanceled)
	if mark != "" {
		event.Error = ErrInterrupted.Error()
	}
	r.tell(event, mark)
}

// progress answers a function that tells a step's progress, seldom enough to be read.
func (r *recorder) progress(template plan.Event) func(hosts.Progress) {
	template.Type = plan.EventStepProgress
	var mu sync.Mutex
	var last time.Time
	var note string
	return func(progress hosts.Progress) {
		mu.Lock()
		defer mu.Unlock()
		now := r.now()
		complete := progress.Total > 0 && progress.Done >= progress.Total
		if !complete && progress.Note == note && now.Sub(last) < progressInterval {
			return
		}
		last, note = now, progress.Note
		event := template
		event.Progress = &progress
		r.tell(event, "")
	}
}

// about starts an event on a step.
func about(step plan.Step, what plan.EventType) plan.Event {
	return plan.Event{Type: what, Step: step.ID, Phase: step.Phase, Subject: step.Subject, Host: step.Host, Kind: plan.Kind(step)}
}
