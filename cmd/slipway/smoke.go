package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
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

// smokeMarks begin the lines.
var smokeMarks = map[api.SmokeOutcome]string{api.SmokeKept: "✓", api.SmokeBroken: "✗", api.SmokeNotAsked: "-"}

func (l *smokeLines) tell(one api.SmokeResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "%s %-28s %s\n", smokeMarks[one.Outcome], one.Promise, hosts.CleanLine(smokeWords(one)))
	if one.Outcome != api.SmokeBroken {
		return
	}
	for _, line := range one.Evidence {
		fmt.Fprintf(l.out, "      %s\n", hosts.CleanLine(line))
	}
	if one.Fix != "" {
		fmt.Fprintf(l.out, "      → %s\n", hosts.Clean(one.Fix))
	}
}

// smokeWords are what is said of a promise in its line.
func smokeWords(one api.SmokeResult) string {
	switch one.Outcome {
	case api.SmokeKept:
		return fmt.Sprintf("%s (%.1f s)", one.Detail, one.Seconds)
	case api.SmokeNotAsked:
		return "not asked: " + one.Detail
	}
	where := strings.Join(slices.DeleteFunc([]string{one.Object, one.Node}, func(text string) bool { return text == "" }), " on ")
	return strings.TrimPrefix(where+": "+one.Cause, ": ")
}

func writeSmokeEnd(w io.Writer, report workflow.SmokeReport, err error) error {
	count := map[api.SmokeOutcome]int{}
	for _, one := range report.Promises {
		count[one.Outcome]++
	}
	fmt.Fprintf(w, "\n%d of %d promises kept, %d broken, %d not asked, in %.1f s", count[api.SmokeKept], len(report.Promises), count[api.SmokeBroken], count[api.SmokeNotAsked], report.Seconds)
	if _, undone := errors.AsType[*workflow.UndoneError](err); !undone {
		fmt.Fprint(w, "; all that was made is deleted")
	}
	for _, why := range report.LeftOut {
		fmt.Fprintf(w, "\nnot asked: %s", hosts.CleanLine(why))
	}
	_, err = fmt.Fprintln(w)
	return err
}
