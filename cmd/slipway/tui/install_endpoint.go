package tui

import (
	"errors"
	"net/netip"
	"strconv"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// endpointScreen is how the API stays reachable.
type endpointScreen struct {
	*installer
	form form
	// The fields that the mode has; nil: it has no such field.
	mode, host, port, iface, id *field
	check                       liveCheck
}

func newEndpointScreen(in *installer) *endpointScreen {
	s := &endpointScreen{installer: in, form: form{shared: in.shared}}
	s.check = liveCheck{installer: in, names: []string{"Endpoint", "EndpointName", "VirtualIP", "LoadBalancer"}}
	s.fill()
	return s
}

// fill makes the fields that the mode has.
func (s *endpointScreen) fill() {
	e := s.draft.Endpoint
	s.mode, s.host, s.port, s.iface, s.id = nil, nil, nil, nil, nil
	s.form.input, s.form.picks = nil, nil // they were about fields that are no longer
	mode := &field{label: words(text.EndpointMode), value: string(e.Mode), choices: []choice{
		{string(cluster.EndpointVIP), "vip", words(text.ModeVIP)},
		{string(cluster.EndpointLocal), "local", words(text.ModeLocal)},
		{string(cluster.EndpointLoadBalancers), "loadBalancers", words(text.ModeLoadBalancer)},
		{string(cluster.EndpointExternal), "external", words(text.ModeExternal)},
		{string(cluster.EndpointControlPlane), "controlPlane", words(text.ModeControlPlane)},
	}}
	for _, c := range mode.choices {
		if c.value == mode.value {
			mode.help = c.about
		}
	}
	host := &field{label: words(text.EndpointHost), value: e.Host}
	port := &field{label: words(text.EndpointPort), value: numberText(e.Port), check: s.checkPort}
	s.form.fields, s.mode = []*field{mode}, mode
	switch e.Mode {
	case cluster.EndpointVIP, cluster.EndpointLoadBalancers:
		host.label, host.help = words(text.EndpointHostVIP), words(text.EndpointVIPHelp, s.subnet())
		iface := &field{label: words(text.EndpointIface), help: words(text.EndpointIfHelp), value: e.VRRP.Interface}
		id := &field{label: words(text.EndpointRouterID), help: words(text.EndpointIDHelp), value: numberText(e.VRRP.RouterID), check: s.checkRouterID}
		s.host, s.port, s.iface, s.id = host, port, iface, id
		s.form.fields = append(s.form.fields, host, port, iface, id)
	case cluster.EndpointLocal:
		host.help = words(text.EndpointNameHelp, "api."+s.draft.Name+".internal")
		s.host, s.port = host, port
		s.form.fields = append(s.form.fields, host, port)
	case cluster.EndpointExternal:
		host.help = words(text.EndpointLBHelp)
		s.host, s.port = host, port
		s.form.fields = append(s.form.fields, host, port)
	case cluster.EndpointControlPlane:
		s.port = port
		s.form.fields = append(s.form.fields, port)
	}
}

func (in *installer) checkRouterID(said string) error {
	if n, err := strconv.Atoi(said); said != "" && (err != nil || n < 1 || n > 255) {
		return errors.New(in.say(text.EndpointIDBad))
	}
	return nil
}

// subnet is the control planes' subnet, for the help.
func (in *installer) subnet() string {
	for _, h := range in.draft.ControlPlanes() {
		for _, link := range in.of(h.Name).facts.Interfaces {
			for _, at := range link.Addresses {
				if prefix, err := netip.ParsePrefix(at); err == nil && prefix.Addr().String() == h.Address() {
					return " (" + prefix.Masked().String() + ")"
				}
			}
		}
	}
	return ""
}

func (s *endpointScreen) begin() tea.Cmd {
	s.fill()
	if s.draft.Endpoint.Host == "" && s.needsHost() {
		s.form.list.at = 1 // what has to be said
	}
	return s.check.ask()
}

func (s *endpointScreen) needsHost() bool {
	switch s.draft.Endpoint.Mode {
	case cluster.EndpointVIP, cluster.EndpointLoadBalancers, cluster.EndpointExternal:
		return true
	case cluster.EndpointLocal, cluster.EndpointControlPlane:
	}
	return false
}

func (s *endpointScreen) types() bool   { return s.form.types() }
func (s *endpointScreen) title() string { return s.say(text.StepEndpoint) }
func (s *endpointScreen) command() string {
	return shellWords("slipway", "config", "validate", "-f", s.options.File)
}
func (s *endpointScreen) keys() []key { return stepKeys(s.form.types()) }

func (s *endpointScreen) leave(quitting bool) (bool, tea.Cmd) {
	if quitting {
		return s.leaving(s.quit)
	}
	return true, nil
}

func (s *endpointScreen) update(msg tea.Msg) tea.Cmd {
	if cmd, taken := s.tellOf(msg); taken {
		return cmd
	}
	switch msg := msg.(type) {
	case checkedMsg:
		s.check.took(msg)
	case tea.KeyMsg:
		if !s.form.types() && isNext(msg) {
			if s.form.wrong() == nil {
				return s.push(newNetworkScreen(s.installer))
			}
			return nil
		}
		if _, changed := s.form.key(msg); changed && s.form.wrong() == nil {
			if err := s.put(); err != nil {
				return s.push(newErrorScreen(s.shared, err))
			}
			s.fill()
			if len(s.problemsOf("endpoint.host", "endpoint.address")) > 0 && s.needsHost() {
				s.form.list.at = 1 // what was said there is not right
			}
			return s.check.ask()
		}
	}
	return nil
}

// put puts what was filled in into the file's text.
func (s *endpointScreen) put() error {
	was := s.draft.Endpoint
	return s.edit(func(e *cluster.Editor) error {
		if cluster.EndpointMode(s.mode.value) != was.Mode {
			// What was said for one mode means something else in another, or nothing.
			return errors.Join(e.Set("endpoint", nil), e.Set("endpoint.mode", s.mode.value))
		}
		return errors.Join(
			s.host.putText(e, "endpoint.host", was.Host), s.port.putNumber(e, "endpoint.port", was.Port),
			s.iface.putText(e, "endpoint.vrrp.interface", was.VRRP.Interface), s.id.putNumber(e, "endpoint.vrrp.routerID", was.VRRP.RouterID),
		)
	})
}

// putText writes what was filled in, where there is such a field.
func (f *field) putText(e *cluster.Editor, path, was string) error {
	if f == nil {
		return nil
	}
	return setText(e, path, f.value, was)
}

func (f *field) putNumber(e *cluster.Editor, path string, was int) error {
	if f == nil {
		return nil
	}
	n, _ := strconv.Atoi(f.value) // it was judged
	return setNumber(e, path, n, was)
}

func (s *endpointScreen) body(columns, height int) []string {
	lines := wrap(s.say(text.EndpointAbout), columns)
	lines = append(lines, "")
	var below []string
	if !s.form.types() {
		below = append([]string{""}, s.check.lines(s.say(text.StepEndpoint), s.problemsOf("endpoint"), columns)...)
	}
	lines = append(lines, s.form.lines(columns, max(4, height-len(lines)-len(below)))...)
	return append(lines, below...)
}
