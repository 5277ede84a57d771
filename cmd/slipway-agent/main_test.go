package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		args      string
		fails     error
		code      int
		served    bool
		out, errs string // what is in them; empty: nothing is
	}{
		{args: "", served: true},
		{args: "--inbox /in", served: true},
		{args: "--inbox /in --parts /own", served: true},
		{args: "--inbox /in", fails: errors.New("no host"), code: 1, served: true, errs: "slipway-agent: no host"},
		{args: "--version", out: "slipway-agent " + version + "\n"},
		{args: "--help", errs: "-inbox"},
		{args: "--inbox /in stray", code: 2, errs: `slipway-agent: it takes no arguments, and was given "stray"`},
		{args: "version", code: 2, errs: `was given "version"`},
		{args: "--frob", code: 2, errs: "-frob"},
	} {
		var out, errs bytes.Buffer
		inbox, parts, served := "", "", false
		code := run(strings.Fields(test.args), &out, &errs, func(in, own string) error {
			inbox, parts, served = in, own, true
			return test.fails
		})
		told := func(got, want string) bool { return (got == "") == (want == "") && strings.Contains(got, want) }
		if code != test.code || served != test.served || !told(out.String(), test.out) || !told(errs.String(), test.errs) {
			t.Errorf("%q: code %d, served %t, stdout %q, stderr %q", test.args, code, served, &out, &errs)
		}
		if served && (inbox == "/in") != strings.Contains(test.args, "/in") {
			t.Errorf("%q: the inbox is %q", test.args, inbox)
		}
		if served && (parts == "/own") != strings.Contains(test.args, "/own") {
			t.Errorf("%q: the agent's own folder is %q", test.args, parts)
		}
	}
}
