package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// liveInterval is how often the moving lines are drawn at most.
const liveInterval = 100 * time.Millisecond

// liveFront prints what is finished and, below it, a line per place that moves.
type liveFront struct {
	*textFront
	area    liveArea
	places  map[string]*place // by host; the cluster has no name
	started time.Time
	left    *workflow.Estimate // of the plan that was shown last; nil before one was
	stop    func()
}

// place is how far one host, or the cluster, is.
type place struct{ done, failed int }

func newLiveFront(text *textFront, screen *os.File) *liveFront {
	return &liveFront{textFront: text, area: liveArea{out: screen}}
}

// Plan shows the plan, and begins to reckon how long it takes.
func (f *liveFront) Plan(ready workflow.Prepared) error {
	before, _ := workflow.ReadDurations() // without them the time left is not said
	f.mu.Lock()
	f.left = workflow.NewEstimate(ready.Plan, before)
	f.mu.Unlock()
	return f.textFront.Plan(ready)
}

func (f *liveFront) Event(event plan.Event) {
	f.silentFront.Event(event)
	f.during(event, f.Note)
	switch event.Type {
	case plan.EventRunStarted:
		f.begin()
	case plan.EventRunFinished:
		f.end()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fold(event)
	if line := eventLine(event); line != "" {
		f.draw(line)
	}
}

func (f *liveFront) Note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draw(hosts.Clean(fmt.Sprintf(format, args...)))
}

func (f *liveFront) Promise(one api.SmokeResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draw(smokeText(one))
}

func (f *liveFront) Trial(one workflow.Trial) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draw(trialText(one))
}

// begin has the lines move, and end leaves none behind.
func (f *liveFront) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.places, f.started = map[string]*place{}, time.Now()
	f.stop = every(liveInterval, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.draw("")
	})
}

func (f *liveFront) end() {
	f.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.places, f.steps = map[string]*place{}, longSteps{}
	f.draw("")
}

// fold takes one event into the picture.
func (f *liveFront) fold(event plan.Event) {
	if event.Step == "" {
		return
	}
	f.steps.fold(event, time.Now())
	if f.left != nil {
		f.left.Event(event)
	}
	p, ok := f.places[event.Host]
	if !ok {
		p = &place{}
		f.places[event.Host] = p
	}
	switch event.Type {
	case plan.EventStepFinished:
		p.done++
	case plan.EventStepFailed:
		p.failed++
	}
}

// draw replaces the live area, with finished lines put above it.
func (f *liveFront) draw(finished string) { f.area.draw(finished, f.lines()) }

// liveArea is the lines at the end of a terminal that are drawn again and again.
type liveArea struct {
	out   *os.File
	drawn int // lines that are on the screen
}

// draw replaces them, with what is finished put above.
func (a *liveArea) draw(finished string, lines []string) {
	var b strings.Builder
	if a.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", a.drawn)
	}
	if finished != "" {
		b.WriteString(finished + "\n")
	}
	width, _, err := term.GetSize(int(a.out.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	for _, line := range lines {
		b.WriteString(clip(line, width-1) + "\n")
	}
	a.drawn = len(lines)
	_, _ = a.out.WriteString(b.String())
}

func (f *liveFront) lines() []string {
	names := map[string]string{} // of places, by what they are called
	longest := 0
	for host := range f.places {
		name := cmp.Or(host, "cluster")
		names[name] = host
		longest = max(longest, len(name))
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p, running := f.places[names[name]], f.steps.on(names[name])
		lines = append(lines, fmt.Sprintf("%s %-*s  %3d done  %s", f.spinner(p, len(running) > 0), longest, name, p.done, doing(running)))
	}
	lines = append(lines, f.waits(time.Now())...)
	if len(lines) > 0 {
		lines = append(lines, "  "+f.clock(time.Now()))
	}
	return lines
}

// clock says how long the run takes already and, where that is known, how long still.
func (f *liveFront) clock(now time.Time) string {
	text := now.Sub(f.started).Round(time.Second).String()
	if f.left == nil {
		return text
	}
	if left, known := f.left.Left(now); known {
		text += ", " + leftText(left)
	}
	return text
}

// leftText says a time that is left no more exactly than it is known.
func leftText(left time.Duration) string {
	grain := time.Second
	switch {
	case left > 10*time.Minute:
		grain = time.Minute
	case left > time.Minute:
		grain = 10 * time.Second
	case left > 20*time.Second:
		grain = 5 * time.Second
	}
	rounded := max(time.Second, (left+grain-1)/grain*grain)
	text := rounded.String()
	if rounded%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	return "about " + text + " left"
}

// shownWaits is how many of the steps that run long have a line of their own.
const shownWaits = 4

// waits says of the steps that run longest what they wait for, and what to do about it.
func (f *liveFront) waits(now time.Time) []string {
	var lines []string
	for _, step := range f.steps.sorted() {
		what := step.what()
		if len(lines) >= shownWaits || what == "" || step.cause == "" && now.Sub(step.since) < longStep/2 {
			continue
		}
		lines = append(lines, hosts.CleanLine(fmt.Sprintf("… %s (%s): %s", step.id, now.Sub(step.since).Round(time.Second), what)))
		if step.fix != "" {
			lines = append(lines, hosts.CleanLine("→ "+step.fix))
		}
	}
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return lines
}

func (f *liveFront) spinner(p *place, runs bool) string {
	switch {
	case runs:
		frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
		return string(frames[int(time.Since(f.started)/liveInterval)%len(frames)])
	case p.failed > 0:
		return "✗"
	}
	return "·"
}

// doing names steps, and says how far they are.
func doing(steps []*runningStep) string {
	var parts []string
	for _, step := range steps {
		thing := strings.TrimPrefix(step.id, cmp.Or(step.host, "cluster")+"/") // the line begins with the place
		parts = append(parts, strings.TrimSpace(thing+" "+step.percent()))
	}
	return strings.Join(parts, ", ")
}

// clip cuts a line to a width in runes, so that it never wraps and spoils the redraw.
func clip(line string, width int) string {
	runes := []rune(line)
	if len(runes) <= width {
		return line
	}
	return string(runes[:width-1]) + "…"
}
