package agent

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/slipway-k8s/slipway/hosts"
)

// hanging is a host whose looks do not end before they are freed.
type hanging struct {
	nothing
	begun *atomic.Int64
	freed chan struct{}
}

func (h hanging) Observe(context.Context, hosts.Query) (hosts.Facts, error) {
	h.begun.Add(1)
	<-h.freed
	return hosts.Facts{}, nil
}

// TestAHandlerEndsWithItsRequest, though its work goes on, and that keeps its place: however often
// an operator gives up and asks again, no more is at work than a bound.
func TestAHandlerEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := hanging{begun: &atomic.Int64{}, freed: make(chan struct{})}
		s := newServer(host, strings.NewReader(""), io.Discard, ServeOptions{})
		var handlers sync.WaitGroup
		ask := func(ctx context.Context) {
			handlers.Go(func() {
				s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, pathObserve, strings.NewReader("{}\n")))
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range maxCalls {
			ask(ctx)
		}
		synctest.Wait()
		cancel()
		handlers.Wait()
		ask(t.Context())
		synctest.Wait()
		if begun := host.begun.Load(); begun != maxCalls {
			t.Errorf("%d looks are at work", begun)
		}
		close(host.freed)
		handlers.Wait()
		if begun := host.begun.Load(); begun != maxCalls+1 {
			t.Errorf("%d looks were begun", begun)
		}
	})
}
