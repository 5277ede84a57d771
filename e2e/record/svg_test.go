package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/terminal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// output is what programs write in a test: parts at times.
func output(parts ...any) terminal.Cast {
	cast := terminal.Cast{Columns: 24, Lines: 4}
	for i := 0; i < len(parts); i += 2 {
		event := terminal.CastEvent{At: parts[i].(time.Duration), Kind: terminal.CastOutput, Data: parts[i+1].(string)}
		if mark, is := strings.CutPrefix(event.Data, "mark: "); is {
			event.Kind, event.Data = terminal.CastMark, mark
		}
		cast.Events = append(cast.Events, event)
	}
	return cast
}

// last is what is seen at a recording's end.
func last(cast terminal.Cast) terminal.Picture {
	var seen terminal.Picture
	cast.Play(func(_ terminal.CastEvent, picture terminal.Picture) { seen = picture })
	return seen
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; go test ./e2e/record -update writes it anew. It is now:\n%s", path, got)
	}
	wellFormed(t, got)
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("it is no XML: %v", err)
		}
	}
}

func TestPictures(t *testing.T) {
	golden(t, "picture.svg", pictureSVG(last(output(time.Duration(0),
		"\x1b[1;38;5;117mSlipway\x1b[0m > <a&b>  c d\r\n"+ // bold, a colour, what XML escapes, spaces
			"\x1b[7m[1 Hosts]\x1b[0m \x1b[7;31mx\x1b[0m \x1b[44;30my z\x1b[0m\r\n"+ // reversed, with a colour and without; a background
			"✓ 主机 名 ok\x1b[4m a b\x1b[0m\r\n"+ // wide characters, each at its place; underlined with its spaces
			"\x1b[2mfaint\x1b[0m \x1b[3mslanted\x1b[0m e\u0301!")))) // a character of two code points
}

func TestTheAnimation(t *testing.T) {
	drawn, err := animationSVG(output(
		time.Duration(0), "\x1b[2J", // empty: it does not begin with nothing
		time.Second, "one",
		2*time.Second, "\r\ntwo",
		3*time.Second, "", // nothing new
		4*time.Second, "\x1b[H\x1b[7mone",
		5*time.Second, "mark: end",
		6*time.Second, "never seen",
	))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "animation.svg", drawn)
}
