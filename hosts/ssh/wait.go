package ssh

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// startPatience is how long each step up to the agent's hello may take. A host that asks a directory
	// service who the user is, or waits for one that is away, takes 20 s for some.
	startPatience = 45 * time.Second
	// slowAfter is when who waits is told what for.
	slowAfter = 5 * time.Second
)

// wait bounds the time until a host's next word. When that is over, or ctx is done, it closes
// the connection, which frees whoever reads from it.
type wait struct {
	o    Options
	ctx  context.Context
	cut  func()
	stop func() bool

	mutex   sync.Mutex
	what    string // is waited for
	patient *time.Timer
	slow    *time.Timer
	gaveUp  bool
}

func (h *host) awaitWord(ctx context.Context, what string) *wait {
	return awaitWord(ctx, h.options, what, func() { _ = h.connection.Close() })
}

func awaitWord(ctx context.Context, o Options, what string, cut func()) *wait {
	w := &wait{o: o, ctx: ctx, what: what, cut: cut}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.patient = time.AfterFunc(startPatience, w.giveUp)
	w.slow = time.AfterFunc(slowAfter, w.tellSlow)
	w.stop = context.AfterFunc(ctx, cut)
	return w
}

func (w *wait) giveUp() {
	w.mutex.Lock()
	w.gaveUp = true
	w.mutex.Unlock()
	w.cut()
}

func (w *wait) tellSlow() {
	w.mutex.Lock()
	what := w.what
	w.mutex.Unlock()
	w.o.tell("waiting for " + what)
}

// next waits for something else, with patience anew.
func (w *wait) next(what string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.what = what
	w.begin()
}

func (w *wait) begin() {
	if !w.gaveUp {
		w.patient.Reset(startPatience)
		w.slow.Reset(slowAfter)
	}
}

// pause waits for nothing from the host: it is the operator's turn.
func (w *wait) pause() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.patient.Stop()
	w.slow.Stop()
}

func (w *wait) resume() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.begin()
}

// end ends the wait, and says where it came to nothing.
func (w *wait) end() error {
	w.stop()
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.patient.Stop()
	w.slow.Stop()
	switch {
	case w.ctx.Err() != nil:
		return w.ctx.Err()
	case w.gaveUp:
		return &hosts.Error{
			Kind: hosts.KindUnreachable, Op: "start the agent",
			Err: fmt.Errorf("no word from %s in %s", w.what, startPatience),
			Fix: fmt.Sprintf("see what keeps it, by hand: %s; a shell's start file that waits for input, a ForceCommand, "+
				"or a directory service (LDAP, SSSD) that does not answer do", w.o.byHand("", "true")),
		}
	}
	return nil
}
