//go:build linux

package local

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/hosts"
)

// probesAtOnce is how many probes a host has under way. A host that waits for as many silent ones does
// so once.
const probesAtOnce = 128

// observeTraffic listens until ctx ends, or sends; a query that asks for both ends with the sending.
func (h *Host) observeTraffic(ctx context.Context, query hosts.TrafficQuery, report func(hosts.Progress)) *hosts.Traffic {
	ctx, cancel := context.WithTimeout(ctx, hosts.LongestListen*time.Second)
	defer cancel()
	open := openListeners(query)
	report(hosts.Progress{Note: hosts.NoteListening})
	seen := &hosts.Traffic{Probed: probeAll(ctx, query)}
	if len(query.Probe) == 0 {
		<-ctx.Done()
	}
	seen.Listened = open.close()
	for i := range seen.Listened {
		seen.Listened[i].Over = errors.Is(ctx.Err(), context.DeadlineExceeded)
	}
	return seen
}

// probeAll sends all probes, and waits for what becomes of them.
func probeAll(ctx context.Context, query hosts.TrafficQuery) []hosts.Probed {
	results := make([]hosts.Probed, len(query.Probe))
	var group errgroup.Group
	group.SetLimit(probesAtOnce)
	for i, probe := range query.Probe {
		group.Go(func() error {
			results[i] = hosts.Probed{Probe: probe, Passage: hosts.NotTried}
			err := caught(func() error {
				results[i] = sendProbe(ctx, query.Key, probe)
				return nil
			})()
			if err != nil {
				results[i].Detail = err.Error()
			}
			return nil
		})
	}
	_ = group.Wait() // no probe fails: what became of it says why
	return results
}

// The messages of listeners and those who ask them: magic, kind, a number of the asker's choice, and a
// proof that the sender has the run's key. An answer is never longer than its question: nobody can use
// a listener to flood a third.
const (
	messageMagic  = "slpw"
	messageAsk    = 1
	messageAnswer = 2
	messageRouted = 3 // an answer that also says that a router has passed the question on
	numberLength  = 8
	proofLength   = 16
	messageLength = len(messageMagic) + 1 + numberLength + proofLength
)

// message is one of a listener's port.
type message struct {
	kind   byte
	number uint64
}

// askMessage is a question that nobody has asked before.
func askMessage() (message, error) {
	var number [numberLength]byte
	if _, err := rand.Read(number[:]); err != nil {
		return message{}, fmt.Errorf("choose a number: %w", err)
	}
	return message{messageAsk, binary.BigEndian.Uint64(number[:])}, nil
}

// marshal writes the message, proven by the key for one port alone.
func (m message) marshal(key []byte, port hosts.Port) []byte {
	out := append([]byte(messageMagic), m.kind)
	out = binary.BigEndian.AppendUint64(out, m.number)
	return append(out, proof(key, port, out)...)
}

// parseMessage reads a message, and whatever pads it; ok is false where it is none, or not proven.
func parseMessage(key []byte, port hosts.Port, data []byte) (m message, ok bool) {
	if len(data) < messageLength || string(data[:len(messageMagic)]) != messageMagic {
		return message{}, false
	}
	said := data[:messageLength-proofLength]
	if !hmac.Equal(proof(key, port, said), data[messageLength-proofLength:messageLength]) {
		return message{}, false
	}
	return message{said[len(messageMagic)], binary.BigEndian.Uint64(said[len(messageMagic)+1:])}, true
}

// answers tells whether the message answers a question.
func (m message) answers(question message) bool {
	return (m.kind == messageAnswer || m.kind == messageRouted) && m.number == question.number
}

// proof shows that who wrote the data has the key, and means this port of this address.
func proof(key []byte, port hosts.Port, data []byte) []byte {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "slipway traffic\x00%s\x00%s\x00%d\x00", port.Protocol, port.Address, port.Port)
	mac.Write(data)
	return mac.Sum(nil)[:proofLength]
}
