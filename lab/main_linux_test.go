package lab

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Variables that turn the test binary into a command that boots a lab and dies at a moment.
const (
	crashVariable = "SLIPWAY_LAB_TEST_CRASH_AT"
	labVariable   = "SLIPWAY_LAB_TEST_LAB"
)

func TestMain(m *testing.M) {
	Main()
	dialing(os.Args[1:])
	if moment := os.Getenv(crashVariable); moment != "" {
		crashingUp(moment)
	}
	if reason := noHosts(); reason != "" {
		fmt.Println("lab: NOT RUN: the tests that boot hosts:", reason)
	}
	os.Exit(m.Run())
}

// dialing makes of the test binary the proxyCommand that a cluster file names, where it is called so.
func dialing(args []string) {
	if len(args) < 2 || args[0] != "lab" || args[1] != "dial" {
		return
	}
	flags := flag.NewFlagSet("lab dial", flag.ExitOnError)
	dir, name := flags.String("dir", "", ""), flags.String("name", "", "")
	_ = flags.Parse(args[2:]) // it exits by itself
	l, err := Open(*dir, *name)
	if err == nil {
		err = l.Dial(context.Background(), net.JoinHostPort(flags.Arg(0), flags.Arg(1)), os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
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
