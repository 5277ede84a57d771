package api

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// errTimeUp is a limit that passed before a try succeeded.
var errTimeUp = errors.New("the time is up")

// retry is what a try that did not succeed asks for.
type retry struct {
	after time.Duration // when the next try begins; 0 where the try succeeded
	note  string        // what it waits for
}

// repeat tries until a try succeeds or fails for good, the limit passes (errTimeUp) or the
// context ends, and tells what it waits for. apimachinery's wait has one interval and no notes.
func repeat(ctx context.Context, limit time.Duration, progress func(hosts.Progress), try func(context.Context) (retry, error)) error {
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for told := ""; ; {
		next, err := try(within)
		switch {
		case err == nil && next.after == 0:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case within.Err() != nil:
			return errTimeUp
		case err != nil:
			return err
		}
		if next.note != told && progress != nil {
			told = next.note
			progress(hosts.Progress{Note: told})
		}
		if hosts.Pause(within, next.after) != nil && ctx.Err() == nil {
			return errTimeUp
		}
	}
}
