package lab

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Variables that turn the test binary into a command of its own: one that boots a lab
// and dies at a moment, and one that is a proxyCommand.
const (
	crashVariable = "SLIPWAY_LAB_TEST_CRASH_AT"
	labVariable   = "SLIPWAY_LAB_TEST_LAB"
)

func TestMain(m *testing.M) {
	Main()
	if moment := os.Getenv(crashVariable); moment != "" {
		crashingUp(moment)
	}
	if len(os.Args) > 2 && os.Args[1] == "lab" && os.Args[2] == "dial" {
		dialAsCommand(os.Args[3:])
	}
	if reason := noHosts(); reason != "" {
		fmt.Println("lab: NOT RUN: the tests that boot hosts:", reason)
	}
	os.Exit(m.Run())
}

// noHosts says why this machine cannot boot hosts; empty when it can.
func noHosts() string {
	if err := checkMachine(); err != nil {
		return err.Error()
	}
	return ""
}

// crashingUp is lab up, killed at the given moment as by kill -9.
func crashingUp(moment string) {
	testOnlyAt = func(now string) {
		if now == moment {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal is there
		}
	}
	dir, name, _ := strings.Cut(os.Getenv(labVariable), ":")
	if _, err := Up(context.Background(), Options{Dir: dir, Name: name, Counts: Counts{ControlPlanes: 1, Workers: 1}}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, "this moment never came")
	os.Exit(2)
}

// dialAsCommand is slipway lab dial with the flags that ProxyCommand writes.
func dialAsCommand(args []string) {
	var dir, name string
	for ; len(args) > 2; args = args[2:] {
		switch args[0] {
		case "--dir":
			dir = args[1]
		case "--name":
			name = args[1]
		}
	}
	l, err := Open(dir, name)
	if err == nil {
		err = l.Dial(context.Background(), args[0]+":"+args[1], os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
