package hosts

import (
	"context"
	"io"
	"time"
)

// Pause waits, or answers why not.
func Pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ContextReader reads until its context ends.
type ContextReader struct {
	Context context.Context
	In      io.Reader
}

func (r ContextReader) Read(p []byte) (int, error) {
	if err := r.Context.Err(); err != nil {
		return 0, err
	}
	return r.In.Read(p)
}

// Progress is how far a long call has come. Total is 0 where it is not known.
type Progress struct {
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"`
	Note  string `json:"note,omitempty"`
}

type telling struct{}

// Telling is a context in which Observe reports its progress. progress is called from one
// goroutine at a time, and never after Observe has returned.
func Telling(ctx context.Context, progress func(Progress)) context.Context {
	return context.WithValue(ctx, telling{}, progress)
}

// Told is the progress function of a context; nil where nobody asked.
func Told(ctx context.Context) func(Progress) {
	progress, _ := ctx.Value(telling{}).(func(Progress))
	return progress
}
