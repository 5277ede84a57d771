package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// doneScreen is the end of an installation: what there is now, and what one does next.
type doneScreen struct {
	*shared
	file  string
	board *board
	said  []string
	list  list
}

type kubeconfigMsg struct {
	of    *doneScreen
	notes []string
	err   error
}

func newDoneScreen(s *shared, file string) *doneScreen { return &doneScreen{shared: s, file: file} }

func (s *doneScreen) title() string   { return s.say(text.DoneTitle) }
func (s *doneScreen) command() string { return shellWords("slipway", "status", "-f", s.file) }
func (s *doneScreen) keys() []key {
	return []key{{"↑↓", text.KeyMove}, {"Enter", text.KeyChoose}, {"Esc", text.KeyQuit}}
}

// begin watches what there is now: the last nodes may just be getting ready.
func (s *doneScreen) begin() tea.Cmd {
	if s.board == nil {
		s.board = &board{}
		s.board.open(s.shared, s.file)
	}
	return nil
}

func (s *doneScreen) leave(bool) (bool, tea.Cmd) {
	s.close()
	return true, nil
}

// close ends what goes on for it; it may be called again.
func (s *doneScreen) close() {
	if s.board != nil {
		s.board.close()
	}
}

// kubeconfig puts one into the user's own.
func (s *doneScreen) kubeconfig() tea.Msg {
	notes := newJob(s.options, func() {})
	session, err := s.options.Open(s.file, "", notes)
	if err != nil {
		return kubeconfigMsg{of: s, err: err}
	}
	defer session.Close()
	if err = session.ConnectAPI(s.ctx); err == nil {
		err = session.MergeKubeconfig(workflow.Kubeconfig{Port: workflow.ProxyPort}, "", false)
	}
	return kubeconfigMsg{s, notes.said(), err}
}

// choices are what one does next.
func (s *doneScreen) choices() []option {
	return []option{
		{words(text.DoneDashboard), func() tea.Cmd { s.close(); return s.reset(s.home(s.file)) }},
		{words(text.DoneKubeconfig, "slipway kubeconfig --merge"), func() tea.Cmd { return s.kubeconfig }},
		{words(text.DoneSmoke), func() tea.Cmd { return s.push(newJobScreen(s.shared, task{file: s.file, workflow: workflow.Smoke})) }},
		{words(text.DoneLeave), s.quit},
	}
}

func (s *doneScreen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case kubeconfigMsg:
		if msg.of == s {
			s.said = msg.notes
			if msg.err != nil {
				return s.push(newErrorScreen(s.shared, msg.err))
			}
		}
	case tea.KeyMsg:
		choices := s.choices()
		if msg.String() == "enter" {
			return choices[s.list.at].does()
		}
		s.list.key(msg, len(choices))
	}
	return nil
}

func (s *doneScreen) body(columns, height int) []string {
	lines := s.nodeLines(columns, max(1, height-14))
	for i, one := range s.choices() {
		if i == s.list.at {
			lines = append(lines, s.theme.cursor+" "+s.theme.selected.Render(s.tell(one.label)))
		} else {
			lines = append(lines, "  "+s.tell(one.label))
		}
	}
	lines = append(lines, "")
	for _, note := range s.said {
		lines = append(lines, wrapAll([]string{note}, columns, s.theme.mark(markWell)+" ", "  ")...)
	}
	return append(lines, wrap(s.say(text.DoneNext, workflow.Quoted(s.file)), columns)...)
}

// nodeLines are the cluster and its nodes, as far as they are known by now.
func (s *doneScreen) nodeLines(columns, most int) []string {
	p, err := s.board.now()
	switch {
	case err != nil:
		return append(wrapAll(cleanLines(s.options.Explain(err, false)), columns, s.theme.mark(markWarning)+" ", "  "), "")
	case p == nil:
		return []string{s.theme.mark(markRuns) + " " + s.say(text.DashLooking, clean(s.file)), ""}
	}
	lines := []string{s.theme.mark(markWell) + " " + s.theme.strong.Render(s.say(text.DoneAbout, clean(p.Cluster))), s.say(text.DoneEndpoint, clean(p.Endpoint)), ""}
	for i, n := range p.Live.Nodes {
		if i == most {
			lines = append(lines, "  "+more(len(p.Live.Nodes)-most))
			break
		}
		sign, state := markWell, s.say(text.DashReady)
		if !n.Ready {
			sign, state = markRuns, s.say(text.DashNotReady)
		}
		lines = append(lines, "  "+s.theme.mark(sign)+" "+s.theme.fit(clean(n.Name), 18)+" "+s.theme.fit(state, 10)+" "+clean(n.Version))
	}
	return append(lines, "")
}
