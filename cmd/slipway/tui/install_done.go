package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// doneScreen is the end of an installation: what there is now, and what one does next.
type doneScreen struct {
	*shared
	file   string
	status *workflow.Status
	err    error
	said   []string
	list   list
}

type (
	statusMsg struct {
		of     *doneScreen
		status workflow.Status
		err    error
	}
	kubeconfigMsg struct {
		of    *doneScreen
		notes []string
		err   error
	}
)

func newDoneScreen(s *shared, file string) *doneScreen { return &doneScreen{shared: s, file: file} }

func (s *doneScreen) title() string   { return s.say(text.DoneTitle) }
func (s *doneScreen) command() string { return shellWords("slipway", "status", "-f", s.file) }
func (s *doneScreen) keys() []key {
	return []key{{"↑↓", text.KeyMove}, {"Enter", text.KeyChoose}, {"Esc", text.KeyBack}}
}

// begin looks at what there is now.
func (s *doneScreen) begin() tea.Cmd {
	if s.status != nil {
		return nil
	}
	return func() tea.Msg {
		session, err := s.options.Open(s.file, "", newJob(s.options, func() {}))
		if err != nil {
			return statusMsg{of: s, err: err}
		}
		defer session.Close()
		status, err := session.Status(s.ctx, func(workflow.Status) error { return nil })
		return statusMsg{s, status, err}
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
		{s.say(text.DoneDashboard), func() tea.Msg { return resetMsg{s.home(s.file)} }},
		{s.say(text.DoneKubeconfig, "slipway kubeconfig --merge"), s.kubeconfig},
		{s.say(text.DoneSmoke), push(newJobScreen(s.shared, task{file: s.file, workflow: workflow.Smoke}))},
		{s.say(text.DoneLeave), quit},
	}
}

func (s *doneScreen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case statusMsg:
		if msg.of == s {
			s.status, s.err = &msg.status, msg.err
		}
	case kubeconfigMsg:
		if msg.of == s {
			s.said = msg.notes
			if msg.err != nil {
				return push(newErrorScreen(s.shared, msg.err))
			}
		}
	case tea.KeyMsg:
		choices := s.choices()
		if msg.String() == "enter" {
			return choices[s.list.at].does
		}
		s.list.key(msg, len(choices))
	}
	return nil
}

func (s *doneScreen) body(columns, height int) []string {
	var lines []string
	if s.status != nil && s.err == nil {
		lines = append(lines, s.theme.mark(markWell)+" "+s.theme.strong.Render(s.say(text.DoneAbout, clean(s.status.Cluster))), s.say(text.DoneEndpoint, clean(s.status.Endpoint)), "")
		most := max(1, height-16)
		for i, h := range s.status.Hosts {
			if i == most {
				lines = append(lines, "  "+more(len(s.status.Hosts)-most))
				break
			}
			sign := markBad
			if h.Ready {
				sign = markWell
			}
			lines = append(lines, "  "+s.theme.mark(sign)+" "+s.theme.fit(clean(h.Name), 18)+" "+s.theme.fit(clean(h.Node), 10)+" "+clean(h.Kubelet))
		}
		lines = append(lines, "")
	}
	for i, one := range s.choices() {
		if i == s.list.at {
			lines = append(lines, s.theme.cursor+" "+s.theme.selected.Render(one.label))
		} else {
			lines = append(lines, "  "+one.label)
		}
	}
	lines = append(lines, "")
	for _, note := range s.said {
		lines = append(lines, wrapAll([]string{note}, columns, s.theme.mark(markWell)+" ", "  ")...)
	}
	return append(lines, wrap(s.say(text.DoneNext, s.file), columns)...)
}
