package tui

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

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
