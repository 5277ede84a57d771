package tui

import (
	"bytes"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// endpointScreen is how the API stays reachable.
type endpointScreen struct {
	formStep
	// The fields that the mode has; nil: it has no such field.
	mode, host, port, iface, id *field
	filled                      map[cluster.EndpointMode]map[string]any // what the file had in modes that were left; see written
}

func newEndpointScreen(in *installer) *endpointScreen {
	s := &endpointScreen{formStep: newFormStep(in, "Endpoint", "EndpointName", "VirtualIP", "LoadBalancer"), filled: map[cluster.EndpointMode]map[string]any{}}
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
	return tea.Batch(s.tryAll(), s.check.ask())
}

func (s *endpointScreen) needsHost() bool {
	switch s.draft.Endpoint.Mode {
	case cluster.EndpointVIP, cluster.EndpointLoadBalancers, cluster.EndpointExternal:
		return true
	case cluster.EndpointLocal, cluster.EndpointControlPlane:
	}
	return false
}

func (s *endpointScreen) title() string { return s.say(text.StepEndpoint) }

func (s *endpointScreen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
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
	return s.hear(msg)
}

// put puts what was filled in into the file's text.
func (s *endpointScreen) put() error {
	was := s.draft.Endpoint
	return s.edit(func(e *cluster.Editor) error {
		if cluster.EndpointMode(s.mode.value) != was.Mode {
			return s.turnTo(e, cluster.EndpointMode(s.mode.value))
		}
		return errors.Join(
			s.host.putText(e, "endpoint.host", was.Host), s.port.putNumber(e, "endpoint.port", was.Port),
			s.iface.putText(e, "endpoint.vrrp.interface", was.VRRP.Interface), s.id.putNumber(e, "endpoint.vrrp.routerID", was.VRRP.RouterID),
		)
	})
}

// endpointFields are the fields of the endpoint besides its mode, and what they are in an endpoint.
var endpointFields = []struct {
	path string
	of   func(cluster.Endpoint) any
}{
	{"endpoint.host", func(e cluster.Endpoint) any { return e.Host }},
	{"endpoint.port", func(e cluster.Endpoint) any { return e.Port }},
	{"endpoint.address", func(e cluster.Endpoint) any { return e.Address }},
	{"endpoint.vrrp.interface", func(e cluster.Endpoint) any { return e.VRRP.Interface }},
	{"endpoint.vrrp.routerID", func(e cluster.Endpoint) any { return e.VRRP.RouterID }},
	{"endpoint.vrrp.preempt", func(e cluster.Endpoint) any { return e.VRRP.Preempt }},
}

// written are the fields of the endpoint that the file itself has, by their paths, without those that have defaults: a
// field is in the file where the text without it is another.
func written(file []byte, endpoint cluster.Endpoint) map[string]any {
	all := map[string]any{}
	for _, field := range endpointFields {
		without, err := cluster.NewEditor(file)
		if err == nil && without.Set(field.path, nil) == nil && !bytes.Equal(without.Bytes(), file) {
			all[field.path] = field.of(endpoint)
		}
	}
	return all
}

// turnTo changes the mode. A mode that was left gets back what it had; in another one what is there stays, with its
// comments, unless the mode refuses it.
func (s *endpointScreen) turnTo(e *cluster.Editor, mode cluster.EndpointMode) error {
	now := written(e.Bytes(), s.draft.Endpoint)
	s.filled[s.draft.Endpoint.Mode] = now
	if err := e.Set("endpoint.mode", string(mode)); err != nil {
		return err
	}
	wanted, before := s.filled[mode]
	if !before {
		var err error
		if wanted, err = accepted(now, e.Bytes(), mode, s.problems); err != nil {
			return err
		}
	}
	var errs []error
	for _, field := range endpointFields {
		if wanted[field.path] != now[field.path] {
			errs = append(errs, e.Set(field.path, wanted[field.path]))
		}
	}
	return errors.Join(errs...)
}

// accepted are those of the fields that the mode does not refuse; file has this mode already. What was wrong before as well
// stays, for the user to see.
func accepted(fields map[string]any, file []byte, mode cluster.EndpointMode, before []cluster.Problem) (map[string]any, error) {
	_, problems, err := cluster.Draft(file)
	if err != nil {
		return nil, err
	}
	refused := func(path string) bool { return isAbout(problems, path) && !isAbout(before, path) }
	kept := maps.Clone(fields)
	maps.DeleteFunc(kept, func(path string, _ any) bool { return refused(path) })
	if _, has := fields["endpoint.address"]; !has && refused("endpoint.address") {
		delete(kept, "endpoint.host") // a name, where an address is needed
	}
	if mode == cluster.EndpointControlPlane {
		delete(kept, "endpoint.host") // it was another's, and the form of this mode does not show it
	}
	return kept, nil
}

// isAbout tells whether something is wrong with a field, or with what it stands in below the endpoint.
func isAbout(problems []cluster.Problem, path string) bool {
	return slices.ContainsFunc(problems, func(p cluster.Problem) bool {
		return p.Path == path || strings.HasPrefix(p.Path, "endpoint.") && strings.HasPrefix(path, p.Path+".")
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
