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
	form  form
	check liveCheck
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
	mode := &field{label: s.say(text.EndpointMode), value: string(e.Mode), choices: []choice{
		{string(cluster.EndpointVIP), "vip", s.say(text.ModeVIP)},
		{string(cluster.EndpointLocal), "local", s.say(text.ModeLocal)},
		{string(cluster.EndpointLoadBalancers), "loadBalancers", s.say(text.ModeLoadBalancer)},
		{string(cluster.EndpointExternal), "external", s.say(text.ModeExternal)},
		{string(cluster.EndpointControlPlane), "controlPlane", s.say(text.ModeControlPlane)},
	}}
	for _, c := range mode.choices {
		if c.value == mode.value {
			mode.help = c.about
		}
	}
	host := &field{label: s.say(text.EndpointHost), value: e.Host}
	port := &field{label: s.say(text.EndpointPort), value: numberText(e.Port), check: s.checkPort}
	s.form.fields = []*field{mode}
	switch e.Mode {
	case cluster.EndpointVIP, cluster.EndpointLoadBalancers:
		host.label, host.help = s.say(text.EndpointHostVIP), s.say(text.EndpointVIPHelp, s.subnet())
		iface := &field{label: s.say(text.EndpointIface), help: s.say(text.EndpointIfHelp), value: e.VRRP.Interface}
		id := &field{label: s.say(text.EndpointRouterID), help: s.say(text.EndpointIDHelp), value: numberText(e.VRRP.RouterID), check: checkRouterID}
		s.form.fields = append(s.form.fields, host, port, iface, id)
	case cluster.EndpointLocal:
		host.help = s.say(text.EndpointNameHelp, "api."+s.draft.Name+".internal")
		s.form.fields = append(s.form.fields, host, port)
	case cluster.EndpointExternal:
		host.help = s.say(text.EndpointLBHelp)
		s.form.fields = append(s.form.fields, host, port)
	case cluster.EndpointControlPlane:
		s.form.fields = append(s.form.fields, port)
	}
}

func checkRouterID(said string) error {
	if n, err := strconv.Atoi(said); said != "" && (err != nil || n < 1 || n > 255) {
		return errors.New("1-255")
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
		return s.leaving(quit)
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
				return push(newNetworkScreen(s.installer))
			}
			return nil
		}
		if _, changed := s.form.key(msg); changed && s.form.wrong() == nil {
			if err := s.put(); err != nil {
				return push(newErrorScreen(s.shared, err))
			}
			s.fill()
			return s.check.ask()
		}
	}
	return nil
}

// put puts what was filled in into the file's text.
func (s *endpointScreen) put() error {
	was := s.draft.Endpoint
	value := func(label *text.Text) (string, bool) {
		for _, f := range s.form.fields {
			if f.label == s.say(label) {
				return f.value, true
			}
		}
		return "", false
	}
	number := func(label *text.Text) int {
		said, _ := value(label)
		n, _ := strconv.Atoi(said) // it was judged
		return n
	}
	return s.edit(func(e *cluster.Editor) error {
		var errs []error
		mode, _ := value(text.EndpointMode)
		if cluster.EndpointMode(mode) != was.Mode {
			// What was said for one mode means something else in another, or nothing.
			return errors.Join(e.Set("endpoint", nil), e.Set("endpoint.mode", mode))
		}
		for _, label := range []*text.Text{text.EndpointHost, text.EndpointHostVIP} {
			if host, has := value(label); has {
				errs = append(errs, setText(e, "endpoint.host", host, was.Host))
			}
		}
		errs = append(errs, setNumber(e, "endpoint.port", number(text.EndpointPort), was.Port))
		if iface, has := value(text.EndpointIface); has {
			errs = append(errs, setText(e, "endpoint.vrrp.interface", iface, was.VRRP.Interface),
				setNumber(e, "endpoint.vrrp.routerID", number(text.EndpointRouterID), was.VRRP.RouterID))
		}
		return errors.Join(errs...)
	})
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
