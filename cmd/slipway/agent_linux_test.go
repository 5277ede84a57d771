package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestAnAgentIsNotEnded: it brings an action to its next safe point, however often it is told
// to end, and the operator is told nothing by it that is for who has pressed Ctrl-C.
func TestAnAgentIsNotEnded(t *testing.T) {
	waits := &awaited{say: func(string) {}}
	ended := make(chan int, 3)
	operator, stop := interruptible(waits, func(code int) { ended <- code }) // as main has it
	defer stop()
	ctx, end := untilToldToEnd(t.Context(), waits)
	defer end()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range 2 { // to this thread, which has the signal before the call returns
		if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		<-operator.Done()
	}
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		waits.interrupted(&out, func(code int) { ended <- code })
		waits.interruptedAgain(func(code int) { ended <- code })
		time.Sleep(2 * mustPatience) // of the bubble's clock
		if out.Len() > 0 {
			t.Errorf("it says %q", out.String())
		}
		if len(ended) > 0 {
			t.Errorf("it is ended with %d", <-ended)
		}
	})
}
