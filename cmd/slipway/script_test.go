package main_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the stories of testdata/script: each has made-up hosts of its own, behind
// sshds in this process, and a home in its work folder.
//
//	hosts NAME...          boots bare hosts, and writes them into cluster.yaml after head.yaml,
//	                       where there is one: cp-N is a control plane, lb-N a load balancer
//	host NAME WHAT [ARG]   has something happen to a host: see hostEvents
//	exits CODE COMMAND...  runs a command that ends with this code
//	interrupts CODE REGEXP COMMAND...  the same, and interrupts it when it says such a line
//	meanwhile CODE REGEXP HOST WHAT REGEXP COMMAND...  the same, and has something happen to a host when
//	                       it says a line like the first, and interrupts it when it then says one like the second
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:         newStage,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"hosts":      func(ts *testscript.TestScript, _ bool, names []string) { ts.Check(stageOf(ts).boot(names)) },
			"host":       func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(stageOf(ts).happen(args)) },
			"exits":      exits,
			"interrupts": interrupts,
			"meanwhile":  meanwhile,
			"screen":     startScreen,
			"press":      press,
			"types":      types,
			"paste":      paste,
			"sees":       sees,
			"shows":      shows,
			"resize":     resize,
			"storms":     storms,
			"leaves":     leaves,
			"presses":    presses,
			"signals":    signals,
			"writes":     writes,
			"everywhere": everywhere,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	ts.Check(endsWith(args[0], ts.Exec(args[1], args[2:]...)))
}

// endsWith holds how a command has ended against the code that is wanted.
func endsWith(code string, err error) error {
	want, wrong := strconv.Atoi(code)
	if wrong != nil {
		return wrong
	}
	got := 0
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		got = exit.ExitCode()
	} else if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("it exits with %d, want %d", got, want)
	}
	return nil
}

func interrupts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupts CODE REGEXP COMMAND [ARG...]")
	}
	play(ts, args[0], args[2:], cue{args[1], interrupt})
}

func meanwhile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 6 {
		ts.Fatalf("usage: meanwhile CODE REGEXP HOST WHAT REGEXP COMMAND [ARG...]")
	}
	happens := func(*os.Process) error { return stageOf(ts).happen(args[2:4]) }
	play(ts, args[0], args[5:], cue{args[1], happens}, cue{args[4], interrupt})
}

func interrupt(process *os.Process) error { return process.Signal(os.Interrupt) }

// cue is a line that a command says, and what is done then.
type cue struct {
	says string
	then func(*os.Process) error
}

// play runs a command that says such lines, one after another, and ends with this code.
func play(ts *testscript.TestScript, code string, line []string, cues ...cue) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel() // of a command that never says what it should, or does not end
	var errs bytes.Buffer
	command := exec.CommandContext(ctx, line[0], line[1:]...)
	command.Dir, command.Stderr = ts.MkAbs("."), &errs
	for _, name := range []string{"PATH", "HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	out, err := command.StdoutPipe()
	ts.Check(err)
	ts.Check(command.Start())
	said := bufio.NewScanner(out)
	said.Buffer(nil, 1<<20)
	for said.Scan() {
		fmt.Fprintln(ts.Stdout(), said.Text())
		if len(cues) > 0 && regexp.MustCompile(cues[0].says).MatchString(said.Text()) {
			ts.Check(cues[0].then(command.Process))
			cues = cues[1:]
		}
	}
	err = command.Wait()
	_, _ = ts.Stderr().Write(errs.Bytes())
	if len(cues) > 0 {
		ts.Fatalf("it never says %s\n%s", cues[0].says, errs.Bytes())
	}
	ts.Check(endsWith(code, err))
}
