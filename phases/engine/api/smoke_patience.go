package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// A promise is broken where nothing of what smoke has made has moved for as long as smokeLimit: on a slow host
// a Pod that waits is held up by the others, which start one after another. smokeMost ends what moves for ever.
const (
	smokeLimit = 90 * time.Second
	smokeMost  = 15 * time.Minute
	// mostMoves is how often one wait may show something new and count as moving: a container that is
	// restarted again and again shows something new each time.
	mostMoves = 12
	// smokeGone is how long what smoke has made may take to be gone: the kubelets end its Pods one after another.
	smokeGone = 5 * time.Minute
	// takenUp is how long kube-controller-manager may take until it has taken up a new namespace.
	takenUp = 150 * time.Second
)

// smokeMoves is when something of what smoke has made moved last, of all promises together.
type smokeMoves struct {
	mu    sync.Mutex
	last  time.Time
	known map[string]map[string]bool // by wait: what it has shown
}

// saw notes what a wait shows.
func (m *smokeMoves) saw(wait, shown string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]map[string]bool{}
	}
	if m.known[wait] == nil {
		m.known[wait] = map[string]bool{}
	}
	if m.known[wait][shown] || len(m.known[wait]) >= mostMoves {
		return
	}
	m.known[wait][shown], m.last = true, time.Now()
}

// left is how long may pass until a promise that began then is given up, if nothing moves.
func (m *smokeMoves) left(began time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	moved := began
	if m.last.After(began) {
		moved = m.last
	}
	return min(time.Until(moved.Add(smokeLimit)), time.Until(began.Add(smokeMost)))
}

// within is a context that ends when a promise is given up, with the reason as its cause.
func (m *smokeMoves) within(ctx context.Context) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithCancelCause(ctx)
	go func() {
		began := time.Now()
		for {
			left := m.left(began)
			if left <= 0 {
				cancel(&plan.StuckError{Why: m.why(began)})
				return
			}
			select {
			case <-bounded.Done():
				return
			case <-time.After(left):
			}
		}
	}()
	return bounded, func() { cancel(context.Canceled) }
}

func (m *smokeMoves) why(began time.Time) string {
	if time.Since(began) >= smokeMost {
		return fmt.Sprintf("it goes on for %s", plan.Spent(smokeMost))
	}
	return fmt.Sprintf("nothing that smoke has made has moved for %s", plan.Spent(smokeLimit))
}
