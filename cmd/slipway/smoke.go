package main

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/workflow"
)

func (p *program) newSmokeCommand() *cobra.Command {
	var flags clusterFlags
	var request workflow.Request
	command := p.base(workflow.Smoke, &flags, &request)
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		run, err := newRun(workflow.Smoke, request, nil)
		if err != nil {
			return err
		}
		s, err := p.open(flags, p.silent())
		if err != nil {
			return err
		}
		defer s.Close()
		lines := &smokeLines{out: command.OutOrStdout()}
		tell := lines.tell
		if *format != formatText {
			tell = func(api.SmokeResult) {}
		}
		report, err := s.Smoke(command.Context(), run, tell)
		if len(report.Promises) > 0 {
			shown := show(command.OutOrStdout(), *format, report, func(w io.Writer) error { return writeSmokeEnd(w, report, err) })
			err = errors.Join(err, shown)
		}
		return err
	}
	return command
}

// smokeLines writes a line for each promise when it is known what became of it.
type smokeLines struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *smokeLines) tell(one api.SmokeResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.out, smokeText(one))
}

func writeSmokeEnd(w io.Writer, report workflow.SmokeReport, err error) error {
	fmt.Fprintf(w, "\n%s", report)
	if _, undone := errors.AsType[*workflow.UndoneError](err); !undone {
		fmt.Fprint(w, "; all that was made is deleted")
	}
	for _, why := range report.LeftOut {
		fmt.Fprintf(w, "\nnot asked: %s", hosts.CleanLine(why))
	}
	_, err = fmt.Fprintln(w)
	return err
}
