package tui

import (
	"errors"
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

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
