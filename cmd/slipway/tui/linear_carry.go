package tui

import (
	"context"
	"errors"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

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

// explain tells an error, and what to do.
func (l *linear) explain(err error) { l.tell(cleanLines(l.options.Explain(err, false))...) }

// cutRun is the error of a run that was interrupted.
type cutRun struct{ err error }

func (e *cutRun) Error() string { return e.err.Error() }

func (e *cutRun) Unwrap() error { return e.err }
