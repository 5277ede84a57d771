package tui

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
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
