package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// liveInterval is how often the moving lines are drawn at most.
const liveInterval = 100 * time.Millisecond

// liveFront prints what is finished and, below it, a line per place that moves.
type liveFront struct {
	mu      sync.Mutex
	out     *os.File
	places  map[string]*place
	drawn   int // lines of the live area on the screen
	started time.Time
	stop    chan struct{}
	stopped chan struct{}
}

// place is what one host, or the cluster, is doing.
type place struct {
	running map[string]plan.Event // by step
	done    int
	failed  int
}

func newLiveFront(out *os.File) *liveFront {
	f := &liveFront{
		out:     out,
		places:  map[string]*place{},
		started: time.Now(),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	go f.tick()
	return f
}

func (f *liveFront) tick() {
	defer close(f.stopped)
	ticker := time.NewTicker(liveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-ticker.C:
			f.mu.Lock()
			f.draw("")
			f.mu.Unlock()
		}
	}
}

func (f *liveFront) Event(event plan.Event) {
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
	f.draw(fmt.Sprintf(format, args...))
}

func (f *liveFront) Close() {
	close(f.stop)
	<-f.stopped
	f.mu.Lock()
	defer f.mu.Unlock()
	f.places = map[string]*place{}
	f.draw("")
}

// fold takes one event into the picture.
func (f *liveFront) fold(event plan.Event) {
	if event.Step == "" {
		return
	}
	name := event.Host
	if name == "" {
		name = "cluster"
	}
	p, ok := f.places[name]
	if !ok {
		p = &place{running: map[string]plan.Event{}}
		f.places[name] = p
	}
	switch event.Type {
	case plan.EventStepStarted, plan.EventStepProgress:
		p.running[event.Step] = event
	case plan.EventStepFinished:
		delete(p.running, event.Step)
		p.done++
	case plan.EventStepSkipped, plan.EventStepCanceled:
		delete(p.running, event.Step)
	case plan.EventStepFailed:
		delete(p.running, event.Step)
		p.failed++
	}
}

// draw replaces the live area, with finished lines put above it.
func (f *liveFront) draw(finished string) {
	var b strings.Builder
	if f.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", f.drawn)
	}
	if finished != "" {
		b.WriteString(finished + "\n")
	}
	width, _, err := term.GetSize(int(f.out.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	lines := f.lines()
	for _, line := range lines {
		b.WriteString(clip(line, width-1) + "\n")
	}
	f.drawn = len(lines)
	_, _ = f.out.WriteString(b.String())
}

func (f *liveFront) lines() []string {
	names := make([]string, 0, len(f.places))
	longest := 0
	for name := range f.places {
		names = append(names, name)
		longest = max(longest, len(name))
	}
	sort.Strings(names)
	var lines []string
	for _, name := range names {
		p := f.places[name]
		lines = append(lines, fmt.Sprintf("%s %-*s  %3d done  %s", f.spinner(p), longest, name, p.done, p.doing()))
	}
	if len(lines) > 0 {
		lines = append(lines, fmt.Sprintf("  %s", time.Since(f.started).Round(time.Second)))
	}
	return lines
}

func (f *liveFront) spinner(p *place) string {
	if len(p.running) == 0 {
		if p.failed > 0 {
			return "✗"
		}
		return "·"
	}
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	return string(frames[int(time.Since(f.started)/liveInterval)%len(frames)])
}

// doing says what a place is at, its oldest step first.
func (p *place) doing() string {
	steps := make([]plan.Event, 0, len(p.running))
	for _, event := range p.running {
		steps = append(steps, event)
	}
	sort.Slice(steps, func(i, j int) bool { return steps[i].Step < steps[j].Step })
	var parts []string
	for _, event := range steps {
		_, thing, _ := strings.Cut(event.Step, "/")
		if event.Progress != nil && event.Progress.Total > 0 {
			thing += fmt.Sprintf(" %d%%", 100*event.Progress.Done/event.Progress.Total)
		}
		parts = append(parts, thing)
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
