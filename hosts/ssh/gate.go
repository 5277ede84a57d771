package ssh

import (
	"context"
	"fmt"
	"sync"
)

const (
	// sendsAtOnce is how many hosts are sent the agent at the same time: it is some 20 MB, and
	// the operator's line is one.
	sendsAtOnce = 8
)

// Gate bounds what a command asks of many hosts at the same time. All hosts of a command
// share one.
type Gate struct {
	mutex  sync.Mutex
	sends  chan struct{}
	logins map[string]*wayIn // by name
}

// NewGate makes a Gate.
func NewGate() *Gate {
	return &Gate{sends: make(chan struct{}, sendsAtOnce), logins: map[string]*wayIn{}}
}

// send waits for a turn to send to a host, and says so where that takes time.
func (g *Gate) send(ctx context.Context, tell func(string)) (leave func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	return pass(ctx, g.sends, func() {
		tell(fmt.Sprintf("waiting for a turn: the agent is sent to %d hosts at a time", cap(g.sends)))
	})
}

// pass takes a place in a row of them; full is called where there is none at once.
func pass(ctx context.Context, places chan struct{}, full func()) (leave func(), err error) {
	leave = sync.OnceFunc(func() { <-places })
	select {
	case places <- struct{}{}:
		return leave, nil
	default:
	}
	full()
	select {
	case places <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
