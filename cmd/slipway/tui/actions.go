package tui

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// actionsScreen lists all workflows there are: whatever the table has is offered.
type actionsScreen struct {
	*shared
	file string
	on   []string // the hosts that were chosen before
	list list
}

func newActionsScreen(s *shared, file string, on []string) *actionsScreen {
	return &actionsScreen{shared: s, file: file, on: on}
}

func (s *actionsScreen) begin() tea.Cmd { return nil }
func (s *actionsScreen) title() string  { return s.say(text.ActionsTitle) }
func (s *actionsScreen) keys() []key {
	return []key{{"↑↓", text.KeyMove}, {"Enter", text.KeyChoose}, {"Esc", text.KeyBack}}
}

func (s *actionsScreen) command() string { return shellWords("slipway", "runbook", "list") }

func (s *actionsScreen) update(msg tea.Msg) tea.Cmd {
	pressed, is := msg.(tea.KeyMsg)
	if !is {
		return nil
	}
	if pressed.String() == "enter" {
		return s.replace(newRequestScreen(s.shared, s.file, workflow.All[s.list.at], s.on))
	}
	s.list.key(pressed, len(workflow.All))
	return nil
}

func (s *actionsScreen) body(columns, height int) []string {
	from, to := s.list.window(len(workflow.All), height)
	var lines []string
	for i := from; i < to; i++ {
		w := workflow.All[i]
		name := s.theme.fit(w.Name, 18)
		cursor := "  "
		if i == s.list.at {
			cursor, name = s.theme.cursor+" ", s.theme.selected.Render(name)
		}
		lines = append(lines, s.theme.clip(cursor+name+"  "+w.Short, columns))
	}
	return lines
}

// requestScreen is the form of a workflow, made of its row of the table: hosts, bundle, options.
type requestScreen struct {
	*shared
	file     string
	workflow workflow.Workflow
	form     form
	put      []func(*workflow.Request) error // of each field, into the request
	bundle   *field                          // nil: the workflow takes from none
	seeks    bool                            // bundles are looked for
	typed    bool                            // the user has filled in the bundle, or emptied it
	err      error
}

func newRequestScreen(s *shared, file string, w workflow.Workflow, on []string) *requestScreen {
	r := &requestScreen{shared: s, file: file, workflow: w, form: form{shared: s}}
	r.addHosts(on)
	r.addBundle()
	for _, o := range w.Options {
		r.addOption(o)
	}
	if len(w.Ignorable()) > 0 {
		r.add(&field{label: words(text.FormIgnore), help: func(l text.Language) string {
			return l.Say(text.FormIgnHelp) + " " + strings.Join(w.Ignorable(), ", ")
		}}, func(q *workflow.Request, said string) error {
			q.IgnoreChecks = commas(said)
			return nil
		})
	}
	return r
}

func (s *requestScreen) add(f *field, put func(*workflow.Request, string) error) {
	s.form.fields = append(s.form.fields, f)
	s.put = append(s.put, func(q *workflow.Request) error { return put(q, strings.TrimSpace(f.value)) })
}

// addHosts has the hosts of the file chosen, where the workflow is for hosts.
func (s *requestScreen) addHosts(on []string) {
	switch s.workflow.Args {
	case workflow.NoArgs:
		return
	case workflow.Archives:
		s.add(&field{label: words(text.FormArchives), help: words(text.FormFilesHelp)}, func(q *workflow.Request, said string) error {
			q.Archives = commas(said)
			return nil
		})
		return
	case workflow.SomeHosts, workflow.Hosts:
	}
	help := words(text.FormHostsAll)
	if s.workflow.Args == workflow.Hosts {
		help = words(text.FormHostsHelp)
	}
	for _, name := range s.options.HostNames(s.file) {
		f := &field{label: words(text.FormHost, clean(name)), help: help, isFlag: true}
		if slices.Contains(on, name) {
			f.flip()
		}
		s.add(f, func(q *workflow.Request, said string) error {
			if said == "true" {
				q.Hosts = append(q.Hosts, name)
			}
			return nil
		})
	}
}

// addBundle asks for a bundle, where the workflow takes from one: any path can be typed.
func (s *requestScreen) addBundle() {
	if !s.workflow.Bundle {
		return
	}
	s.bundle = &field{label: words(text.FormBundle), value: s.options.Bundle, help: words(text.BundleAbout)}
	s.seeks = true
	s.add(s.bundle, func(*workflow.Request, string) error { return nil })
}

// formBundlesMsg are the bundles that were found for a form.
type formBundlesMsg struct {
	of    *requestScreen
	found []workflow.FoundBundle
}

// findBundles looks for bundles by the keys that the cluster file trusts. It may take a while.
func (s *requestScreen) findBundles() formBundlesMsg {
	draft := &cluster.Cluster{}
	if data, err := os.ReadFile(s.file); err == nil { // what is wrong with the file, the workflow itself tells
		if read, _, err := cluster.Draft(data); err == nil {
			draft = read
		}
	}
	return formBundlesMsg{s, workflow.FindBundles(s.file, draft)}
}

// took fills in the best bundle that was found, where the user has said none, and names all of them.
func (s *requestScreen) took(msg formBundlesMsg) {
	s.seeks = false
	s.bundle.help = func(l text.Language) string { return foundBundles(l, msg.found) }
	best := slices.IndexFunc(msg.found, func(one workflow.FoundBundle) bool { return one.Err == nil })
	if s.bundle.value == "" && best >= 0 && !s.typed {
		s.bundle.value = msg.found[best].Path
	}
}

// foundBundles is the help of the field for a bundle.
func foundBundles(l text.Language, found []workflow.FoundBundle) string {
	if len(found) == 0 {
		return l.Say(text.BundleAbout)
	}
	var all []string
	for _, one := range found {
		about := "Kubernetes " + clean(one.Bill.KubernetesVersion)
		if one.Err != nil {
			about += ", " + l.Say(text.BundleBad)
		}
		all = append(all, clean(one.Path)+" ("+about+")")
	}
	return l.Say(text.BundleAbout) + " " + l.Say(text.BundleFound, strings.Join(all, "; "))
}

// addOption makes a field of an option, by the type of what it is kept in.
func (s *requestScreen) addOption(o workflow.Option) {
	f := &field{label: plain(o.Name), help: plain(o.Usage)}
	var defaults workflow.Request
	number := func(said string) error { return s.whole(said) }
	duration := func(said string) error { return s.duration(said) }
	switch at := o.Of(&defaults).(type) {
	case *bool:
		if f.isFlag = true; *at {
			f.flip()
		}
	case *int, **int:
		f.check = number
	case *time.Duration, **time.Duration:
		f.check = duration
	case *string, *[]string:
	}
	s.add(f, func(q *workflow.Request, said string) error { return fill(o.Of(q), said) })
}

func (s *shared) whole(said string) error {
	if _, err := strconv.Atoi(said); said != "" && err != nil {
		return errors.New(s.say(text.FormNumber))
	}
	return nil
}

func (s *shared) duration(said string) error {
	if _, err := time.ParseDuration(said); said != "" && err != nil {
		return errors.New(s.say(text.FormDuration))
	}
	return nil
}

// fill puts what was said into where an option is kept; where nothing was said, it stays as it is.
func fill(at any, said string) error {
	if said == "" {
		return nil
	}
	switch at := at.(type) {
	case *bool:
		*at = said == "true"
	case *string:
		*at = said
	case *[]string:
		*at = commas(said)
	case *int:
		n, err := strconv.Atoi(said)
		*at = n
		return err
	case **int:
		n, err := strconv.Atoi(said)
		*at = &n
		return err
	case *time.Duration:
		d, err := time.ParseDuration(said)
		*at = d
		return err
	case **time.Duration:
		d, err := time.ParseDuration(said)
		*at = &d
		return err
	default:
		return fmt.Errorf("no field can be made of a %T", at) // a test makes all of them
	}
	return nil
}

// request is what was filled in.
func (s *requestScreen) request() (workflow.Request, error) {
	var q workflow.Request
	for _, put := range s.put {
		if err := put(&q); err != nil {
			return q, err
		}
	}
	return q, nil
}

func (s *requestScreen) task() (task, error) {
	q, err := s.request()
	if err != nil {
		return task{}, err
	}
	q.Yes = s.workflow.Unasked
	t := task{file: s.file, workflow: s.workflow, request: q, form: true}
	if s.bundle != nil && !q.HostsOnly { // which needs none, and is not given one by the command either
		t.bundle = s.bundle.value
	}
	_, err = workflow.New(s.workflow, q)
	return t, err
}

func (s *requestScreen) begin() tea.Cmd {
	if !s.seeks {
		return nil
	}
	return func() tea.Msg { return s.findBundles() }
}

func (s *requestScreen) types() bool   { return s.form.types() }
func (s *requestScreen) title() string { return s.workflow.Name }

func (s *requestScreen) command() string {
	t, err := s.task()
	if err != nil {
		return ""
	}
	return typed(t)
}

func (s *requestScreen) keys() []key {
	if s.form.types() {
		return stepKeys(true)
	}
	does := text.KeyGo
	if s.workflow.Unasked {
		does = text.KeyBegin
	}
	return []key{{"n", does}, {"↑↓", text.KeyMove}, {"Enter", text.KeyChange}, {"Esc", text.KeyBack}}
}

func (s *requestScreen) update(msg tea.Msg) tea.Cmd {
	if found, is := msg.(formBundlesMsg); is && found.of == s {
		s.took(found)
	}
	pressed, is := msg.(tea.KeyMsg)
	if !is {
		return nil
	}
	if !s.form.types() && isNext(pressed) {
		if s.form.wrong() != nil || s.waits() {
			return nil
		}
		t, err := s.task()
		if s.err = err; err != nil {
			return nil
		}
		return s.push(newJobScreen(s.shared, t))
	}
	at := s.form.chosen()
	if _, changed := s.form.key(pressed); changed {
		s.err = nil
		s.typed = s.typed || at == s.bundle
	}
	return nil
}

// waits tells whether the form has no bundle because they are still looked for.
func (s *requestScreen) waits() bool { return s.seeks && s.bundle.value == "" && !s.typed }

func (s *requestScreen) body(columns, height int) []string {
	lines := wrap(s.workflow.Short, columns)
	about := text.FormAbout
	if s.workflow.Unasked {
		about = text.FormUnasked
	}
	lines = append(lines, wrapAll([]string{s.say(about)}, columns, "", "")...)
	lines = append(lines, "")
	var below []string
	if s.waits() {
		below = []string{"", s.theme.mark(markRuns) + " " + s.say(text.BundleSeeks)}
	}
	if s.err != nil {
		below = append([]string{""}, wrapAll(cleanLines(s.err.Error()), columns, s.theme.mark(markBad)+" ", "  ")...)
	}
	lines = append(lines, s.form.lines(columns, max(4, height-len(lines)-len(below)))...)
	return append(lines, below...)
}
