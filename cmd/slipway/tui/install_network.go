package tui

import (
	"errors"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// networkScreen is the addresses inside the cluster, and what it is called.
type networkScreen struct{ formStep }

func newNetworkScreen(in *installer) *networkScreen {
	s := &networkScreen{newFormStep(in, "AddressPlan")}
	s.fill()
	return s
}

func (s *networkScreen) fill() {
	n := s.draft.Networking
	s.form.fields = []*field{
		{label: words(text.ClusterName), help: words(text.ClusterNameHelp), value: s.draft.Name},
		{label: words(text.NetworkPods), help: words(text.NetworkPodsHelp), value: strings.Join(n.PodSubnets, ", ")},
		{label: words(text.NetworkServices), help: words(text.NetworkSvcHelp), value: strings.Join(n.ServiceSubnets, ", ")},
		{label: words(text.NetworkDomain), value: n.DNSDomain},
		{label: words(text.NetworkAddOn), value: n.AddOn, choices: []choice{
			{cluster.AddOnFlannel, "flannel", words(text.AddOnFlannel)}, {cluster.AddOnNone, "none", words(text.AddOnNone)},
		}},
	}
}

func (s *networkScreen) begin() tea.Cmd { return tea.Batch(s.tryAll(), s.check.ask()) }
func (s *networkScreen) title() string  { return s.say(text.StepNetwork) }

func (s *networkScreen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		if !s.form.types() && isNext(msg) {
			return s.push(newBundleScreen(s.installer))
		}
		if _, changed := s.form.key(msg); changed {
			if err := s.put(); err != nil {
				return s.push(newErrorScreen(s.shared, err))
			}
			s.fill()
			return s.check.ask()
		}
	}
	return s.hear(msg)
}

func (s *networkScreen) put() error {
	was := s.draft.Networking
	value := func(i int) string { return strings.TrimSpace(s.form.fields[i].value) }
	return s.edit(func(e *cluster.Editor) error {
		return errors.Join(
			setText(e, "name", value(0), s.draft.Name),
			setList(e, "networking.podSubnets", commas(value(1)), was.PodSubnets),
			setList(e, "networking.serviceSubnets", commas(value(2)), was.ServiceSubnets),
			setText(e, "networking.dnsDomain", value(3), was.DNSDomain),
			setText(e, "networking.addOn", value(4), was.AddOn),
		)
	})
}

func (s *networkScreen) body(columns, height int) []string {
	var below []string
	if !s.form.types() {
		below = append([]string{""}, s.check.lines(s.say(text.StepNetwork), s.problemsOf("networking", "name"), columns)...)
	}
	lines := s.form.lines(columns, max(6, height-len(below)))
	return append(lines, below...)
}
