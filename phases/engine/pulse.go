package engine

import (
	"slices"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// pulse is when what a run does last moved. Waits go by it: while a host is still being made ready, what
// waits for all of them is not stuck. It is safe for concurrent use.
type pulse struct {
	mu      sync.Mutex
	working map[string]int       // things in hand that are no waits, by host
	worked  time.Time            // when the last of them ended
	moved   map[string]time.Time // when a wait last saw something move, by its step
	busy    map[string]time.Time
}

func newPulse() *pulse {
	return &pulse{working: map[string]int{}, moved: map[string]time.Time{}, busy: map[string]time.Time{}}
}

// begin notes that something is in hand on a host, or, without a name, in the cluster.
func (p *pulse) begin(host string) (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.working[host]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.worked = time.Now()
		if p.working[host]--; p.working[host] == 0 {
			delete(p.working, host)
		}
	}
}

// note takes in what a wait saw.
func (p *pulse) note(step string, began time.Time, verdict checks.Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved[step] = began.Add(verdict.Moved)
	if verdict.Busy > 0 {
		p.busy[step] = began.Add(verdict.Busy)
	}
}

// others is how all but one step stand: when anything last moved or was at work, and on which hosts
// something is in hand.
func (p *pulse) others(step string) (moved, busy time.Time, working []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	moved = p.worked
	for host := range p.working {
		moved = time.Now()
		if host != "" {
			working = append(working, host)
		}
	}
	for other, at := range p.moved {
		if other != step && at.After(moved) {
			moved = at
		}
	}
	for other, at := range p.busy {
		if other != step && at.After(busy) {
			busy = at
		}
	}
	slices.Sort(working)
	return moved, busy, working
}

// works tells whether a step does something while it is in hand, and does not only wait for others.
func works(step plan.Step) bool {
	_, turn := step.Cluster.(plan.WaitTurn)
	_, _, waits := plan.PatienceOf(step)
	return !waits && !turn
}
