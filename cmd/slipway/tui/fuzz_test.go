package tui

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// flow is a workflow that goes on when it is told to. It notes which of its questions were agreed to, and which might be:
// those that were on the screen when y was pressed.
type flow struct {
	mu       sync.Mutex
	goesOn   chan struct{}
	front    *job
	state    flowState
	asked    int          // questions until now
	shown    map[int]bool // questions that were seen when y was pressed
	agreed   []int
	trespass []int // agreed to though nobody can have
	runs     int
}

type flowState int

const (
	flowIdle flowState = iota // none is carried out
	flowWaits
	flowAsks
	flowWorks
)

func newFlow() *flow { return &flow{goesOn: make(chan struct{}), shown: map[int]bool{}} }

var errFlow = errors.New("the host is on fire \x1b]0;owned\x07")

// open carries out a workflow in place of a session: it looks, plans, asks, does the steps, asks again, and ends.
func (f *flow) open(_, _ string, front workflow.Frontend) (*workflow.Session, error) {
	j, is := front.(*job)
	if !is || j.heard == nil {
		return nil, errFlow // whoever only looks
	}
	f.mu.Lock()
	f.front, f.runs, f.state = j, f.runs+1, flowWorks
	f.mu.Unlock()
	defer f.become(flowIdle)
	for _, one := range f.scenes() {
		f.become(flowWaits)
		<-f.goesOn
		j.mu.Lock()
		stopped := j.stopping
		j.mu.Unlock()
		if stopped {
			return nil, context.Canceled
		}
		if err := one(j); err != nil {
			return nil, err
		}
	}
	return nil, errFlow
}

func (f *flow) scenes() []func(*job) error {
	looks := func(j *job) error {
		j.Event(plan.Event{Type: plan.EventStageStarted, Stage: workflow.StageConnect, Host: "cp-2", Detail: "logging in", Time: at})
		examined(j)
		return nil
	}
	plans := func(j *job) error { planned(j); return nil }
	begins := func(j *job) error { ran(j); return nil }
	refuses := func(j *job) error { refused(j); return j.err }
	if f.runs%5 == 4 {
		return []func(*job) error{looks, refuses}
	}
	return []func(*job) error{looks, plans, f.ask, begins, f.ask, begins}
}

func (f *flow) ask(j *job) error {
	f.mu.Lock()
	f.asked++
	n := f.asked
	f.state = flowAsks
	f.mu.Unlock()
	yes, err := j.Ask(context.Background(), fmt.Sprintf("This is what changes.\nquestion-%d?", n))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = flowWorks
	if yes {
		f.agreed = append(f.agreed, n)
		if !f.shown[n] {
			f.trespass = append(f.trespass, n)
		}
	}
	if err == nil && !yes {
		return workflow.ErrDeclined
	}
	return err
}

func (f *flow) become(state flowState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = state
}

// settled tells whether it does nothing until it is told to.
func (f *flow) settled() bool {
	f.mu.Lock()
	state, front, asked := f.state, f.front, f.asked
	f.mu.Unlock()
	switch state {
	case flowWaits, flowIdle:
		return true
	case flowAsks:
		front.mu.Lock()
		defer front.mu.Unlock()
		return front.question != nil && len(front.question.answer) == 0 && strings.HasSuffix(front.question.text, fmt.Sprintf("question-%d?", asked))
	case flowWorks:
	}
	return false
}

// settle waits until the workflow that is carried out does nothing until it is told to.
func (p *player) settle() {
	for p.starts() || !p.flow.settled() {
		runtime.Gosched()
	}
}

// starts tells whether one begins, or ends, just now.
func (p *player) starts() bool {
	p.flow.mu.Lock()
	defer p.flow.mu.Unlock()
	return p.flow.state == flowIdle && slices.ContainsFunc(p.app.screens, func(s screen) bool {
		j, is := s.(*jobScreen)
		return is && j.job != nil && j.job.heard != nil && !j.job.over()
	})
}

// step has it go on, if it waits for that.
func (f *flow) step() {
	f.mu.Lock()
	waits := f.state == flowWaits
	if waits {
		f.state = flowWorks
	}
	f.mu.Unlock()
	if waits {
		f.goesOn <- struct{}{}
	}
}

func (f *flow) wasAgreed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.agreed) > 0
}

// pressed takes note of a key that may be an agreement, and of what was seen then.
func (f *flow) pressed(name, seen string) {
	if name != "y" && name != "Y" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.asked; n > 0 && strings.Contains(seen, fmt.Sprintf("question-%d?", n)) {
		f.shown[n] = true
	}
}

// player presses keys, and looks at each frame.
type player struct {
	t             testing.TB
	flow          *flow
	shared        *shared
	open          func(testing.TB, *shared) screen
	app           *app
	columns, rows int
	seen, before  string
	did           []string // what was done since the screen was opened, for who reads of a mistake
}

func newPlayer(t testing.TB, open func(testing.TB, *shared) screen) *player {
	p := &player{t: t, flow: newFlow(), open: open}
	s := onPaper(t, Terminal{Profile: termenv.ANSI256, Dark: true}, text.English)
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // no host is reached
	s.ctx = ctx
	s.options.Open = p.flow.open
	s.options.Event = func(plan.Event) {}
	s.options.Probe.Dial = func(context.Context, cluster.Host, func(string)) (hosts.Host, error) { return nil, errFlow }
	s.home = func(file string) screen { return newDashboard(s, file) }
	p.shared = s
	p.begin()
	return p
}

func (p *player) begin() {
	first := p.open(p.t, p.shared)
	if in := installerOf(first); in != nil {
		for _, at := range in.looks {
			if at.key != nil { // there is none to be written
				at.key, at.state = nil, lookFailed
			}
		}
	}
	p.shared.options.File = filepath.Join(p.t.TempDir(), "ha.yaml")
	p.app, p.did = newApp(p.shared, first), nil
	p.columns, p.rows = 80, 24
	p.app.Update(tea.WindowSizeMsg{Width: p.columns, Height: p.rows})
	p.run(p.app.Init())
	p.look()
}

func installerOf(s screen) *installer {
	switch s := s.(type) {
	case *hostsScreen:
		return s.installer
	case *trustScreen:
		return s.installer
	case *hostScreen:
		return s.installer
	}
	return nil
}

// run carries out what the screens want done, but for clocks.
func (p *player) run(cmd tea.Cmd) {
	if cmd == nil || strings.Contains(runtime.FuncForPC(reflect.ValueOf(cmd).Pointer()).Name(), "bubbletea.Tick") {
		return
	}
	msg := cmd()
	if list := reflect.ValueOf(msg); list.IsValid() && list.Kind() == reflect.Slice && list.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
		for i := range list.Len() {
			p.run(list.Index(i).Interface().(tea.Cmd))
		}
		return
	}
	p.tell(msg)
}

func (p *player) tell(msg tea.Msg) {
	if msg == nil {
		return
	}
	if _, quits := msg.(tea.QuitMsg); quits {
		return
	}
	_, cmd := p.app.Update(msg)
	p.settle()
	p.look()
	p.run(cmd)
}

// look draws a frame, which is as large as the terminal, and has nothing that would steer it.
func (p *player) look() {
	p.before = p.seen
	p.seen = ansi.Strip(p.app.View())
	if p.app.leaving {
		return
	}
	lines := strings.Split(p.seen, "\n")
	if big := p.columns >= leastWidth && p.rows >= leastHeight; big && len(lines) != p.rows {
		p.t.Fatalf("%d lines on a terminal of %d, after %v:\n%s", len(lines), p.rows, p.did, p.seen)
	}
	for _, line := range lines {
		if w := ansi.StringWidth(line); w > p.columns {
			p.t.Fatalf("%d columns on a terminal of %d, after %v:\n%s", w, p.columns, p.did, line)
		}
		if strings.ContainsAny(line, "\x1b\x07\u009b") {
			p.t.Fatalf("a line would steer the terminal, after %v: %q", p.did, line)
		}
	}
}

var keysOfFuzz = []string{
	"enter", "enter", "enter", "esc", "esc", "up", "down", "down", "left", "right", "tab", "home", "end", "pgup", "pgdown", "f1", "f2", "ctrl+c", "space", "backspace",
	"y", "y", "Y", "n", "N", "r", "a", "d", "c", "w", "b", "t", "s", "i", "f", "v", "q", "/", "?", "*", "1", "2", "3", "4", "5", "6", "0", "x", "-", ".", "k", "j", "g", "G", "l", "h", "界", "\u0301",
}

var sizesOfFuzz = [][2]int{{80, 24}, {81, 25}, {120, 40}, {200, 60}, {79, 24}, {40, 12}, {20, 5}}

// play does what a byte means.
func (p *player) play(b byte) {
	defer func() {
		if r := recover(); r != nil {
			p.t.Fatalf("%v, after %v, on:\n%s\n%s", r, p.did, p.seen, debug.Stack())
		}
	}()
	n := int(b)
	switch {
	case n < len(keysOfFuzz):
		p.press(keysOfFuzz[n])
	case n < 200:
		p.press(keysOfFuzz[n%len(keysOfFuzz)])
	case n < 215:
		p.did = append(p.did, "the workflow goes on")
		p.flow.step()
		p.settle()
		if n%2 == 0 { // else it is not told yet
			p.tell(changedMsg{})
		}
	case n < 235:
		p.did = append(p.did, "told")
		p.tell(changedMsg{})
	case n < 242:
		size := sizesOfFuzz[n-235]
		p.did = append(p.did, fmt.Sprint(size))
		p.columns, p.rows = size[0], size[1]
		p.tell(tea.WindowSizeMsg{Width: p.columns, Height: p.rows})
	default:
		p.did = append(p.did, "paste")
		p.tell(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("cp-9 192.0.2.99\rnode-7 \x1b[2J y"), Paste: true})
	}
	if len(p.flow.trespass) > 0 {
		p.t.Fatalf("question %v was agreed to, though nobody pressed y while it was seen; done: %v; seen:\n%s", p.flow.trespass, p.did, p.before)
	}
	if p.app.leaving {
		p.end()
		p.begin()
	}
}

func (p *player) press(name string) {
	p.did = append(p.did, name)
	p.flow.pressed(name, p.seen)
	p.tell(keyOf(name))
}

// end has the workflow come to its end, whatever it is at.
func (p *player) end() {
	for {
		p.settle()
		p.flow.mu.Lock()
		state, front := p.flow.state, p.flow.front
		p.flow.mu.Unlock()
		switch state {
		case flowIdle:
			p.shared.work.Wait()
			return
		case flowAsks:
			front.reply(false)
		case flowWaits, flowWorks:
			p.flow.step()
		}
	}
}

// screensOfFuzz are the screens on paper, and a workflow that is really carried out.
func screensOfFuzz() []func(testing.TB, *shared) screen {
	var all []func(testing.TB, *shared) screen
	for _, one := range framesOnPaper {
		if one.name != "leave" { // whose choices lead nowhere on paper; the others come to theirs
			all = append(all, one.open)
		}
	}
	return append(all, func(_ testing.TB, s *shared) screen {
		return newJobScreen(s, task{file: "ha.yaml", bundle: "bundle.tar", workflow: workflow.Init})
	})
}

// atHome has a test see no file of this machine's user.
func atHome(t testing.TB) {
	home := t.TempDir()
	t.Chdir(home)
	for _, name := range []string{"HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"} {
		t.Setenv(name, home)
	}
}

// TestKeys: whatever is pressed, in whatever order, nothing panics, each frame is as large as the terminal, and nothing is
// agreed to but by a y at a question that is seen.
func TestKeys(t *testing.T) {
	const each = 300
	screens := screensOfFuzz()
	for n, open := range screens {
		random := rand.New(rand.NewPCG(7, uint64(n)))
		isFlow, times := n == len(screens)-1, each
		if isFlow {
			times = 10 * each
		}
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			atHome(t)
			p := newPlayer(t, open)
			for i := 0; i < times || isFlow && i < 20*times && !p.flow.wasAgreed(); i++ { // chance may take it elsewhere for long
				p.play(byte(random.IntN(256)))
			}
			p.end()
			if isFlow && !p.flow.wasAgreed() {
				t.Error("no question was ever agreed to: the test tests nothing")
			}
		})
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte{30, 200, 202, 204, 20, 206, 208})
	f.Add([]byte("\x00\x01\x02"))
	screens := screensOfFuzz()
	f.Fuzz(func(t *testing.T, keys []byte) {
		if len(keys) == 0 {
			return
		}
		atHome(t)
		p := newPlayer(t, screens[int(keys[0])%len(screens)])
		for _, b := range keys[1:] {
			p.play(b)
		}
		p.end()
	})
}
