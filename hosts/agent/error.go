package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// ErrBadContent says that what lay in the inbox was not the blob it should have been. It
// has been removed; sending it again may help.
var ErrBadContent = errors.New("the content does not match its digest")

// errStopped is why an agent ends that was told to, by a signal for example.
var errStopped = errors.New("the agent was told to stop")

// stopped is what a call fails with that the agent's own end cancelled. It is none of the
// operator's cancellations, and must not look like one.
func stopped(err error) error {
	if errors.Is(err, context.Canceled) {
		return errStopped
	}
	return err
}

const fixFault = "run the same command again; where it fails again, report this line: it names the place in Slipway's source"

// fault is the error of a call that panicked, and tells where. Only that call fails: what else the
// agent has in hand may be an action that must not be cut.
func (s *server) fault(path string, panicked any) error {
	if panicked == http.ErrAbortHandler {
		return http.ErrAbortHandler
	}
	err := hosts.Fault(panicked)
	s.log.Printf("%s: %v", path, err)
	return err
}

// own keeps an answer from looking like a cancellation by a caller who cancelled nothing:
// what was cancelled on the host has failed there.
func own(ctx context.Context, op string, err error) error {
	switch {
	case errors.Is(err, errStopped):
		return lost(op, err)
	case errors.Is(err, hosts.ErrFault):
		failed := hosts.Error{Kind: hosts.KindBroken, Op: op, Err: err}
		if known, is := errors.AsType[*hosts.Error](err); is { // the host names the deed
			failed = *known
		}
		failed.Fix = fixFault
		return &failed
	case ctx.Err() != nil || !errors.Is(err, context.Canceled):
		return err
	}
	failed := &hosts.Error{Kind: hosts.KindBroken, Op: op, Err: fmt.Errorf("cancelled on the host, not from here: %s", err)}
	var known *hosts.Error
	if errors.As(err, &known) {
		failed.Kind, failed.Host, failed.Fix = known.Kind, known.Host, known.Fix
	}
	return failed
}

// wireError is an error as it crosses: what callers decide on by type survives, all else
// is text.
type wireError struct {
	Text  string             `json:"text,omitempty"`
	Mark  mark               `json:"mark,omitempty"`
	Lease *hosts.LeaseHolder `json:"lease,omitempty"`
	Host  *wireHostError     `json:"host,omitempty"`
	Cause *wireError         `json:"cause,omitempty"`
}

type wireHostError struct {
	Kind hosts.ErrorKind `json:"kind"`
	Host string          `json:"host,omitempty"`
	Op   string          `json:"op"`
	Fix  string          `json:"fix,omitempty"`
}

// mark stands for an error that is a value.
type mark string

const (
	markCanceled mark = "canceled"
	markDeadline mark = "deadline"
	markContent  mark = "content"
	markStopped  mark = "stopped"
	markFault    mark = "fault"
)

var marks = map[mark]error{
	markCanceled: context.Canceled,
	markDeadline: context.DeadlineExceeded,
	markContent:  ErrBadContent,
	markStopped:  errStopped,
	markFault:    hosts.ErrFault,
}

// encodeError takes an error apart from the outside in.
func encodeError(err error) *wireError {
	if err == nil {
		return nil
	}
	switch e := err.(type) { //nolint:errorlint // the layers are taken one by one
	case *hosts.Error:
		return &wireError{
			Host:  &wireHostError{Kind: e.Kind, Host: e.Host, Op: e.Op, Fix: e.Fix},
			Cause: encodeError(e.Err),
		}
	case hosts.LeaseHolder:
		return &wireError{Lease: &e}
	}
	for m, value := range marks {
		if err == value { //nolint:errorlint // as above
			return &wireError{Mark: m}
		}
	}
	return &wireError{Text: err.Error(), Cause: encodeInner(err)}
}

// encodeInner finds, in what an error of unknown type wraps, the outermost part that a
// caller can decide on.
func encodeInner(err error) *wireError {
	var host *hosts.Error
	if errors.As(err, &host) {
		return encodeError(host)
	}
	var lease hosts.LeaseHolder
	if errors.As(err, &lease) {
		return encodeError(lease)
	}
	for m, value := range marks {
		if errors.Is(err, value) {
			return &wireError{Mark: m}
		}
	}
	return nil
}

// decodeError puts together what encodeError took apart. Its text is a host's, and cleaned.
func decodeError(w *wireError) error {
	switch {
	case w == nil:
		return nil
	case w.Host != nil:
		return &hosts.Error{
			Kind: w.Host.Kind.Known(), Host: hosts.CleanLine(w.Host.Host), Op: hosts.CleanLine(w.Host.Op), Fix: hosts.CleanLine(w.Host.Fix),
			Err: decodeError(w.Cause),
		}
	case w.Lease != nil:
		return hosts.LeaseHolder{
			Holder: hosts.CleanLine(w.Lease.Holder), Since: hosts.CleanLine(w.Lease.Since), Heard: hosts.CleanLine(w.Lease.Heard),
		}
	case marks[w.Mark] != nil:
		return marks[w.Mark]
	default:
		return &remoteError{text: quoted(w.Text), cause: decodeError(w.Cause)}
	}
}

const (
	// mostLines is how many lines of a host's text are shown.
	mostLines = 20
	// goesOn begins each line of a host's text but the first: no line of it may look like one
	// of Slipway's own.
	goesOn = "  | "
)

// quoted is a host's text, cleaned, of a few lines and told apart from what stands around it.
func quoted(text string) string {
	lines := strings.Split(hosts.Clean(text), "\n")
	if left := len(lines) - mostLines + 1; left > 1 {
		lines = append(lines[:mostLines-1], fmt.Sprintf("(%d lines left out)", left))
	}
	for i, line := range lines[1:] {
		lines[i+1] = goesOn + strings.TrimPrefix(line, goesOn)
	}
	return strings.Join(lines, "\n")
}

// remoteError is an error of the other end whose type did not cross.
type remoteError struct {
	text  string
	cause error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.cause }
