package tui

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// job is a workflow that is carried out: what a front end of it is told is kept here, and the screen shows it when
// it has the time to. So no event waits for the terminal, and as many of them as come take no more memory than the
// plan has steps, and the log has lines.
type job struct {
	secret   workflow.AskSecret
	mu       sync.Mutex
	notify   func()           // something has changed; called with the lock held, and must not wait
	heard    func(plan.Event) // is told of each event as well; may be nil
	line     func(plan.Event) string
	promised func(api.SmokeResult) string
	tried    func(workflow.Trial) string

	began    time.Time
	stages   []stageState
	table    *checkTable // what the checks have found
	plan     *plan.Plan
	ready    *workflow.Prepared // the same, with the contents that it writes
	session  *workflow.Session
	forecast *forecast.Forecast
	left     *workflow.Estimate // of the plan
	steps    map[string]*stepState
	hosts    map[string][]*stepState // by the host that a step is done on, in the plan's order; the cluster has no name
	order    []string                // the hosts that have steps
	ends     int                     // steps that have ended, whichever way
	done     int                     // those of them that are done, or not needed
	failed   int
	running  int
	version  int // grows with each change
	question *question
	log      ring
	musts    map[string]string // what an interrupt does not cut short, with what is to be done where it is cut short all the same

	cancel   context.CancelFunc
	stopping bool
	ended    time.Time
	err      error
}

// stageState is a stage that is under way or over.
type stageState struct {
	name, host, what string
	since            time.Time
	over             bool
	err              string
}

// stepState is how far a step is.
type stepState struct {
	step     *plan.Step
	status   plan.EventType // empty: it has not begun
	since    time.Time
	seconds  float64
	note     string // what it waits for, or how far it is
	stands   bool   // the note is how the hosts stand
	carried  workflow.Transfer
	fix      string
	detail   string // how it ended
	because  string
	evidence []string
}

// question is what a workflow asks; who answers it sends to answer, once.
type question struct {
	text   string
	answer chan bool
}

// logLine is one line of the log.
type logLine struct {
	at   time.Time
	host string
	text string
	bad  bool
	note bool // it is about the whole, and no event's
}

// logLines bounds the log: what is older is in the run's journal.
const logLines = 5000

// ring keeps the last lines.
type ring struct {
	lines   []logLine
	dropped int
}

func (r *ring) add(line logLine) {
	if len(r.lines) >= logLines {
		drop := logLines / 10
		r.lines = append(r.lines[:0], r.lines[drop:]...)
		r.dropped += drop
	}
	r.lines = append(r.lines, line)
}

func newJob(options Options, notify func()) *job {
	return &job{notify: notify, secret: options.Secret, line: options.Line, promised: options.Promise, tried: options.Trial, began: time.Now(), steps: map[string]*stepState{}, hosts: map[string][]*stepState{}, musts: map[string]string{}}
}

var _ workflow.Frontend = (*job)(nil)

func (j *job) changed() {
	j.version++
	j.notify()
}

// Event takes one event into the picture.
func (j *job) Event(event plan.Event) {
	if j.heard != nil {
		j.heard(event)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.changed()
	if j.left != nil {
		j.left.Event(event)
	}
	if event.Step != "" {
		j.foldStep(event)
	} else if event.Stage != "" {
		j.foldStage(event)
	}
	if line := j.line(event); line != "" {
		j.say(event.Host, line, event.Type == plan.EventStepFailed)
	}
}

func (j *job) foldStage(event plan.Event) {
	at := -1
	for i, s := range j.stages {
		if s.name == event.Stage && s.host == event.Host && !s.over {
			at = i
		}
	}
	if event.Type == plan.EventStageStarted {
		if event.Fix != "" {
			j.musts[event.Stage+"/"+event.Host] = event.Fix
		}
		j.forget(event)
		j.stages = append(j.stages, stageState{name: event.Stage, host: event.Host, what: clean(event.Detail), since: event.Time})
		return
	}
	if at < 0 {
		return
	}
	s := &j.stages[at]
	if event.Type == plan.EventStageProgress {
		s.what = clean(event.Detail)
		return
	}
	delete(j.musts, event.Stage+"/"+event.Host)
	s.over, s.err = true, clean(event.Error)
	if event.Error != "" && event.Host != "" {
		j.say(event.Host, event.Stage+": "+event.Error, true)
	}
}

// forget drops what is kept of an earlier stage of the same name: looks come again and again.
func (j *job) forget(event plan.Event) {
	kept := j.stages[:0]
	for _, s := range j.stages {
		if s.name != event.Stage || s.host != event.Host {
			kept = append(kept, s)
		}
	}
	j.stages = kept
}

func (j *job) foldStep(event plan.Event) {
	s, known := j.steps[event.Step]
	if !known {
		s = j.add(plan.Step{ID: event.Step, Phase: event.Phase, Subject: event.Subject, Host: event.Host})
	}
	switch event.Type {
	case plan.EventStepStarted:
		j.startAgain(s)
		if s.status == "" {
			j.running++
		}
		s.status, s.since, s.note, s.stands, s.carried = event.Type, event.Time, "", false, workflow.Transfer{}
	case plan.EventStepProgress:
		j.foldProgress(s, event)
	default:
		if ended(s.status) {
			return // it was told before
		}
		if s.status == plan.EventStepStarted {
			j.running--
		}
		j.ends++
		if isDone(event.Type) {
			j.done++
		}
		s.status, s.seconds, s.detail, s.because, s.note = event.Type, event.Seconds, clean(event.Detail), event.Because, ""
		if event.Type == plan.EventStepFailed {
			j.failed++
			s.detail, s.fix = clean(event.Error), clean(event.Fix)
			s.evidence = evidenceLines(event)
		}
	}
}

// startAgain forgets how a step ended that begins once more: ha test does the same again and again.
func (j *job) startAgain(s *stepState) {
	if !ended(s.status) {
		return
	}
	j.ends--
	if isDone(s.status) {
		j.done--
	}
	if s.status == plan.EventStepFailed {
		j.failed--
	}
	s.status = ""
}

// ended tells whether a step's status is its last.
func ended(status plan.EventType) bool {
	switch status {
	case "", plan.EventStepStarted, plan.EventStepProgress:
		return false
	default:
		return true
	}
}

// isDone tells whether nothing of a step is left to be done.
func isDone(status plan.EventType) bool {
	return status == plan.EventStepFinished || status == plan.EventStepNotNeeded
}

func (j *job) foldProgress(s *stepState, event plan.Event) {
	switch {
	case event.Progress == nil:
		s.note, s.fix = clean(cmp.Or(event.Detail, event.Status)), clean(event.Fix)
		s.stands = event.Status != ""
	case s.fix != "" || s.stands:
	case event.Progress.Note != "":
		s.note = clean(event.Progress.Note)
	case workflow.Carries(event):
		if s.since.IsZero() {
			s.since = event.Time // what it needs is on its way
		}
		s.carried.Note(*event.Progress, event.Time)
		s.note = s.carried.String()
	case event.Progress.Total > 0:
		s.note = fmt.Sprintf("%d%%", 100*event.Progress.Done/event.Progress.Total)
	}
}

func evidenceLines(event plan.Event) []string {
	var lines []string
	for _, one := range event.Evidence {
		for _, line := range one.Lines {
			lines = append(lines, clean(one.Source+": "+line))
		}
	}
	return lines
}

func (j *job) add(step plan.Step) *stepState {
	s := &stepState{step: &step}
	if step.Host != "" && j.hosts[step.Host] == nil {
		j.order = append(j.order, step.Host)
	}
	j.steps[step.ID] = s
	j.hosts[step.Host] = append(j.hosts[step.Host], s)
	return s
}

// say adds to the log.
func (j *job) say(host, said string, bad bool) {
	for _, line := range cleanLines(said) {
		j.log.add(logLine{at: time.Now(), host: host, text: line, bad: bad})
	}
}

// Preflight takes what the checks have found.
func (j *job) Preflight(found workflow.Preflight) {
	table := tableOf(found.Results)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.table = &table
	j.changed()
}

// note adds to the log what is about the whole.
func (j *job) note(said string) {
	for _, line := range cleanLines(said) {
		j.log.add(logLine{at: time.Now(), text: line, note: true})
	}
}

// Plan takes the plan. Nothing has begun.
func (j *job) Plan(ready workflow.Prepared) error {
	p := ready.Plan
	before, err := workflow.ReadDurations() // how long it takes is not known without
	estimate := workflow.NewEstimate(p, before)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.say("", "warning: "+err.Error(), false)
	}
	j.left, j.ready = estimate, &ready
	j.plan, j.steps, j.hosts, j.order, j.ends, j.done, j.failed, j.running = &p, map[string]*stepState{}, map[string][]*stepState{}, nil, 0, 0, 0, 0
	for _, step := range p.Steps {
		j.add(step)
	}
	for _, warning := range p.Warnings {
		j.say("", "warning: "+warning, false)
	}
	j.changed()
	return nil
}

// Forecast takes what draining will do.
func (j *job) Forecast(f forecast.Forecast) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forecast = &f
	j.changed()
	return nil
}

// Ask puts the question on the screen, and waits for its answer.
func (j *job) Ask(ctx context.Context, text string) (bool, error) {
	asked := &question{text: text, answer: make(chan bool, 1)}
	j.mu.Lock()
	j.question = asked
	j.changed()
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.question = nil
		j.changed()
	}()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case yes := <-asked.answer:
		return yes, nil
	}
}

// Secret has a password typed, not on this screen.
func (j *job) Secret(ctx context.Context, asked workflow.Secret) (string, error) {
	if j.secret == nil {
		return "", workflow.ErrNobody
	}
	return j.secret(ctx, asked)
}

// reply answers the question that is open; without one it does nothing.
func (j *job) reply(yes bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.question == nil {
		return
	}
	select {
	case j.question.answer <- yes:
	default: // it has its answer
	}
}

// Promise takes what became of one of the cluster's promises.
func (j *job) Promise(one api.SmokeResult) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(j.promised(one))
	j.changed()
}

// Trial takes what a client saw while something was taken out.
func (j *job) Trial(one workflow.Trial) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(j.tried(one))
	j.changed()
}

// Note takes what belongs to no step.
func (j *job) Note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(fmt.Sprintf(format, args...))
	j.changed()
}

// stop interrupts the workflow, as Ctrl-C does a command. It ends when what it has in hand is done.
func (j *job) stop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stopping = true
	j.cancel()
	j.changed()
}

// must is what is to be done where what is put back is cut short; empty: nothing is put back now.
func (j *job) must() string {
	var fixes []string
	for _, fix := range j.musts {
		fixes = append(fixes, fix)
	}
	return strings.Join(fixes, "; ")
}

// over tells whether the workflow has ended.
func (j *job) over() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.ended.IsZero()
}

// finish notes the end.
func (j *job) finish(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended, j.err = time.Now(), err
	j.changed()
}

// said are the log's lines.
func (j *job) said() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for _, line := range j.log.lines {
		lines = append(lines, line.text)
	}
	return lines
}

// timeLeft is how long the run still takes; the caller holds the lock.
func (j *job) timeLeft(now time.Time) (time.Duration, bool) {
	if j.left == nil || !j.ended.IsZero() {
		return 0, false
	}
	return j.left.Left(now)
}
