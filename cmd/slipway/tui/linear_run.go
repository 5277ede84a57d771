package tui

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

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
