package main

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestASecondSignalDoesNotEndTheAgent in the middle of an action, which the first one has
// brought on its way to its next safe point.
func TestASecondSignalDoesNotEndTheAgent(t *testing.T) {
	ctx, stop := untilToldToEnd()
	defer stop()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range 3 { // to this thread, which has the signal before the call returns
		if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
	}
}
