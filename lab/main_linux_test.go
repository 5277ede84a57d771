package lab

import (
	"context"
	"fmt"
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
	if moment := os.Getenv(crashVariable); moment != "" {
		crashingUp(moment)
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
