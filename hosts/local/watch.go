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
	// lookPatience is how long a looker may be at one thing: a path, a daemon's answer.
	lookPatience = 10 * time.Second
	// lookLimit is how long it may take for all of them, or, where it reads large files, from
	// one readLeast to the next. Hashing what a bundle unpacks takes a slow machine some 20 s.
	lookLimit = 45 * time.Second
	// readLeast is how much is to be read within lookLimit to count as moving. A look that
	// is at a million small things has an end all the same.
	readLeast = 8 << 20
)

// watch is what a looker is at, and since when.
type watch struct {
	moved func(read int64) // is told how much was read, not of each byte; nil: nobody asks

	mu      sync.Mutex
	at      string
	since   time.Time
	read    int64 // bytes
	counted int64 // of them, when the limit began anew
	told    int64 // of them, when moved was told last
}

type watchKey struct{}

// watching is a context of which it is noted in w what its holder is at.
func watching(ctx context.Context, w *watch) context.Context {
	return context.WithValue(ctx, watchKey{}, w)
}

// lookingAt notes what the looker that this context is of looks at next. It does nothing
// where nobody watches.
func lookingAt(ctx context.Context, what string) {
	w, watched := ctx.Value(watchKey{}).(*watch)
	if !watched {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, w.at = time.Now(), what
}

// tellEvery is how many bytes are read before that is told.
const tellEvery = 1 << 20

// haveRead notes that n bytes more of the same thing were read: it moves, however long it is.
func haveRead(ctx context.Context, n int) {
	w, watched := ctx.Value(watchKey{}).(*watch)
	if !watched || n == 0 {
		return
	}
	w.mu.Lock()
	w.since = time.Now()
	w.read += int64(n)
	read, tell := w.read, w.moved != nil && w.read-w.told >= tellEvery
	if tell {
		w.told = read
	}
	w.mu.Unlock()
	if tell {
		w.moved(read)
	}
}

// readsOn tells whether enough was read since it was asked last.
func (w *watch) readsOn() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	on := w.read-w.counted >= readLeast
	w.counted = w.read
	return on
}

// stands tells for how long the looker has been at the same thing, and at which.
func (w *watch) stands() (time.Duration, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.since), w.at
}

// within has something looked at, and leaves it behind where it stands still: a call into
// a file system that does not answer cannot be ended. What look gives must be its own, so
// that it disturbs nobody when it wakes.
func within[T any](ctx context.Context, patience time.Duration, what string, look func(context.Context) (T, error)) (T, *hosts.Unanswered, error) {
	type answer struct {
		seen T
		err  error
	}
	w := &watch{since: time.Now(), moved: movedFor(ctx)}
	bounded, cancel := context.WithCancel(watching(ctx, w))
	defer cancel()
	limit := time.NewTimer(lookLimit)
	defer limit.Stop()
	answers := make(chan answer, 1)
	go func() {
		seen, err := look(bounded)
		answers <- answer{seen, err}
	}()
	check := time.NewTimer(patience)
	defer check.Stop()
	var nothing T
	for {
		select {
		case a := <-answers:
			if a.err == nil || ctx.Err() == nil {
				return a.seen, nil, a.err
			}
		case <-ctx.Done():
		case <-limit.C:
			if w.readsOn() {
				limit.Reset(lookLimit)
				continue
			}
		case <-check.C:
			if stands, _ := w.stands(); stands < patience {
				check.Reset(patience - stands)
				continue
			}
		}
		if err := ctx.Err(); err != nil {
			return nothing, nil, err
		}
		stands, at := w.stands()
		return nothing, &hosts.Unanswered{What: what, At: at, Seconds: stands.Seconds()}, nil
	}
}

// movedFor is how whoever waits for a look is told that it reads on.
func movedFor(ctx context.Context) func(read int64) {
	progress := hosts.Told(ctx)
	if progress == nil {
		return nil
	}
	return func(read int64) { progress(hosts.Progress{Done: read, Note: "reading files"}) }
}

// take adds what a looker saw: each fills fields of its own.
func take(facts *hosts.Facts, part hosts.Facts) {
	to, from := reflect.ValueOf(facts).Elem(), reflect.ValueOf(part)
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}
