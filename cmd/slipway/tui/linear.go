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

// How it ends: the user has left, there is nothing more to read, or Ctrl-C.
var (
	errLeft       = errors.New("left")
	errInputEnded = errors.New("the input has ended")
)

// FailedRun is the error of the last run of a workflow, which was told already.
type FailedRun struct{ Err error }

func (e *FailedRun) Error() string { return e.Err.Error() }
func (e *FailedRun) Unwrap() error { return e.Err }

// linear is the same as the screens, line by line: for screen readers, and for terminals that cannot be drawn on. What it
// shows of a workflow is what the command shows.
type linear struct {
	*shared
	in     *bufio.Reader
	out    io.Writer
	failed error // of the last run; nil: it went well
}

// RunLinear asks and tells line by line, until the user leaves or there is nothing more to read. It gives
// ErrInterrupted after Ctrl-C, which was told then, and a *FailedRun where the last run has failed.
func RunLinear(ctx context.Context, options Options, in io.Reader, out io.Writer) error {
	options.Terminal = Terminal{Profile: termenv.Ascii, ASCII: true}
	s := &shared{options: options, theme: newTheme(options.Terminal), lang: options.Language, ctx: ctx, send: func(tea.Msg) {}, work: &sync.WaitGroup{}}
	l := &linear{shared: s, in: bufio.NewReader(in), out: out}
	l.tell(s.say(text.LinWelcome))
	return l.end(l.run())
}

// end says how it has ended, where the user may not know.
func (l *linear) end(err error) error {
	cut, isRun := errors.AsType[*cutRun](err)
	switch {
	case isRun:
		return cut.err // which tells what was left
	case l.ctx.Err() != nil:
		l.tell("", l.say(text.LinInterrupted))
		return ErrInterrupted
	case errors.Is(err, errInputEnded):
		l.tell("", l.say(text.LinInputEnded))
	case !errors.Is(err, errLeft):
		return err
	}
	if l.failed != nil {
		return &FailedRun{l.failed}
	}
	return nil
}

// cutRun is the error of a run that was interrupted.
type cutRun struct{ err error }

func (e *cutRun) Error() string { return e.err.Error() }
func (e *cutRun) Unwrap() error { return e.err }

// chooseFile has one of several cluster files chosen where none is named, and says which one it is about.
func (l *linear) chooseFile() error {
	if l.options.File == "" {
		files := clusterFiles(".")
		if len(files) > 1 {
			l.tell(l.say(text.FilesAbout), l.say(text.FilesTitle))
			fresh := freshFile(fileIsThere)
			var labels []string
			for _, file := range files {
				labels = append(labels, clean(file))
			}
			n, err := l.choose(append(labels, l.say(text.FilesNew, fresh)), -1)
			if err != nil {
				return err
			}
			files = append(files, fresh)[n:]
		}
		l.options.File = append(files, usualFile)[0]
	}
	l.tell(l.say(text.LinFile, clean(l.options.File)))
	return nil
}

func (l *linear) run() error {
	if err := l.chooseFile(); err != nil {
		return err
	}
	installer, err := newInstaller(l.shared)
	if err != nil {
		return err
	}
	if len(installer.problems) > 0 {
		err = l.install(installer)
	}
	installer.probe.Close() // what follows connects by itself
	if err != nil {
		return err
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
		case l.ctx.Err() != nil:
			return "", l.ctx.Err()
		case errors.Is(r.err, io.EOF) && line == "":
			return "", errInputEnded
		case r.err != nil && line == "":
			return "", fmt.Errorf("read an answer: %w", r.err)
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
	done, err := l.carryOut(newFileScreen(in).installs())
	if err != nil || !done {
		return err
	}
	yes, err = l.agrees(l.say(text.LinKubeconfig), true)
	if err != nil || !yes {
		return err
	}
	written := (&doneScreen{shared: l.shared, file: l.options.File}).kubeconfig()
	if msg, is := written.(kubeconfigMsg); is {
		l.tell(msg.notes...)
		if msg.err != nil {
			l.explain(msg.err)
		}
	}
	return nil
}

// explain tells an error, and what to do.
func (l *linear) explain(err error) { l.tell(cleanLines(l.options.Explain(err, false))...) }

func (l *linear) hosts(in *installer) error {
	for len(in.draft.Hosts) == 0 {
		if err := l.listHosts(in); err != nil {
			return err
		}
	}
	if err := l.tryHosts(in); err != nil {
		return err
	}
	for _, h := range in.draft.Hosts {
		f := &field{label: words(text.LinRoles, h.Name), value: shortRoles(h.Roles), check: func(said string) error {
			_, err := l.rolesOf(said)
			return err
		}}
		if err := l.fillOne(f); err != nil {
			return err
		}
		h.Roles, _ = l.rolesOf(f.value) // it was judged
		if err := in.edit(func(e *cluster.Editor) error { return e.SetHost(h.Name, h) }); err != nil {
			return err
		}
	}
	return nil
}

// listHosts has hosts listed, a line each.
func (l *linear) listHosts(in *installer) error {
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
	if n := proxiesLeftOut(found); n > 0 {
		l.tell(l.say(text.HostsNoProxy, n))
	}
	if len(found) == 0 {
		l.tell(l.say(text.LinNoHosts))
		return nil
	}
	_, _, err := in.add(found)
	return err
}

func (l *linear) rolesOf(said string) ([]cluster.Role, error) {
	var all []cluster.Role
	for _, word := range commas(said) {
		roles := rolesOfWord(word)
		if len(roles) == 0 {
			return nil, errors.New(l.say(text.LinNoRole, clean(word)))
		}
		all = append(all, roles...)
	}
	if len(all) == 0 {
		return nil, errors.New(l.say(text.LinSomeRole))
	}
	return all, nil
}

// tryHosts looks at all hosts, has their keys compared, and tells what they are, until all answer or the user goes on.
// Once a key was declined, going on is what is usual: trying again asks the same once more.
func (l *linear) tryHosts(in *installer) error {
	declined := false
	for {
		l.tell(l.say(text.LinTrying, len(in.draft.Hosts)))
		open := l.tryOnce(in)
		for _, at := range open {
			no, err := l.declines(at)
			if err != nil {
				return err
			}
			declined = declined || no
		}
		if len(open) == 0 {
			return nil
		}
		again, err := l.agrees(l.say(text.LinTryAgain), !declined)
		if err != nil || !again {
			return err
		}
	}
}

// tryOnce looks at the hosts that are not well yet, tells what all are, and gives those that still are not.
func (l *linear) tryOnce(in *installer) (open []*look) {
	results := make(chan probedMsg, len(in.draft.Hosts))
	waits := 0
	for _, h := range in.draft.Hosts {
		at := in.of(h.Name)
		if at.state == lookWell {
			continue
		}
		at.tried = h
		waits++
		go func() { results <- probedMsg{at, at.tries, in.probe.Try(l.ctx, h, nil)} }()
	}
	for range waits {
		msg := <-results
		in.took(msg)
	}
	for _, h := range in.draft.Hosts {
		at := in.of(h.Name)
		_, says := in.shown(at)
		l.tell(clean(h.Name) + ": " + says)
		if at.state != lookWell {
			open = append(open, at)
		}
	}
	return open
}

// declines tells what is wrong with a host, and has its key accepted or declined, where it is the key.
func (l *linear) declines(at *look) (declined bool, err error) {
	name := clean(at.tried.Name)
	if at.key == nil {
		if at.err != nil {
			l.explain(at.err)
		}
		return false, nil
	}
	l.tell(name+": "+l.say(text.HostUnknown, clean(at.key.Type+" "+at.key.Fingerprint)), l.say(text.LinCompare, name, clean(at.key.Compare)))
	if at.key.Other != "" {
		l.tell(l.say(text.TrustOther, name, clean(at.key.Other)))
	}
	yes, err := l.agrees(l.say(text.LinTrust, clean(at.key.File)), false)
	if err != nil {
		return false, err
	}
	if !yes {
		l.tell(l.say(text.LinDeclined, name))
		return true, nil
	}
	return false, at.key.Accept()
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
			found = append([]workflow.FoundBundle{workflow.LookAtBundle(l.options.Bundle, l.options.File, in.draft)}, found...)
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
		if in.bundle = workflow.LookAtBundle(path, l.options.File, in.draft); in.bundle.Err == nil && path != "" {
			return nil
		}
		l.explain(in.bundle.Err)
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

// carryOut carries a workflow out, told as its command tells it, and again as long as it fails and the user wants it; it
// tells whether it went well at last. An error is one that nothing can follow.
func (l *linear) carryOut(t task) (done bool, err error) {
	for {
		l.failed = l.carryOutOnce(t)
		switch err := l.failed; {
		case err == nil:
			return true, nil
		case l.ctx.Err() != nil:
			return false, &cutRun{err}
		case errors.Is(err, errLeft), errors.Is(err, errInputEnded):
			l.failed = nil
			return false, err
		case errors.Is(err, workflow.ErrDeclined):
			l.failed = nil
			l.tell(l.say(text.EndDeclined))
			return false, nil
		}
		l.explain(l.failed)
		again, err := l.agrees(l.say(text.LinRunAgain, t.workflow.Name), true)
		if err != nil || !again {
			return false, err
		}
	}
}

// carryOutOnce carries a workflow out; its question is asked by that front end.
func (l *linear) carryOutOnce(t task) error {
	run, err := workflow.New(t.workflow, t.request)
	if err != nil {
		return err
	}
	l.tell(l.say(text.SameCommand) + typed(t))
	if t.before != nil {
		t.before()
	}
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
			labels = append(labels, w.Name+": "+l.lang.Short(w.Name, w.Short))
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
		_, cut := errors.AsType[*cutRun](err)
		switch {
		case cut, errors.Is(err, errLeft), errors.Is(err, errInputEnded):
			return err
		case l.ctx.Err() != nil:
			return l.ctx.Err()
		case err != nil:
			l.explain(err)
		}
	}
}

// request asks for what a workflow is to do, until it can be done, and carries it out. Options are asked for only when the
// user wants one.
func (l *linear) request(w workflow.Workflow) error {
	s := newRequestScreen(l.shared, l.options.File, w, nil)
	if w.Bundle {
		s.took(s.findBundles())
	}
	for {
		if err := l.change(s.form.fields); err != nil {
			return err
		}
		t, err := s.task()
		if err == nil {
			_, err = l.carryOut(t)
			return err
		}
		l.explain(err)
		again, err := l.agrees(l.say(text.LinFormAgain), true)
		if err != nil || !again {
			return err
		}
	}
}

// change has fields changed by their numbers, until the user goes on.
func (l *linear) change(fields []*field) error {
	for len(fields) > 0 {
		l.tell(l.say(text.LinOptions))
		for i, f := range fields {
			l.tell(fmt.Sprintf("%d. %s: %s", i+1, l.phrase(f.label), l.valueOf(f)))
		}
		answer, err := l.ask(l.say(text.LinNumber), "")
		if err != nil || answer == "" {
			return err
		}
		n, err := strconv.Atoi(answer)
		if err != nil || n < 1 || n > len(fields) {
			l.tell(l.say(text.LinBad))
			continue
		}
		if err := l.fillOne(fields[n-1]); err != nil {
			return err
		}
	}
	return nil
}

// valueOf is what a field is set to, in words: a reader of screens reads no boxes.
func (l *linear) valueOf(f *field) string {
	switch {
	case f.isFlag && f.on():
		return l.say(text.Yes)
	case f.isFlag:
		return l.say(text.No)
	case f.value == "":
		return l.say(text.LinNotSet)
	}
	return clean(f.value)
}
