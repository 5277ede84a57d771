package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/slipway-k8s/slipway/workflow"
)

// watchStatus shows the status of a session again and again, until the context ends or nobody reads it.
func watchStatus(ctx context.Context, s *workflow.Session, out io.Writer, format string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	show := showTables(out)
	if format == formatJSON {
		show = showObjects(out)
	}
	var failed error
	err := s.Watch(ctx, func(p workflow.Picture) {
		if failed == nil {
			if failed = show(p); failed != nil {
				cancel()
			}
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// showObjects shows a picture as an object on a line of its own. What is in a picture but not in the object changes nothing.
func showObjects(out io.Writer) func(workflow.Picture) error {
	var last []byte
	return func(p workflow.Picture) error {
		line, err := json.Marshal(p)
		if err != nil || bytes.Equal(line, last) {
			return err
		}
		last = line
		_, err = out.Write(append(line, '\n'))
		return err
	}
}

// showTables shows a status in the place of the last one, where out is a terminal. Else there is one
// below the other, and none that waits for hosts.
func showTables(out io.Writer) func(workflow.Picture) error {
	screen, last := terminal(out), ""
	area := liveArea{out: screen}
	return func(p workflow.Picture) error {
		var b bytes.Buffer
		if err := writeStatus(newShown(&b), p.Status); err != nil {
			return err
		}
		table := b.String()
		waits := slices.ContainsFunc(p.Hosts, workflow.HostStatus.Waiting)
		switch {
		case table == last, screen == nil && waits:
			return nil
		case screen != nil:
			area.draw("", firstLines(table, heightOf(screen)))
		default:
			if last != "" {
				table = "\n" + table
			}
			if _, err := io.WriteString(out, table); err != nil {
				return err
			}
		}
		last = b.String()
		return nil
	}
}

// firstLines are the lines of a text that a terminal of this height has room for: what has left it cannot
// be drawn anew.
func firstLines(text string, height int) []string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if height > 2 && len(lines) >= height {
		lines = append(lines[:height-2], "…")
	}
	return lines
}

// heightOf is a terminal's, in lines; 0 where it is not known.
func heightOf(screen *os.File) int {
	_, height, err := term.GetSize(int(screen.Fd()))
	if err != nil {
		return 0
	}
	return height
}
