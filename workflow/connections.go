package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// Dialer connects to a host, and tells what it is about where that takes long.
type Dialer func(ctx context.Context, h cluster.Host, tell func(string)) (hosts.Host, error)

// connections are the hosts that are reached, and the reasons why others are not. What that
// means is for preflight to say.
type connections struct {
	stages
	dial     Dialer
	hosts    map[string]hosts.Host // those that answer
	down     map[string]error      // those that do not, or do not any longer
	arriving *arrivals             // nil unless hosts are taken one by one
}

// arrival is a host that has answered, or the reason why it has not.
type arrival struct {
	name  string
	host  hosts.Host
	facts hosts.Facts
	err   error
}

// connect reaches hosts, all at once.
func (c *connections) connect(ctx context.Context, wanted []cluster.Host) (err error) {
	if len(wanted) == 0 {
		return ctx.Err()
	}
	_, over := c.stage(StageConnect, "", "connecting to "+few(wanted))
	defer func() { over(err) }()
	for _, next := range atOnce(wanted, func(h cluster.Host) arrival { return c.reach(ctx, h) }) {
		c.take(next)
	}
	return ctx.Err()
}

// few names hosts, and counts those that are too many to be named in a line.
func few(all []cluster.Host) string {
	const most = 8
	var names []string
	for _, h := range all[:min(most, len(all))] {
		names = append(names, h.Name)
	}
	if more := len(all) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func (c *connections) reach(ctx context.Context, h cluster.Host) arrival {
	at, end := c.stage(StageConnect, h.Name, "logging in")
	host, err := c.dial(ctx, h, at)
	end(err)
	return arrival{name: h.Name, host: host, err: err}
}

func (c *connections) take(next arrival) {
	if next.err != nil {
		c.down[next.name] = next.err
	} else {
		c.hosts[next.name] = next.host
	}
}

// tried tells whether it is known if a host answers.
func (c *connections) tried(name string) bool {
	_, up := c.hosts[name]
	_, down := c.down[name]
	return up || down
}

// lost takes out a host whose error says that it does not answer any more; empty where the error
// says nothing of the kind.
func (c *connections) lost(err error) (name string) {
	silent, ok := errors.AsType[*hosts.Error](err)
	if !ok || !isSilent(err) {
		return ""
	}
	host, up := c.hosts[silent.Host]
	if !up {
		return ""
	}
	c.down[silent.Host] = err
	delete(c.hosts, silent.Host)
	go func() { _ = host.Close() }() // which may take a while
	return silent.Host
}

// isSilent tells that a host does not answer, now or any longer: it is as one that was not
// reached.
func isSilent(err error) bool {
	host, ok := errors.AsType[*hosts.Error](err)
	return ok && (host.Kind == hosts.KindStuck || host.Kind == hosts.KindCut || host.Kind == hosts.KindUnreachable)
}

// downErrors are the reasons why hosts did not answer, in the order of their names.
func (c *connections) downErrors() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.down)) {
		errs = append(errs, c.down[name])
	}
	return errors.Join(errs...)
}

func (c *connections) close() {
	var late sync.WaitGroup
	for _, host := range c.arriving.end() {
		late.Go(func() { _ = host.Close() })
	}
	atOnce(slices.Collect(maps.Keys(c.hosts)), func(name string) error {
		_, end := c.stage(StageClose, name, "closing the connection")
		err := c.hosts[name].Close()
		end(err)
		return err
	})
	late.Wait()
}

// lookAt observes one host.
func (c *connections) lookAt(ctx context.Context, name string, host hosts.Host, query hosts.Query) (hosts.Facts, error) {
	_, end := c.stage(StageHosts, name, "looking at the host")
	facts, err := host.Observe(ctx, query)
	end(err)
	return facts, err
}

// arrivals are hosts that are being connected to and looked at, all at once: who is fast
// waits for nobody. One goroutine takes them, one by one.
type arrivals struct {
	results chan arrival
	left    int // of whom nothing is known yet
	stop    context.CancelFunc

	settled chan struct{} // closed when nobody comes any more; nil where nobody may come late
	mu      sync.Mutex
	late    []hosts.Host // who came after the command had begun its work
}

// lateGrace bounds how long the end of a command waits for connections that are still
// being made: they are given up by then.
const lateGrace = time.Second

// end gives up on those who have not come yet, and gives back those who came late.
func (a *arrivals) end() []hosts.Host {
	if a == nil {
		return nil
	}
	a.stop()
	if a.settled == nil { // the command ended before it had taken all
		a.settled = make(chan struct{})
		go a.collect(func(arrival) {})
	}
	select {
	case <-a.settled:
	case <-time.After(lateGrace):
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.late
}

// collect takes the connections that are still being made, and tells of those that come.
func (a *arrivals) collect(came func(arrival)) {
	defer close(a.settled)
	for range a.left {
		next := <-a.results
		if next.err != nil {
			continue
		}
		a.mu.Lock()
		a.late = append(a.late, next.host)
		a.mu.Unlock()
		came(next)
	}
}

// atOnce calls for all at the same time, and gives what came of each.
func atOnce[T, R any](all []T, call func(T) R) []R {
	results := make([]R, len(all))
	var wait sync.WaitGroup
	for i, one := range all {
		wait.Go(func() { results[i] = call(one) })
	}
	wait.Wait()
	return results
}
