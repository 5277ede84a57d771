package main

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestScriptsAreParsed(t *testing.T) {
	deeds, err := parseScript(strings.NewReader(`# a comment
within 2m
wait The cluster prod runs

paste
	cp-1 192.0.2.11
	  worker-1
press down enter
type a b
pause 1500ms
faster 2.5
picture tui-end
end
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []deed{
		{line: 2, verb: "within", length: 2 * time.Minute},
		{line: 3, verb: "wait", text: "The cluster prod runs"},
		{line: 5, verb: "paste", text: "cp-1 192.0.2.11\n  worker-1\n"},
		{line: 8, verb: "press", keys: []string{"down", "enter"}},
		{line: 9, verb: "type", text: "a b"},
		{line: 10, verb: "pause", length: 1500 * time.Millisecond},
		{line: 11, verb: "faster", times: "2.5"},
		{line: 12, verb: "picture", text: "tui-end"},
		{line: 13, verb: "end"},
	}
	if !reflect.DeepEqual(deeds, want) {
		t.Errorf("parsed:\n%+v\nwant:\n%+v", deeds, want)
	}
}

func TestWrongScriptsAreRefusedWithTheirLine(t *testing.T) {
	for script, want := range map[string]string{
		"wait a\nclick b":   "line 2: there is no click",
		"wait":              "line 1: wait: here should stand the text to wait for",
		"press":             "line 1: press: here should stand the keys to press",
		"pause soon":        "line 1: pause: time: invalid duration",
		"pause -1s":         "line 1: pause: -1s is no time that passes",
		"faster 0":          "line 1: faster: want how many times faster",
		"picture ../a":      "line 1: picture: a picture's name has",
		"wait a\n\tcp-1":    "line 2: it is indented, and no paste stands above it",
		"paste cp-1":        "line 1: paste: nothing may stand here",
		"paste\npress down": "line 1: paste: the lines to paste are missing",
	} {
		if _, err := parseScript(strings.NewReader(script)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want: %s", script, err, want)
		}
	}
}
