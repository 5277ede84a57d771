package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/version"
)

// Observe looks at the objects that are asked for, the nodes and the version, and at etcd's
// members. Where no API server or no etcd answers soon, the facts say so and there is no
// error; each is asked whether the other answers or not.
func (c *Client) Observe(ctx context.Context, query hosts.ClusterQuery) (hosts.ClusterFacts, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var members []hosts.Member
	var cause string
	var group sync.WaitGroup
	group.Go(func() { members, cause = c.Members(ctx) })
	facts, err := c.observeAPI(ctx, query)
	if err != nil {
		cancel()
	}
	group.Wait()
	if err != nil {
		return hosts.ClusterFacts{}, err
	}
	facts.Members, facts.MembersCause = members, cause
	return facts, nil
}

func (c *Client) observeAPI(ctx context.Context, query hosts.ClusterQuery) (hosts.ClusterFacts, error) {
	var facts hosts.ClusterFacts
	err := c.ofAny(ctx, func(ctx context.Context) error {
		var err error
		facts, err = c.look(ctx, query)
		return err
	})
	switch {
	case err == nil:
		return facts, nil
	case ctx.Err() != nil:
		return hosts.ClusterFacts{}, fmt.Errorf("observe the cluster: %w", context.Cause(ctx))
	}
	if outage(err) || distrusted(err) || errors.Is(err, errNoHost) {
		return hosts.ClusterFacts{Cause: c.why(ctx, err)}, nil
	}
	return hosts.ClusterFacts{}, fmt.Errorf("observe the cluster: %w", err)
}

// ofAny tries something once with each API server, until one has answered. Its time is that of an
// observation; where that is over and one of them says that it is ready, it is busy and not down, and there
// is more: what would be taken for absent otherwise may be there.
func (c *Client) ofAny(ctx context.Context, try func(context.Context) error) error {
	err := c.eachOnce(ctx, c.pace.observe, try)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && c.anyReady(ctx) {
		err = c.eachOnce(ctx, c.pace.busy, try)
	}
	return err
}

func (c *Client) eachOnce(ctx context.Context, bound time.Duration, try func(context.Context) error) (err error) {
	for range max(1, c.dialer.choices()) {
		if err = c.once(ctx, bound, try); err == nil || ctx.Err() != nil || !outage(err) {
			break
		}
	}
	return err
}

// anyReady asks all API servers at once whether they are ready.
func (c *Client) anyReady(ctx context.Context) bool {
	var found atomic.Bool
	var group sync.WaitGroup
	for name := range c.hosts {
		group.Go(func() {
			if ready, _, err := c.readyz(ctx, name); err == nil && ready {
				found.Store(true)
			}
		})
	}
	group.Wait()
	return found.Load()
}

// Object gets a live object as JSON; nil where it, its namespace or its kind is absent. Where no API server
// answers soon, that is an error.
func (c *Client) Object(ctx context.Context, key hosts.ObjectKey) (object json.RawMessage, err error) {
	err = c.ofAny(ctx, func(ctx context.Context) error {
		object, err = c.object(ctx, key)
		return err
	})
	if err != nil && ctx.Err() == nil && (outage(err) || distrusted(err) || errors.Is(err, errNoHost)) {
		return nil, fmt.Errorf("get %s: %s", key, c.why(ctx, err))
	}
	return object, err
}

// why says why no API server served: what each says that can be asked, else the error.
func (c *Client) why(ctx context.Context, err error) string {
	if !answered(err) && !errors.Is(err, context.DeadlineExceeded) {
		return brief(err)
	}
	names := slices.Sorted(maps.Keys(c.hosts))
	reasons := make([]string, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() {
			if healthy, seen, err := c.readyz(ctx, name); err == nil && !healthy {
				reasons[i] = "the API server on " + name + ": " + seen
			}
		})
	}
	group.Wait()
	reasons = slices.DeleteFunc(reasons, func(reason string) bool { return reason == "" })
	return cmp.Or(strings.Join(reasons, "; "), brief(err))
}

func (c *Client) look(ctx context.Context, query hosts.ClusterQuery) (hosts.ClusterFacts, error) {
	facts := hosts.ClusterFacts{Reachable: true, Objects: map[hosts.ObjectKey]json.RawMessage{}}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(observeAtOnce)
	group.Go(func() error {
		var info version.Info
		err := c.read(ctx, "/version", &info)
		facts.Version = info.GitVersion
		return err
	})
	group.Go(func() error {
		nodes, err := c.nodes(ctx)
		facts.Nodes = nodes
		return err
	})
	inventory := make([][]hosts.Applied, len(query.Inventory))
	for i, kind := range query.Inventory {
		group.Go(func() (err error) {
			inventory[i], err = c.inventory(ctx, kind)
			return err
		})
	}
	for _, key := range query.Objects {
		group.Go(func() error {
			object, err := c.object(ctx, key)
			if err != nil || object == nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			facts.Objects[key] = object
			return nil
		})
	}
	err := group.Wait()
	facts.Inventory = slices.Concat(inventory...)
	facts.ClockOffset = c.clock.offsetOrNil()
	return facts, err
}
