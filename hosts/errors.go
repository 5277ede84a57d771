package hosts

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// ErrorKind sorts what can go wrong with a host by what a user does about it.
type ErrorKind string

// The kinds of error.
const (
	KindUnreachable    ErrorKind = "unreachable"      // no connection, or none in time
	KindAuth           ErrorKind = "authentication"   // the host refused every key
	KindHostKeyUnknown ErrorKind = "host-key-unknown" // not in known_hosts
	KindHostKeyChanged ErrorKind = "host-key-changed" // known_hosts says otherwise
	KindPrivilege      ErrorKind = "privilege"        // not root, and sudo is refused
	KindPlatform       ErrorKind = "platform"         // another system or architecture
	KindVersion        ErrorKind = "agent-version"    // the agent speaks another protocol
	KindCut            ErrorKind = "connection-lost"  // the connection ended in the middle
	KindStuck          ErrorKind = "no-answer"        // the connection lives, but the call makes no progress
	KindLease          ErrorKind = "lease-held"       // another operator is at work
	KindDiskFull       ErrorKind = "disk-full"
	KindForeign        ErrorKind = "foreign" // something there is not Slipway's
	KindBroken         ErrorKind = "failed"  // all else
)

// Known is the kind, or KindBroken where it is none: the text comes from a host, is shown, and
// decides what is done.
func (k ErrorKind) Known() ErrorKind {
	switch k {
	case KindUnreachable, KindAuth, KindHostKeyUnknown, KindHostKeyChanged, KindPrivilege, KindPlatform, KindVersion,
		KindCut, KindStuck, KindLease, KindDiskFull, KindForeign, KindBroken:
		return k
	}
	return KindBroken
}

// Error is what went wrong, where, and what to do.
type Error struct {
	Kind ErrorKind
	Host string // as the cluster file names it; empty where the layer does not know it
	Op   string // what was done to what: write /etc/kubernetes/pki/ca.crt
	Err  error
	Fix  string // what to type or change; may be empty
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Host != "" {
		fmt.Fprintf(&b, " on %s", e.Host)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// ErrFault is in the error of what panicked on a host.
var ErrFault = errors.New("the agent has a fault")

// Fault is the error for what has panicked, and tells where. It is called by who recovers.
func Fault(panicked any) error {
	return fmt.Errorf("%w: %v, at %s", ErrFault, panicked, panickedAt())
}

// panickedAt is the line that has panicked.
func panickedAt() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	for panicking := false; ; {
		frame, more := frames.Next()
		if panicking && !strings.HasPrefix(frame.Function, "runtime.") || !more {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
		panicking = panicking || frame.Function == "runtime.gopanic"
	}
}
