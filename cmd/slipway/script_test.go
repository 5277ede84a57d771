package main_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

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
	line, err := regexp.Compile(args[1])
	ts.Check(err)
	var errs bytes.Buffer
	command := exec.Command(args[2], args[3:]...)
	command.Dir, command.Stderr = ts.MkAbs("."), &errs
	for _, name := range []string{"PATH", "HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	out, err := command.StdoutPipe()
	ts.Check(err)
	ts.Check(command.Start())
	said := bufio.NewScanner(out)
	sent := false
	for said.Scan() {
		fmt.Fprintln(ts.Stdout(), said.Text())
		if !sent && line.MatchString(said.Text()) {
			sent = true
			ts.Check(command.Process.Signal(os.Interrupt))
		}
	}
	err = command.Wait()
	_, _ = ts.Stderr().Write(errs.Bytes())
	if !sent {
		ts.Fatalf("it never says %s\n%s", line, errs.Bytes())
	}
	ts.Check(endsWith(args[0], err))
}
