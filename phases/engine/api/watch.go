package api

import (
	"context"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"k8s.io/apimachinery/pkg/version"
)

// Watch follows nodes, Pods and warnings by the API's watches until the context ends, and calls changed
// with what there is: first when an API server has answered or none has, then when something has
// changed, at most each 200 ms. changed is called by one goroutine at a time and not after Watch has
// returned; what it is given is not changed any more, by nobody. Where an API server goes away Watch goes on with another one;
// while none answers it says so. It ends with the context alone.
func (c *Client) Watch(ctx context.Context, changed func(hosts.Live)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := newWatched(usualWatchPace)
	lost := make(chan struct{}, 1) // a list or watch has lost its API server
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { c.followServer(ctx, w, lost) })
	for _, s := range w.sources() {
		group.Go(func() { c.follow(ctx, w, s, lost) })
	}
	w.tell(ctx, c.now, changed)
}

// now is the time by the cluster's clock, as far as that is known.
func (c *Client) now() time.Time {
	if offset := c.clock.offsetOrNil(); offset != nil {
		return time.Now().Add(*offset)
	}
	return time.Now()
}

// tell calls changed whenever there is something else to tell.
func (w *watched) tell(ctx context.Context, now func() time.Time, changed func(hosts.Live)) {
	var told *hosts.Live
	due := time.NewTimer(0) // when time alone makes a Pod not well
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.news:
		case <-due.C:
		}
		live, known, next := w.live(now())
		if next > 0 {
			due.Reset(next)
		}
		if !known || told != nil && reflect.DeepEqual(*told, live) {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		told = &live
		changed(live)
		_ = hosts.Pause(ctx, w.pace.tell) // its end is looked for above
	}
}

// followServer looks again and again whether an API server answers, at once where one was lost. Where
// one hangs, the look ends its connections, and so what still waits for it.
func (c *Client) followServer(ctx context.Context, w *watched, lost <-chan struct{}) {
	connected := true
	for ctx.Err() == nil {
		served, err := c.serves(ctx)
		if ctx.Err() != nil {
			return
		}
		cause, next := "", w.pace.alive
		if err != nil {
			if connected {
				w.serverIs(false, brief(err), served) // to find out why may take seconds
			}
			cause, next = c.why(ctx, err), w.pace.down
		}
		connected = err == nil
		w.serverIs(connected, cause, served)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-lost:
			_ = hosts.Pause(ctx, w.pace.again) // whatever fails, and however often
		}
		timer.Stop()
	}
}

// serves asks for the version, and for something that an API server without etcd cannot give.
func (c *Client) serves(ctx context.Context) (string, error) {
	var served version.Info
	err := c.eachOnce(ctx, c.pace.observe, func(ctx context.Context) error { // that it is slow is to be seen at once
		if err := c.read(ctx, "/version", &served); err != nil {
			return err
		}
		_, err := c.send(ctx, request{verb: http.MethodGet, path: "/api/v1/nodes", accept: metadataList, params: map[string]string{"limit": "1"}})
		if answered(err) && !outage(err) {
			err = nil // it answers, and has its reasons
		}
		return err
	})
	return served.GitVersion, err
}
