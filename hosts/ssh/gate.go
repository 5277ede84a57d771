package ssh

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// sendsAtOnce is how many hosts are sent the agent at the same time: it is some 20 MB, and
	// the operator's line is one.
	sendsAtOnce = 8
	// loginsAtOnce is how many hosts are logged in to by one way in at the same time, a
	// proxyCommand's or one sshd's. sshd turns away some of those that come while ten are logging in (MaxStartups
	// 10:30:100), and others want to log in as well.
	loginsAtOnce = 8
	// loginPatience is how long a login keeps its turn when nothing is heard of the host: it
	// may be the host that is away, and not the way to it that is busy.
	loginPatience = 5 * time.Second
)

// Gate bounds what a command asks of many hosts at the same time. All hosts of a command
// share one.
type Gate struct {
	mutex  sync.Mutex
	sends  chan struct{}
	logins map[string]chan struct{} // by way in
}

// NewGate makes a Gate.
func NewGate() *Gate {
	return &Gate{sends: make(chan struct{}, sendsAtOnce), logins: map[string]chan struct{}{}}
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

// wayIn is the sshd that a login comes to first, by a name that all who come to it have in common.
func (o Options) wayIn() (name, said string) {
	if o.ProxyCommand != "" {
		return o.ProxyCommand, "go through the proxyCommand"
	}
	return o.address(), "go to " + o.address()
}

// login waits for a turn to log in by a way in. Most hosts have an sshd each, and wait for nobody.
func (g *Gate) login(ctx context.Context, o Options) (through func(), err error) {
	if g == nil {
		return func() {}, ctx.Err()
	}
	way, said := o.wayIn()
	g.mutex.Lock()
	places := g.logins[way]
	if places == nil {
		places = make(chan struct{}, loginsAtOnce)
		g.logins[way] = places
	}
	g.mutex.Unlock()
	leave, err := pass(ctx, places, func() {
		o.tell(fmt.Sprintf("waiting for a turn to log in: %d at a time %s", loginsAtOnce, said))
	})
	if err != nil {
		return nil, err
	}
	giveUp := time.AfterFunc(loginPatience, leave)
	return func() {
		giveUp.Stop()
		leave()
	}, nil
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
