// Package agent is the protocol between the operator and the agent on a host: frames of
// JSON, one a line, over any pair of streams. Serve puts any hosts.Host at one end,
// Connect gives a Client at the other, and neither knows what carries the bytes.
//
// Each request has an id; answers and progress come back in any order, a request can be
// cancelled, and connections made from the host are carried as streams of their own.
// Both ends ping; the one that hears nothing for too long takes the other for gone.
package agent

import (
	"context"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// Protocol is the version of the frames. It changes whenever an older end would
// misunderstand a newer one.
const Protocol = 1

// MaxInline is the size up to which a blob that is no secret travels in a frame;
// larger ones are put into the inbox and ingested from there.
const MaxInline = 256 << 10

// MaxSecret is the size up to which secret blobs, which only travel in frames, may go.
const MaxSecret = 4 << 20

const (
	maxRequestFrame = 8 << 20 // what the agent reads: the largest is a secret blob in base64
	maxAnswerFrame  = 8 << 20 // what the operator reads of each host: the largest are facts, far below one MiB
	maxCalls        = 64      // requests in hand at once
	maxStreams      = 128     // connections at once
	queueLength     = 64      // frames waiting to be written
)

// BlobStore is what a Host implements that can tell which blobs it has.
type BlobStore interface {
	// Has answers those of the refs that need not be sent.
	Has(ctx context.Context, refs []string) ([]string, error)
}

// Hello is how an end introduces itself.
type Hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"` // Slipway's
	OS       string `json:"os"`      // in Go's words, as is Arch
	Arch     string `json:"arch"`
}

// Life says how often an end pings, and how long the other may be silent.
type Life struct {
	Interval time.Duration // 3 s if zero
	Silence  time.Duration // 15 s if zero
}

func (l Life) withDefaults() Life {
	if l.Interval == 0 {
		l.Interval = 3 * time.Second
	}
	if l.Silence == 0 {
		l.Silence = 15 * time.Second
	}
	return l
}

func lost(op string, err error) *hosts.Error {
	return &hosts.Error{
		Kind: hosts.KindCut,
		Op:   op,
		Err:  err,
		Fix:  "run the same command again; it goes on from where the host is",
	}
}
