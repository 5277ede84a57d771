package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// silenceError is somebody who did not answer in time. That a deadline passed is no cause:
// who was asked, and for how long, is what a reader can do something with.
type silenceError struct {
	who   string
	after time.Duration
	err   error
}

func (e *silenceError) Error() string { return fmt.Sprintf("%s: no answer within %s", e.who, e.after) }
func (e *silenceError) Unwrap() error { return e.err }

// orSilence says of an error that comes of a deadline who did not answer, and since when.
func orSilence(err error, who string, began time.Time) error {
	var known *silenceError
	if err == nil || errors.As(err, &known) || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	after := time.Since(began)
	if after > time.Second {
		after = after.Round(time.Second / 10)
	}
	return &silenceError{who, after, err}
}

// noAnswer is a deadline that passed, where nothing else is said.
const noAnswer = "no answer in time"

// deadlineWords are how libraries, gRPC and other components put that a deadline passed.
var deadlineWords = strings.NewReplacer(
	"rpc error: code = DeadlineExceeded desc = context deadline exceeded", noAnswer,
	"rpc error: code = DeadlineExceeded desc = ", "",
	"context deadline exceeded", noAnswer,
)

// plainly puts a text's deadlines into words.
func plainly(text string) string { return deadlineWords.Replace(text) }
