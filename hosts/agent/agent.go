// Package agent is the protocol between the operator and the agent on a host: HTTP/2 over any
// pair of streams, a request for each call. Serve puts any hosts.Host at one end, Connect gives
// a Client at the other, and neither knows what carries the bytes.
//
// The agent begins with a line that says who it is, the operator answers with one, and from
// then on Go's net/http does what is the same in every such protocol: streams side by side,
// their windows, pings. Of ours is what a call says: a line of JSON that asks, which content may
// follow; lines that tell of progress, one that answers, and then, of a connection that was made
// from the host, its bytes. A request that ends before its answer is cancelled.
package agent

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// Protocol is the version of all this. It changes whenever an older end would misunderstand a
// newer one.
const Protocol = 2

// MaxInline is the size up to which a blob that is no secret travels in a request;
// larger ones are put into the inbox and ingested from there.
const MaxInline = 256 << 10

// MaxSecret is the size up to which secret blobs, which only travel in requests, may go.
const MaxSecret = 4 << 20

const (
	maxRequest   = 4 << 20   // bytes of a line that asks
	maxAnswer    = 8 << 20   // of one that answers: the largest are facts, far below one MiB
	maxHeader    = 64 << 10  // of HTTP's own
	maxCalls     = 64        // in hand at once
	maxStreams   = 128       // connections at once
	streamWindow = 512 << 10 // bytes that may be under way to a reader that does not read
)

// BlobStore is what a Host implements that can tell which blobs it has.
type BlobStore interface {
	// Has answers those of the refs that need not be sent.
	Has(ctx context.Context, refs []string) ([]string, error)
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

// deafness times the allowed silence is how long the other end may take to take in what is
// sent: lines are slow.
const deafness = 4

// http2On refuses the one of Go's settings that switches HTTP/2 off for an end: net/http obeys it
// and then fails with words that tell nobody why.
func http2On(setting string) error {
	for _, one := range slices.Backward(strings.Split(os.Getenv("GODEBUG"), ",")) { // the last one counts
		name, value, _ := strings.Cut(one, "=")
		switch {
		case name != setting:
		case value != "0":
			return nil
		default:
			return &hosts.Error{
				Kind: hosts.KindBroken, Op: "talk to the agent",
				Err: fmt.Errorf("the environment variable GODEBUG has %s=0, which switches HTTP/2 off, and the agent speaks nothing else", setting),
				Fix: fmt.Sprintf("take %s=0 out of GODEBUG", setting),
			}
		}
	}
	return nil
}

// http2 is how both ends speak it.
func (l Life) http2() (*http.Protocols, *http.HTTP2Config) {
	only := &http.Protocols{}
	only.SetUnencryptedHTTP2(true)
	return only, &http.HTTP2Config{
		MaxConcurrentStreams:      maxCalls + maxStreams,
		MaxReceiveBufferPerStream: streamWindow,
		// All streams share it: those that nobody reads must not take it from the others.
		MaxReceiveBufferPerConnection: (maxCalls + maxStreams) * streamWindow,
		SendPingTimeout:               l.Interval,
		PingTimeout:                   deafness * l.Silence,
	}
}

func lost(op string, err error) *hosts.Error {
	return &hosts.Error{
		Kind: hosts.KindCut,
		Op:   op,
		Err:  err,
		Fix:  "run the same command again; it goes on from where the host is",
	}
}
