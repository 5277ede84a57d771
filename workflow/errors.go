package workflow

import (
	"errors"
	"fmt"
)

// UsageError is a request that makes no sense: a mistake of the user's.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

func usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// ErrDeclined tells that the user was asked, and said no.
var ErrDeclined = errors.New("not agreed to: nothing was changed")

// ErrStale tells that something changed between the plan and the lease.
var ErrStale = errors.New("the plan is stale: the hosts changed since it was shown; nothing was done: run the command again")

// ChangedError is what went wrong when something had been changed already. A refusal in it is
// not the command's: to say of it that nothing was changed would be wrong.
type ChangedError struct{ Err error }

func (e *ChangedError) Error() string { return e.Err.Error() }
func (e *ChangedError) Unwrap() error { return e.Err }

// UndoneError is what a command took away and could not put back, with what puts it back.
type UndoneError struct {
	Err error
	Fix string
}

func (e *UndoneError) Error() string { return fmt.Sprintf("%v; %s", e.Err, e.Fix) }
func (e *UndoneError) Unwrap() error { return e.Err }

// StoppedError is a run that has stopped on its way, with how things stand and how to go on: the last lines
// that the user reads.
type StoppedError struct {
	Err  error
	Last []string
}

func (e *StoppedError) Error() string { return e.Err.Error() }
func (e *StoppedError) Unwrap() error { return e.Err }
