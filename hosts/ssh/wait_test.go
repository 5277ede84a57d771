package ssh

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// TestASlowHostIsToldFromASilentOne: each step has its time, who waits hears what for, and the operator's own time
// does not count.
func TestASlowHostIsToldFromASilentOne(t *testing.T) {
	for name, test := range map[string]struct {
		work  func(w *wait)
		told  []string
		fails string
	}{
		"it is fast": {func(w *wait) { time.Sleep(time.Second) }, nil, ""},
		"a directory service takes 20 s, twice": {func(w *wait) {
			time.Sleep(20 * time.Second)
			w.next("sudo")
			time.Sleep(30 * time.Second)
		}, []string{"waiting for the login shell", "waiting for sudo"}, ""},
		"somebody looks for a password": {func(w *wait) {
			w.pause()
			time.Sleep(10 * time.Minute)
			w.resume()
			time.Sleep(10 * time.Second)
		}, []string{"waiting for the login shell"}, ""},
		"nothing comes": {func(w *wait) { time.Sleep(time.Hour) }, []string{"waiting for the login shell"}, "no word from the login shell in 45s"},
		"nothing comes of sudo": {func(w *wait) {
			w.next("sudo")
			time.Sleep(time.Hour)
			w.next("root's shell") // too late
			time.Sleep(time.Hour)
		}, []string{"waiting for sudo"}, "no word from root's shell in 45s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mutex sync.Mutex // each timer has a goroutine of its own
				var told []string
				var cuts atomic.Int32
				o := Options{Host: "192.0.2.1", Port: 22, User: "ops", Tell: func(stage string) {
					mutex.Lock()
					defer mutex.Unlock()
					told = append(told, stage)
				}}
				w := awaitWord(t.Context(), o, "the login shell", func() { cuts.Add(1) })
				test.work(w)
				err := w.end()
				time.Sleep(time.Hour) // nothing goes on
				var known *hosts.Error
				switch {
				case test.fails == "" && (err != nil || cuts.Load() != 0):
					t.Errorf("it ends with %v, and is cut %d times", err, cuts.Load())
				case test.fails != "" && (!errors.As(err, &known) || !strings.Contains(err.Error(), test.fails) || cuts.Load() != 1):
					t.Errorf("it ends with %v, and is cut %d times", err, cuts.Load())
				case test.fails != "" && (known.Kind != hosts.KindUnreachable || !strings.Contains(known.Fix, "ForceCommand")):
					t.Errorf("%s; fix: %s", known.Kind, known.Fix)
				}
				mutex.Lock()
				defer mutex.Unlock()
				if !slices.Equal(told, test.told) {
					t.Errorf("who waits hears %q", told)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cuts := 0
		w := awaitWord(ctx, Options{}, "the login shell", func() { cuts++ })
		cancel()
		synctest.Wait()
		if err := w.end(); !errors.Is(err, context.Canceled) || cuts != 1 {
			t.Errorf("cancelled, it ends with %v, and is cut %d times", err, cuts)
		}
	})
}
