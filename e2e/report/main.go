// Command report reads what `go test -json` writes, of several runs one after another, and
// tells it to people: of a package its last line, of a test that failed all that it said,
// and at the end the slowest tests.
//
//	go test -json ./... | report [-live PACKAGE] [-slowest N]
//
// What the package named by -live says is shown as it comes, since its tests take minutes.
// Its exit code tells whether it could read, and not whether tests passed: that is told by
// what wrote it (pipefail).
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	live := flag.String("live", "", "show all that this package says, as it comes")
	slowest := flag.Int("slowest", 10, "how many of the slowest tests are told at the end")
	flag.Parse()
	r := report{out: os.Stdout, live: *live, said: map[test]*strings.Builder{}, parents: map[test]bool{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report: read the tests' events:", err)
		os.Exit(1)
	}
	r.tell(*slowest)
}

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64 // seconds
	Output  string
}

// test names a test, or with no name a package.
type test struct{ pkg, name string }

// duration is how long a test took.
type duration struct {
	test
	took time.Duration
}

type report struct {
	out     io.Writer
	live    string
	said    map[test]*strings.Builder // by tests that have not ended
	parents map[test]bool             // tests that have subtests, whose time theirs is
	ended   []duration
}

// read reads events to the end. What is no event, as a compiler's words may be, is shown.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
				r.take(e)
			} else {
				r.say(line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	name := test{e.Package, e.Test}
	switch e.Action {
	case "run":
		for i := range e.Test {
			if e.Test[i] == '/' {
				r.parents[test{e.Package, e.Test[:i]}] = true
			}
		}
	case "output":
		r.heard(name, e.Output)
	case "build-output":
		r.say(e.Output)
	case "pass", "skip", "fail":
		if said := r.said[name]; said != nil && e.Action == "fail" {
			r.say(said.String())
		}
		delete(r.said, name)
		if e.Test != "" {
			r.ended = append(r.ended, duration{name, time.Duration(e.Elapsed * float64(time.Second))})
		}
	}
}

// heard keeps what a test says until it is known how it ends. Of a package it is the line
// that sums it up, or why it could not begin.
func (r *report) heard(name test, output string) {
	if r.live != "" && name.pkg == r.live || name.name == "" && output != "PASS\n" {
		r.say(output)
		return
	}
	if r.said[name] == nil {
		r.said[name] = &strings.Builder{}
	}
	r.said[name].WriteString(output)
}

func (r *report) say(text string) { _, _ = io.WriteString(r.out, text) }

// tell names the tests that took longest. A test with subtests is not among them: they are.
// What was found in Go's cache has the time that it took when it ran.
func (r *report) tell(n int) {
	var tests []duration
	for _, t := range r.ended {
		if !r.parents[t.test] {
			tests = append(tests, t)
		}
	}
	slices.SortStableFunc(tests, func(a, b duration) int { return int(b.took - a.took) })
	tests = tests[:min(n, len(tests))]
	if len(tests) == 0 {
		return
	}
	r.say(fmt.Sprintf("\nThe %d slowest tests:\n", len(tests)))
	for _, t := range tests {
		r.say(fmt.Sprintf("%8.1f s  %s %s\n", t.took.Seconds(), t.pkg, t.name))
	}
}
