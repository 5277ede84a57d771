// Package hosts says what is seen of a host and what a host can do: Facts and Query,
// the closed set of Actions, and the Host interface that every way to reach a machine
// implements. It holds types only.
package hosts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
)

// Host is one machine, wherever it is: in this process (hosts/local), at the other end
// of an SSH connection (hosts/ssh), or made up (hosts/hosttest).
//
// All methods may be called concurrently. Every error is, or wraps, an *Error where
// a caller can decide something by its Kind.
//
// No call waits for ever, whatever the machine does: one that makes no progress ends with
// KindStuck, and one whose ctx is cancelled ends within a second.
type Host interface {
	// Observe reads what the query asks for and changes nothing.
	Observe(ctx context.Context, query Query) (Facts, error)

	// Do compares, then carries out one action; it answers Unchanged where nothing
	// is to be done. It is safe to repeat. progress may be nil; it is called from one
	// goroutine at a time and never after Do has returned. Cancelling ctx ends the
	// action at its next safe point; nothing is left half-written.
	Do(ctx context.Context, action Action, progress func(Progress)) (Outcome, error)

	// Upload brings blobs into the host's store, skipping those that it has. Secret blobs
	// are kept in memory for as long as this Host is open, never on a disk.
	Upload(ctx context.Context, blobs []Blob, progress func(Progress)) error

	// Dial connects to an address as seen from the host; network is tcp or unix. What is there hears
	// of CloseWrite. Over an agent the end that it makes itself is the end of both directions, and
	// who writes more than 512 KiB has to read meanwhile.
	Dial(ctx context.Context, network, address string) (net.Conn, error)

	// Journal reads the last lines of a systemd unit's journal, oldest first, each with its time, and ends
	// then; with follow it goes on with the lines that come, until it is closed. ctx is for the
	// beginning alone. Reading changes nothing, and is noted nowhere. What nobody reads waits on the host: here no
	// more of it is kept than 1 MiB. A unit that there is not has no lines.
	Journal(ctx context.Context, unit string, lines int, follow bool) (io.ReadCloser, error)

	// Close waits a few seconds for the calls that run, then ends the connection and frees the
	// lease. The host itself brings to its end the action that it has begun.
	Close() error
}

// Blob is content on its way to a host.
type Blob struct {
	// Ref is what actions call it by: sha256:<hex> of the content, or, for a secret,
	// secret:<hex> of a digest keyed with a secret of the cluster.
	Ref string
	// SHA256 is the content's true digest in hex; it travels, but is never shown.
	SHA256 string
	Size   int64
	Secret bool
	Open   func() (io.ReadCloser, error)
}

// ContentBlob is content in memory that is no secret.
func ContentBlob(content []byte) Blob {
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	return Blob{
		Ref: "sha256:" + digest, SHA256: digest, Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// Result tells whether an action found something to do.
type Result string

// The results of an action.
const (
	Unchanged Result = "unchanged"
	Changed   Result = "changed"
)

// Outcome is what an action did.
type Outcome struct {
	Result Result `json:"result"`
	Detail string `json:"detail,omitempty"` // for people: what was changed, from what
	// Output is what a RunCommand wrote.
	Output *CommandOutput `json:"output,omitempty"`
	// Snapshot is what a ProveSnapshot found.
	Snapshot *Snapshot `json:"snapshot,omitempty"`
}
