package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/terminal"
)

// actor does at a terminal what a script says.
type actor struct {
	at       *terminal.Terminal
	pictures string        // the folder that they are written to
	within   time.Duration // how long is waited for what is awaited
	between  time.Duration // two keys
}

func newActor(at *terminal.Terminal, pictures string) *actor {
	return &actor{at: at, pictures: pictures, within: time.Minute, between: 150 * time.Millisecond}
}

// act does all of a script. An error shows the screen as it was then.
func (a *actor) act(deeds []deed) error {
	for _, d := range deeds {
		if err := a.do(d); err != nil {
			return fmt.Errorf("line %d: %s: %w; the screen:\n%s", d.line, d.verb, err, a.at.Screen())
		}
	}
	return nil
}

func (a *actor) do(d deed) error {
	switch d.verb {
	case "wait":
		_, err := a.at.Await(a.within, func(screen string) bool { return strings.Contains(screen, d.text) })
		return err
	case "gone":
		_, err := a.at.Await(a.within, func(screen string) bool { return !strings.Contains(screen, d.text) })
		return err
	case "press":
		return a.press(d.keys)
	case "type":
		return a.press(strings.Split(d.text, ""))
	case "paste":
		return a.at.Paste(d.text)
	case "pause":
		time.Sleep(d.length)
	case "within":
		a.within = d.length
	case "keys":
		a.between = d.length
	case "faster":
		a.at.Mark(fasterMark + d.times)
	case "end":
		a.at.Mark(endMark)
	case "picture":
		return a.picture(d.text)
	}
	return nil
}

func (a *actor) press(keys []string) error {
	for _, key := range keys {
		if err := a.at.Press(key); err != nil {
			return err
		}
		time.Sleep(a.between)
	}
	return nil
}

func (a *actor) picture(name string) error {
	return os.WriteFile(filepath.Join(a.pictures, name+".svg"), []byte(pictureSVG(a.at.Picture())), 0o644)
}
