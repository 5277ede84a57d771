package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// deed is one line of a script: something that is done at the terminal, or waited for.
type deed struct {
	line   int
	verb   string
	text   string        // what is awaited, typed, pasted, or the picture's name
	keys   []string      // that are pressed, one after another
	length time.Duration // of a pause, a limit, or between two keys
	times  string        // how many times faster the animation plays
}

// verbs make a deed of what stands behind each verb.
var verbs = map[string]func(d *deed, rest string) error{
	"wait":    func(d *deed, rest string) error { d.text = rest; return need(rest, "the text to wait for") },
	"gone":    func(d *deed, rest string) error { d.text = rest; return need(rest, "the text that is to be gone") },
	"type":    func(d *deed, rest string) error { d.text = rest; return need(rest, "the text to type") },
	"picture": func(d *deed, rest string) error { d.text = rest; return asName(rest) },
	"paste":   func(_ *deed, rest string) error { return none(rest, "the lines to paste follow, indented by a tab") },
	"end":     func(_ *deed, rest string) error { return none(rest, "the animation ends here") },
	"press": func(d *deed, rest string) error {
		d.keys = strings.Fields(rest)
		return need(rest, "the keys to press")
	},
	"pause":  func(d *deed, rest string) error { return d.lasts(rest) },
	"within": func(d *deed, rest string) error { return d.lasts(rest) },
	"keys":   func(d *deed, rest string) error { return d.lasts(rest) },
	"faster": func(d *deed, rest string) error {
		d.times = rest
		_, err := timesOf(rest)
		return err
	},
}

func need(rest, what string) error {
	if rest == "" {
		return fmt.Errorf("here should stand %s", what)
	}
	return nil
}

func none(rest, instead string) error {
	if rest != "" {
		return fmt.Errorf("nothing may stand here: %s", instead)
	}
	return nil
}

func asName(name string) error {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("a picture's name has lower-case letters, digits and hyphens, not %q", name)
	}
	return nil
}

func (d *deed) lasts(said string) (err error) {
	d.length, err = time.ParseDuration(said)
	if err == nil && d.length <= 0 {
		err = fmt.Errorf("%s is no time that passes", said)
	}
	return err
}

// parseScript reads a script: a deed on each line. Empty lines, and those that begin with #, are left out. The lines
// below paste that begin with a tab are what is pasted.
func parseScript(in io.Reader) ([]deed, error) {
	var deeds []deed
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		if pasted, is := strings.CutPrefix(lines.Text(), "\t"); is {
			if len(deeds) == 0 || deeds[len(deeds)-1].verb != "paste" {
				return nil, fmt.Errorf("line %d: it is indented, and no paste stands above it", n)
			}
			deeds[len(deeds)-1].text += pasted + "\n"
			continue
		}
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		of, known := verbs[verb]
		if !known {
			return nil, fmt.Errorf("line %d: there is no %s: want one of %s", n, verb, strings.Join(verbNames(), ", "))
		}
		d := deed{line: n, verb: verb}
		if err := of(&d, strings.TrimSpace(rest)); err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", n, verb, err)
		}
		deeds = append(deeds, d)
	}
	for _, d := range deeds {
		if d.verb == "paste" && d.text == "" {
			return nil, fmt.Errorf("line %d: paste: the lines to paste are missing: they follow, indented by a tab", d.line)
		}
	}
	return deeds, lines.Err()
}

func verbNames() []string {
	var names []string
	for name := range verbs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
