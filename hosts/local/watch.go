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
	// lookLimit is how long it may take for all of them. Hashing what a bundle unpacks
	// takes a slow machine some 20 s.
	lookLimit = 45 * time.Second
)

// watch is what a looker is at, and since when.
type watch struct {
	mu    sync.Mutex
	at    string
	since time.Time
}

type watchKey struct{}

// lookingAt notes what the looker that this context is of looks at next; "" that it is
// still at the same. It does nothing where nobody watches.
func lookingAt(ctx context.Context, what string) {
	w, watched := ctx.Value(watchKey{}).(*watch)
	if !watched {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Now()
	if what != "" {
		w.at = what
	}
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
	w := &watch{since: time.Now()}
	bounded, cancel := context.WithTimeout(context.WithValue(ctx, watchKey{}, w), lookLimit)
	defer cancel()
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
			if a.err == nil || bounded.Err() == nil {
				return a.seen, nil, a.err
			}
		case <-bounded.Done():
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

// take adds what a looker saw: each fills fields of its own.
func take(facts *hosts.Facts, part hosts.Facts) {
	to, from := reflect.ValueOf(facts).Elem(), reflect.ValueOf(part)
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}
