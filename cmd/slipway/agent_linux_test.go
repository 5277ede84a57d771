package main

import (
	"os"
	"os/signal"
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
	before := awaiting
	t.Cleanup(func() { awaiting = before })
	awaiting = &awaited{say: func(string) {}}
	operator, stop := signal.NotifyContext(t.Context(), unix.SIGTERM) // as main has it
	ctx, end := untilToldToEnd(t.Context())
	defer end()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range 2 { // to this thread, which has the signal before the call returns
		if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		<-operator.Done()
		stop() // from here on a signal that nobody takes would end this process
	}
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		awaiting.interrupted(&out, func(code int) { t.Errorf("it is ended with %d", code) })
		time.Sleep(2 * mustPatience) // of the bubble's clock
		if out.Len() > 0 {
			t.Errorf("it says %q", out.String())
		}
	})
}
