//go:build linux

package local

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// stuckAfter is how long an observer may look at one thing: a path, a daemon's answer. A host that
	// is emulated, or shares its processors with many, took 16 s to list systemd's units.
	stuckAfter = 30 * time.Second
	// lookLimit is how long it may take for all of them, or, where it reads large files, from
	// one readLeast to the next. Hashing what a bundle unpacks takes a slow machine some 20 s.
	lookLimit = 90 * time.Second
	// readLeast is how much it has to read within lookLimit to go on after that. An observer
	// of very many small things ends by itself.
	readLeast = 8 << 20
)

// activity is what an observer looks at, and since when.
type activity struct {
	report func(read int64) // is told every reportEvery bytes how much was read; nil: nobody waits for it

	mu       sync.Mutex
	at       string
	since    time.Time
	read     int64 // bytes
	counted  int64 // of them, when lookLimit began anew
	reported int64 // of them
}

type activityKey struct{}

// withActivity is a context whose holder notes in a what it looks at.
func withActivity(ctx context.Context, a *activity) context.Context {
	return context.WithValue(ctx, activityKey{}, a)
}

// lookingAt notes what is looked at next, for a context of withActivity.
func lookingAt(ctx context.Context, what string) {
	a, known := ctx.Value(activityKey{}).(*activity)
	if !known {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since, a.at = time.Now(), what
}

// reportEvery is how many bytes are read from one report to the next.
const reportEvery = 1 << 20

// haveRead notes that n more bytes of the same thing were read: this is progress.
func haveRead(ctx context.Context, n int) {
	a, known := ctx.Value(activityKey{}).(*activity)
	if !known || n == 0 {
		return
	}
	a.mu.Lock()
	a.since = time.Now()
	a.read += int64(n)
	read, due := a.read, a.report != nil && a.read-a.reported >= reportEvery
	if due {
		a.reported = read
	}
	a.mu.Unlock()
	if due {
		a.report(read)
	}
}

// readEnough tells whether at least readLeast was read since it was last asked.
func (a *activity) readEnough() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	enough := a.read-a.counted >= readLeast
	a.counted = a.read
	return enough
}

// idle tells for how long there was no progress, and at what.
func (a *activity) idle() (time.Duration, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.since), a.at
}

// within waits for look while it makes progress, and else gives it up: a call into a file
// system that does not answer cannot be ended. It goes on by itself then, so what it works on
// must be its own.
func within[T any](ctx context.Context, timeout time.Duration, what string, look func(context.Context) (T, error)) (T, *hosts.Unanswered, error) {
	type answer struct {
		seen T
		err  error
	}
	a := &activity{since: time.Now(), report: reportRead(hosts.Told(ctx))}
	bounded, cancel := context.WithCancel(withActivity(ctx, a))
	defer cancel()
	limit := time.NewTimer(lookLimit)
	defer limit.Stop()
	answers := make(chan answer, 1)
	go func() {
		var got answer
		got.err = caught(func() (err error) {
			got.seen, err = look(bounded)
			return err
		})()
		answers <- got
	}()
	check := time.NewTimer(timeout)
	defer check.Stop()
	var nothing T
	for {
		select {
		case answer := <-answers:
			if answer.err == nil || ctx.Err() == nil {
				return answer.seen, nil, answer.err
			}
		case <-ctx.Done():
		case <-limit.C:
			if a.readEnough() {
				limit.Reset(lookLimit)
				continue
			}
		case <-check.C:
			if idle, _ := a.idle(); idle < timeout {
				check.Reset(timeout - idle)
				continue
			}
		}
		if err := ctx.Err(); err != nil {
			return nothing, nil, err
		}
		idle, at := a.idle()
		return nothing, &hosts.Unanswered{What: what, At: at, Seconds: idle.Seconds()}, nil
	}
}

// caught is work of which a panic is an error, for a goroutine of its own: it would end the whole
// agent, which may have an action in hand that must not be cut. (errgroup passes no panic on.)
func caught(work func() error) func() error {
	return func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = hosts.Fault(v)
			}
		}()
		return work()
	}
}

// reportRead reports as progress how much was read; nil where nobody waits for it.
func reportRead(report func(hosts.Progress)) func(read int64) {
	if report == nil {
		return nil
	}
	return func(read int64) { report(hosts.Progress{Done: read, Note: "reading files"}) }
}

// merge adds what an observer saw: each fills fields of its own.
func merge(facts *hosts.Facts, part hosts.Facts) {
	to, from := reflect.ValueOf(facts).Elem(), reflect.ValueOf(part)
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}
