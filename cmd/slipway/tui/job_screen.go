package tui

import (
	"context"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// view is one of the sides from which a job is looked at.
type view int

const (
	viewChecks view = iota
	viewForecast
	viewPlan
	viewRun
	viewLog
	viewEnd
	views
)

var viewNames = [views]*text.Text{text.ViewChecks, text.ViewForecast, text.ViewPlan, text.ViewRun, text.ViewLog, text.ViewEnd}

// moment is how far a job has come: with each the view changes that is shown by itself.
type moment int

const (
	momentLooks moment = iota
	momentAsks
	momentRuns
	momentEnded
)

// jobScreen shows a workflow from its first look at the hosts to its end, and asks its question.
type jobScreen struct {
	jobView
	view     view
	moment   moment
	tree     planTree
	run      runView
	checks   checksView
	forecast scroll
	log      logView
	end      scroll
	ticks    bool // a clock's message is under way
	started  bool
	seen     *question     // the question that the last frame has shown
	noticed  *question     // the one that was open when this was looked at last
	waited   *question     // the one that has been open for a while
	dialog   *choiceScreen // about leaving; it goes when what it is about has ended
	broken   bool          // it was interrupted twice: nobody waits for its end
}

func newJobScreen(s *shared, t task) *jobScreen {
	return &jobScreen{jobView: jobView{shared: s, task: t, clockAt: time.Now}, view: viewRun, log: logView{follows: true}}
}

func (s *jobScreen) begin() tea.Cmd {
	if s.started {
		return nil
	}
	s.started = true
	s.start()
	return s.clock()
}

// start carries the workflow out, beside the program.
func (s *jobScreen) start() {
	notes := &notifier{send: s.send}
	s.job = newJob(s.options, notes.notify)
	s.moment, s.view = momentLooks, viewRun
	s.tree = planTree{}
	ctx, cancel := context.WithCancel(s.ctx)
	s.job.cancel = cancel
	s.job.heard = s.options.Event
	s.work.Go(func() {
		defer cancel()
		s.job.finish(s.carryOut(ctx))
	})
}

func (s *jobScreen) carryOut(ctx context.Context) error {
	if s.task.before != nil {
		s.task.before()
	}
	run, err := workflow.New(s.task.workflow, s.task.request)
	if err != nil {
		return err
	}
	session, err := s.options.Open(s.task.file, s.task.bundle, s.job)
	if err != nil {
		return err
	}
	defer session.Close()
	s.job.mu.Lock()
	s.job.session = session
	s.job.mu.Unlock()
	return session.Run(ctx, run)
}

type clockMsg struct{ of *jobScreen }

// clock moves the seconds while something is under way, and not when nothing is.
func (s *jobScreen) clock() tea.Cmd {
	if s.ticks || s.job.over() {
		return nil
	}
	s.ticks = true
	return tea.Tick(time.Second, func(time.Time) tea.Msg { return clockMsg{s} })
}

func (s *jobScreen) title() string { return s.task.workflow.Name }

func (s *jobScreen) command() string {
	return typed(s.task)
}

func (s *jobScreen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case changedMsg:
		return s.follow()
	case waitedMsg:
		if msg.of == s {
			s.waited = msg.question
		}
	case clockMsg:
		if msg.of != s {
			return nil
		}
		s.ticks = false
		return s.clock()
	case tea.KeyMsg:
		return s.key(msg)
	}
	return nil
}

// follow goes to the view of what has just begun: the question, the run, the end.
func (s *jobScreen) follow() tea.Cmd {
	s.job.mu.Lock()
	at, open, err, table := s.now(), s.job.question, s.job.err, s.job.table
	drains := s.job.forecast != nil && len(s.job.forecast.Hosts) > 0
	planned := s.job.plan != nil
	s.job.mu.Unlock()
	var waits tea.Cmd
	if open != nil && open != s.noticed {
		s.noticed = open
		waits = s.wait(open)
	}
	if at == s.moment {
		return waits
	}
	s.moment = at
	if s.dialog != nil {
		s.drop(s.dialog)
	}
	s.log.typing, s.tree.finds = false, false
	switch at {
	case momentAsks:
		s.view = viewPlan
		if drains {
			s.view = viewForecast
		}
	case momentEnded:
		return tea.Batch(waits, s.conclude(err, table, planned))
	case momentLooks, momentRuns:
		s.view = viewRun
	}
	return waits
}

// conclude goes to what a workflow leads to when it is over.
func (s *jobScreen) conclude(err error, table *checkTable, planned bool) tea.Cmd {
	s.view = viewEnd
	if isRefused(err) && table != nil {
		s.view = viewChecks
		s.checks.toWorst(table)
	}
	if err == nil && s.task.then != nil && planned {
		if next := s.task.then(); next != nil {
			return s.reset(next)
		}
	}
	return nil
}

// now is how far the job has come; the caller holds its lock.
func (s *jobScreen) now() moment {
	switch {
	case !s.job.ended.IsZero():
		return momentEnded
	case s.job.question != nil:
		return momentAsks
	case s.job.ends+s.job.running > 0:
		return momentRuns
	}
	return momentLooks
}

func (s *jobScreen) types() bool { return s.log.typing || s.tree.finds }

func (s *jobScreen) key(msg tea.KeyMsg) tea.Cmd {
	if s.types() {
		s.typed(msg)
		return nil
	}
	if s.asks() {
		switch msg.String() {
		case "y", "Y":
			s.job.reply(true)
			return nil
		case "n", "N":
			s.job.reply(false)
			return nil
		}
	}
	switch name := msg.String(); name {
	case "tab":
		s.view = (s.view + 1) % views
		return nil
	case "shift+tab":
		s.view = (s.view + views - 1) % views
		return nil
	case "1", "2", "3", "4", "5", "6":
		s.view = view(name[0] - '1')
		return nil
	case "r":
		if s.moment == momentEnded && s.job.err != nil {
			s.start()
			return s.clock()
		}
	}
	return s.viewKey(msg)
}

// asks tells whether the question that is open can be answered: the user has seen it, and had the time to.
func (s *jobScreen) asks() bool {
	s.job.mu.Lock()
	defer s.job.mu.Unlock()
	return s.job.question == s.seen && s.answerable()
}

// answerable tells whether the question has been open for long enough; the caller holds the job's lock.
func (s *jobScreen) answerable() bool {
	return s.job.question != nil && (s.askPause == 0 || s.job.question == s.waited)
}

// askPause is how long a question is on the screen before a key answers it: what was typed ahead, or is held down, was not
// meant for it.
const askPause = 300 * time.Millisecond

type waitedMsg struct {
	of       *jobScreen
	question *question
}

// wait has a question become answerable in a while.
func (s *jobScreen) wait(asked *question) tea.Cmd {
	return tea.Tick(s.askPause, func(time.Time) tea.Msg { return waitedMsg{s, asked} })
}

// viewKey is a key of the view that is shown.
func (s *jobScreen) viewKey(msg tea.KeyMsg) tea.Cmd {
	s.job.mu.Lock()
	defer s.job.mu.Unlock()
	switch s.view {
	case viewChecks:
		return s.checks.key(&s.jobView, msg)
	case viewForecast:
		s.forecast.key(msg, len(s.forecastLines(leastWidth)))
	case viewPlan:
		return s.tree.key(&s.jobView, msg)
	case viewRun:
		if place, opens := s.run.key(&s.jobView, msg); opens {
			s.view = viewPlan
			s.tree.open(&s.jobView, place)
		}
	case viewLog:
		s.log.key(msg, s.job)
	case viewEnd:
		s.end.key(msg, len(s.endLines(leastWidth)))
	case views:
	}
	return nil
}

func (s *jobScreen) typed(msg tea.KeyMsg) {
	s.job.mu.Lock()
	defer s.job.mu.Unlock()
	if s.log.typing {
		s.log.typed(msg)
		return
	}
	switch msg.Type {
	case tea.KeyEsc:
		s.tree.finds, s.tree.search = false, ""
	case tea.KeyEnter:
		s.tree.finds = false
		if s.tree.search != "" {
			s.tree.misses = !s.tree.find(s.job)
		}
	default:
		s.tree.search, s.tree.misses = edited(s.tree.search, msg), false
	}
}

// leave stops what is under way before the screen is left, once the user agrees. Ctrl-C stops it at once, as it does a
// command, and a second one ends the program.
func (s *jobScreen) leave(quitting bool) (bool, tea.Cmd) {
	s.job.mu.Lock()
	over, stopping := !s.job.ended.IsZero(), s.job.stopping
	asks := s.job.question != nil
	s.job.mu.Unlock()
	switch {
	case over && s.task.form && s.job.err == nil && !quitting:
		s.pop()
		return false, s.pop()
	case over:
		return true, nil
	case quitting && stopping:
		s.broken = true
		return true, nil
	case asks && quitting:
		s.job.reply(false)
		return false, nil
	case asks:
		s.dialog = newChoiceScreen(s.shared, words(text.LeaveTitle), words(text.LeaveAsk),
			option{words(text.LeaveAskStay), s.pop},
			option{words(text.LeaveAskGo), func() tea.Cmd { s.job.reply(false); return s.pop() }},
		)
		return false, s.push(s.dialog)
	case quitting || s.moment == momentLooks:
		s.job.stop()
		return false, nil
	}
	s.dialog = newChoiceScreen(s.shared, words(text.StopTitle), words(text.StopAbout, s.task.workflow.Name),
		option{words(text.StopKeep), s.pop},
		option{words(text.StopIt), func() tea.Cmd { s.job.stop(); return s.pop() }},
	)
	return false, s.push(s.dialog)
}

func (s *jobScreen) keys() []key {
	s.job.mu.Lock()
	defer s.job.mu.Unlock()
	var all []key
	switch s.now() {
	case momentAsks:
		if s.answerable() {
			all = append(all, key{"y", text.KeyApply}, key{"n", text.KeyDecline})
		}
	case momentEnded:
		if s.job.err != nil {
			all = append(all, key{"r", text.KeyAgain})
		}
		all = append(all, key{"Esc", text.KeyBack})
	case momentLooks, momentRuns:
		all = append(all, key{"Ctrl-C", text.KeyStop})
	}
	all = append(all, key{"Tab", text.KeyTab})
	switch s.view {
	case viewPlan:
		all = append(all, key{"Enter", text.KeyUnfold}, key{"/", text.KeySearch})
	case viewLog:
		all = append(all, key{"/", text.KeyFilter}, key{"f", text.KeyFollow})
	case viewRun, viewChecks:
		all = append(all, key{"Enter", text.KeyOpen})
	case viewForecast, viewEnd, views:
	}
	return all
}

// body draws the tabs, the view, and below it the question or what stops.
func (s *jobScreen) body(columns, height int) []string {
	s.job.mu.Lock()
	defer s.job.mu.Unlock()
	lines := []string{s.tabs()}
	foot := s.foot(columns)
	if most := height / 2; len(foot) > most { // its end is the question itself
		foot = append([]string{s.theme.ellipsis}, foot[len(foot)-most+1:]...)
	}
	s.seen = s.job.question
	room := height - len(lines) - len(foot) - 1
	lines = append(lines, "")
	shown := s.viewLines(columns, room)
	for i := range room {
		if i < len(shown) {
			lines = append(lines, shown[i])
		} else if len(foot) > 0 {
			lines = append(lines, "")
		}
	}
	return append(lines, foot...)
}

func (s *jobScreen) tabs() string {
	var names []string
	for i, name := range viewNames {
		label := string(rune('1'+i)) + " " + s.say(name)
		names = append(names, s.theme.tab(label, view(i) == s.view))
	}
	return strings.Join(names, "")
}

func (s *jobScreen) viewLines(columns, height int) []string {
	switch s.view {
	case viewChecks:
		return s.checks.lines(&s.jobView, columns, height)
	case viewForecast:
		all := s.forecastLines(columns)
		from, to := s.forecast.window(len(all), height)
		return all[from:to]
	case viewPlan:
		return s.tree.lines(&s.jobView, columns, height)
	case viewRun:
		return s.run.lines(&s.jobView, columns, height)
	case viewLog:
		return s.log.lines(&s.jobView, columns, height)
	case viewEnd:
		all := s.endLines(columns)
		from, to := s.end.window(len(all), height)
		return all[from:to]
	case views:
	}
	return nil
}

// foot is the question that is open or, while it stops, what is still done.
func (s *jobScreen) foot(columns int) []string {
	switch {
	case s.job.question != nil:
		var lines []string
		for _, line := range cleanLines(s.job.question.text) {
			lines = append(lines, wrapAll([]string{s.theme.strong.Render(line)}, columns, "", "")...)
		}
		if !s.answerable() {
			return append(lines, "")
		}
		return append(lines, s.say(text.QuestionKeys))
	case s.job.stopping && s.job.ended.IsZero():
		said := s.say(text.Interrupted)
		if must := s.job.must(); must != "" {
			said = s.say(text.StillPutsBack, clean(must))
		}
		return wrapAll([]string{said}, columns, s.theme.mark(markWarning)+" ", "  ")
	}
	return nil
}

// brokenOff tells that it was interrupted twice.
func (s *jobScreen) brokenOff() bool { return s.broken }
