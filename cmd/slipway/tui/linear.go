package tui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// errLeft tells that the user has left.
var errLeft = errors.New("left")

// linear is the same as the screens, line by line: for screen readers, and for terminals that cannot be drawn on. What it
// shows of a workflow is what the command shows.
type linear struct {
	*shared
	in  *bufio.Reader
	out io.Writer
}

// RunLinear asks and tells line by line, until the user leaves or there is nothing more to read.
func RunLinear(ctx context.Context, options Options, in io.Reader, out io.Writer) error {
	options.Terminal = Terminal{Profile: termenv.Ascii, ASCII: true}
	s := &shared{options: options, theme: newTheme(options.Terminal), lang: options.Language, ctx: ctx, send: func(tea.Msg) {}, work: &sync.WaitGroup{}}
	if s.options.File == "" {
		s.options.File = append(clusterFiles("."), usualFile)[0]
	}
	l := &linear{shared: s, in: bufio.NewReader(in), out: out}
	l.tell(s.say(text.LinWelcome))
	err := l.run()
	if errors.Is(err, errLeft) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (l *linear) run() error {
	installer, err := newInstaller(l.shared)
	if err != nil {
		return err
	}
	defer installer.probe.Close()
	if len(installer.problems) > 0 {
		if err := l.install(installer); err != nil {
			return err
		}
	}
	return l.operate()
}

func (l *linear) tell(lines ...string) {
	for _, line := range lines {
		fmt.Fprintln(l.out, guard(line))
	}
}

// phrase is shared's tell, whose name is taken here.
func (l *linear) phrase(p phrase) string { return l.shared.tell(p) }

// ask asks for a line; an empty one means what is usual.
func (l *linear) ask(what, usual string) (string, error) {
	if usual != "" {
		what += " [" + usual + "]"
	}
	fmt.Fprint(l.out, guard(what+": "))
	line, err := l.line()
	if err != nil {
		return "", err
	}
	if line == "" {
		return usual, nil
	}
	return line, nil
}

// line reads a line; Ctrl-C ends it, and q leaves.
func (l *linear) line() (string, error) {
	type read struct {
		line string
		err  error
	}
	lines := make(chan read, 1)
	go func() {
		line, err := l.in.ReadString('\n')
		lines <- read{line, err}
	}()
	select {
	case <-l.ctx.Done():
		return "", l.ctx.Err()
	case r := <-lines:
		line := strings.TrimSpace(r.line)
		switch {
		case r.err != nil && line == "":
			return "", r.err
		case line == "q":
			return "", errLeft
		}
		return line, nil
	}
}

// agrees asks a question whose answer is yes or no.
func (l *linear) agrees(question string, usual bool) (bool, error) {
	word := map[bool]string{true: "y", false: "n"}[usual]
	for {
		answer, err := l.ask(question+" ("+l.say(text.LinYesNo)+")", word)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "y", "yes", "是":
			return true, nil
		case "n", "no", "否":
			return false, nil
		}
		l.tell(l.say(text.LinBad))
	}
}

// choose has one of several things chosen by its number.
func (l *linear) choose(labels []string, usual int) (int, error) {
	for i, label := range labels {
		l.tell(fmt.Sprintf("%d. %s", i+1, label))
	}
	for {
		word := ""
		if usual >= 0 {
			word = strconv.Itoa(usual + 1)
		}
		answer, err := l.ask(l.say(text.LinNumber), word)
		if err != nil {
			return 0, err
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(labels) {
			return n - 1, nil
		}
		l.tell(l.say(text.LinBad))
	}
}

// fill asks for a form's fields, one after another, until nothing is wrong with each.
func (l *linear) fill(fields []*field) error {
	for _, f := range fields {
		if err := l.fillOne(f); err != nil {
			return err
		}
	}
	return nil
}

func (l *linear) fillOne(f *field) error {
	if help := l.phrase(f.help); help != "" {
		l.tell(help)
	}
	usual := f.value
	for {
		switch {
		case f.isFlag:
			yes, err := l.agrees(l.phrase(f.label), f.on())
			if err != nil {
				return err
			}
			if yes != f.on() {
				f.flip()
			}
		case len(f.choices) > 0:
			var labels []string
			at := -1
			for i, c := range f.choices {
				labels = append(labels, c.label+": "+l.phrase(c.about))
				if c.value == f.value {
					at = i
				}
			}
			l.tell(l.phrase(f.label))
			n, err := l.choose(labels, at)
			if err != nil {
				return err
			}
			f.value = f.choices[n].value
		default:
			answer, err := l.ask(l.phrase(f.label), usual)
			if err != nil {
				return err
			}
			f.value = answer
		}
		if f.judge(); f.wrong == "" {
			return nil
		}
		l.tell(f.wrong)
		f.value = usual
	}
}

// install leads through the same steps as the installer's screens.
func (l *linear) install(in *installer) error {
	steps := []func(*installer) error{l.hosts, l.endpoint, l.network, l.chooseBundle, l.writeFile}
	for _, step := range steps {
		if err := step(in); err != nil {
			return err
		}
	}
	yes, err := l.agrees(l.say(text.LinInstall), true)
	if err != nil || !yes {
		return err
	}
	if err := l.carryOut(task{file: l.options.File, bundle: in.bundle.Path, workflow: workflow.Init}); err != nil {
		return err
	}
	yes, err = l.agrees(l.say(text.LinKubeconfig), true)
	if err != nil || !yes {
		return err
	}
	done := (&doneScreen{shared: l.shared, file: l.options.File}).kubeconfig()
	if msg, is := done.(kubeconfigMsg); is {
		l.tell(msg.notes...)
		return msg.err
	}
	return nil
}

func (l *linear) hosts(in *installer) error {
	if len(in.draft.Hosts) == 0 {
		l.tell(l.say(text.LinHosts))
		var list []string
		for {
			line, err := l.ask(l.say(text.LinHostLine), "")
			if err != nil {
				return err
			}
			if line == "" {
				break
			}
			list = append(list, line)
		}
		found, problems := parseHosts(strings.Join(list, "\n"))
		for _, p := range problems {
			l.tell(clean(p))
		}
		if _, _, err := in.add(found); err != nil {
			return err
		}
	}
	if err := l.tryHosts(in); err != nil {
		return err
	}
	for _, h := range in.draft.Hosts {
		f := &field{label: words(text.LinRoles, h.Name), value: shortRoles(h.Roles), check: func(said string) error {
			_, err := rolesOf(said)
			return err
		}}
		if err := l.fillOne(f); err != nil {
			return err
		}
		h.Roles, _ = rolesOf(f.value) // it was judged
		if err := in.edit(func(e *cluster.Editor) error { return e.SetHost(h.Name, h) }); err != nil {
			return err
		}
	}
	return nil
}

func rolesOf(said string) ([]cluster.Role, error) {
	var all []cluster.Role
	for _, word := range commas(said) {
		roles := rolesOfWord(word)
		if len(roles) == 0 {
			return nil, fmt.Errorf("%q", word)
		}
		all = append(all, roles...)
	}
	if len(all) == 0 {
		return nil, errors.New("?")
	}
	return all, nil
}

// tryHosts looks at all hosts, has their keys compared, and tells what they are, until all answer or the user goes on.
func (l *linear) tryHosts(in *installer) error {
	for {
		l.tell(l.say(text.LinTrying, len(in.draft.Hosts)))
		open, err := l.tryOnce(in)
		if err != nil || !open {
			return err
		}
		again, err := l.agrees(l.say(text.LinTryAgain), true)
		if err != nil || !again {
			return err
		}
	}
}

func (l *linear) tryOnce(in *installer) (open bool, err error) {
	results := make(chan probedMsg, len(in.draft.Hosts))
	waits := 0
	for _, h := range in.draft.Hosts {
		at := in.of(h.Name)
		if at.state == lookWell {
			continue
		}
		at.tried = h
		waits++
		go func() { results <- probedMsg{h.Name, in.probe.Try(l.ctx, h, nil)} }()
	}
	for range waits {
		msg := <-results
		in.took(msg)
	}
	for _, h := range in.draft.Hosts {
		at := in.of(h.Name)
		_, says := in.shown(at)
		l.tell(h.Name + ": " + says)
		switch at.state {
		case lookKey:
			yes, err := l.agrees(l.say(text.LinTrust, clean(at.key.File)), false)
			if err != nil {
				return false, err
			}
			if yes {
				if err := at.key.Accept(); err != nil {
					return false, err
				}
			}
			open = true
		case lookFailed:
			l.tell(cleanLines(l.options.Explain(at.err, false))...)
			open = true
		case lookNone, lookTries, lookWell:
		}
	}
	return open, nil
}

func (l *linear) endpoint(in *installer) error {
	for {
		s := newEndpointScreen(in)
		l.tell(l.say(text.EndpointAbout))
		if err := l.fillOne(s.form.fields[0]); err != nil {
			return err
		}
		if err := s.put(); err != nil {
			return err
		}
		s.fill()
		if err := l.fill(s.form.fields[1:]); err != nil {
			return err
		}
		if err := s.put(); err != nil {
			return err
		}
		if good, err := l.checked(&s.check, l.say(text.StepEndpoint), in.problemsOf("endpoint")); good || err != nil {
			return err
		}
	}
}

func (l *linear) network(in *installer) error {
	for {
		s := newNetworkScreen(in)
		if err := l.fill(s.form.fields); err != nil {
			return err
		}
		if err := s.put(); err != nil {
			return err
		}
		if good, err := l.checked(&s.check, l.say(text.StepNetwork), in.problemsOf("networking", "name")); good || err != nil {
			return err
		}
	}
}

// checked asks the hosts what they see against it, and tells it.
func (l *linear) checked(c *liveCheck, what string, problems []cluster.Problem) (good bool, err error) {
	if msg, is := c.ask()().(checkedMsg); is {
		c.took(msg)
	}
	l.tell(c.lines(what, problems, 1<<10)...)
	if len(problems) == 0 && len(c.findings) == 0 {
		return true, nil
	}
	return l.agrees(l.say(text.LinGoOn), false)
}

func (l *linear) chooseBundle(in *installer) error {
	l.tell(l.say(text.BundleAbout))
	for {
		found := workflow.FindBundles(l.options.File, in.draft)
		if l.options.Bundle != "" {
			found = append([]workflow.FoundBundle{workflow.LookAtBundle(l.options.Bundle, in.draft)}, found...)
		}
		usual := ""
		for _, one := range found {
			l.tell(fmt.Sprintf("%s: Kubernetes %s, %s", clean(one.Path), clean(one.Bill.KubernetesVersion), hosts.Size(one.Size)))
			if usual == "" && one.Err == nil {
				usual = one.Path
			}
		}
		path, err := l.ask(l.say(text.BundlePath), usual)
		if err != nil {
			return err
		}
		if in.bundle = workflow.LookAtBundle(path, in.draft); in.bundle.Err == nil && path != "" {
			return nil
		}
		l.tell(cleanLines(l.options.Explain(in.bundle.Err, false))...)
	}
}

func (l *linear) writeFile(in *installer) error {
	s := newFileScreen(in)
	l.tell(s.lines(1 << 10)...)
	if !in.unsaved() {
		return nil
	}
	yes, err := l.agrees(l.say(text.LinWrite), true)
	if err != nil {
		return err
	}
	if !yes {
		return errLeft
	}
	return in.write()
}

// linesFront is a front end that tells line by line, and has its question answered here.
type linesFront struct {
	workflow.Frontend
	linear *linear
}

func (f linesFront) Ask(_ context.Context, question string) (bool, error) {
	return f.linear.agrees(question, false)
}

// carryOut carries a workflow out, told as its command tells it; its question is asked by that front end.
func (l *linear) carryOut(t task) error {
	run, err := workflow.New(t.workflow, t.request)
	if err != nil {
		return err
	}
	l.tell(l.say(text.SameCommand) + typed(t))
	session, err := l.options.Open(t.file, t.bundle, linesFront{l.options.Lines(), l})
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Run(l.ctx, run)
}

// operate offers every workflow, until the user leaves.
func (l *linear) operate() error {
	for {
		l.tell("", l.say(text.ActionsTitle))
		labels := []string{l.say(text.LinStatus)}
		for _, w := range workflow.All {
			labels = append(labels, w.Name+": "+w.Short)
		}
		n, err := l.choose(labels, 0)
		if err != nil {
			return err
		}
		if n == 0 {
			err = l.options.Status(l.ctx, l.options.File, l.out)
		} else {
			err = l.request(workflow.All[n-1])
		}
		switch {
		case errors.Is(err, errLeft), errors.Is(err, io.EOF), l.ctx.Err() != nil:
			return err
		case err != nil:
			l.tell(cleanLines(l.options.Explain(err, false))...)
		}
	}
}

// request asks for what a workflow is to do, and carries it out. Options are asked for only when the user wants one.
func (l *linear) request(w workflow.Workflow) error {
	s := newRequestScreen(l.shared, l.options.File, w, nil)
	for {
		l.tell(l.say(text.LinOptions))
		for i, f := range s.form.fields {
			l.tell(fmt.Sprintf("%d. %s: %s", i+1, l.phrase(f.label), s.form.shown(f, false)))
		}
		answer, err := l.ask(l.say(text.LinNumber), "")
		if err != nil {
			return err
		}
		if answer == "" {
			break
		}
		n, err := strconv.Atoi(answer)
		if err != nil || n < 1 || n > len(s.form.fields) {
			l.tell(l.say(text.LinBad))
			continue
		}
		if err := l.fillOne(s.form.fields[n-1]); err != nil {
			return err
		}
	}
	t, err := s.task()
	if err != nil {
		return err
	}
	return l.carryOut(t)
}
