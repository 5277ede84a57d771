package api

import (
	"context"
	"sync"
	"time"
)

// All promises at once start so many Pods that a small control plane is overrun by it: on an emulated machine the
// API server had to be started again. So each begins when ten times as long has passed as the API server took for
// an answer: on an ordinary host all have begun within a second, on a slow one the next comes when there is time for it.
const (
	// smokeAnswers is how many answers' time lies between the beginnings of two promises.
	smokeAnswers = 10
	// mostBetween is how long a promise waits at most after the one before.
	mostBetween = 30 * time.Second
)

// smokePace has promises begin one after another.
type smokePace struct {
	free   chan struct{}         // holds a token while the next may begin
	answer func(context.Context) // asks the API server something, and returns when it has answered
	ctx    context.Context       // of the questions
	stop   context.CancelFunc
	asking sync.WaitGroup
}

func newSmokePace(ctx context.Context, answer func(context.Context)) *smokePace {
	p := &smokePace{free: make(chan struct{}, 1), answer: answer}
	p.ctx, p.stop = context.WithCancel(ctx)
	p.free <- struct{}{}
	return p
}

// turn waits until the next promise may begin, or all is over.
func (p *smokePace) turn() {
	select {
	case <-p.free:
	case <-p.ctx.Done():
		return
	}
	p.asking.Go(func() {
		began := time.Now()
		p.answer(p.ctx)
		select {
		case <-time.After(min(smokeAnswers*time.Since(began), mostBetween)):
		case <-p.ctx.Done():
		}
		p.free <- struct{}{}
	})
}

// end gives up what is still asked.
func (p *smokePace) end() {
	p.stop()
	p.asking.Wait()
}
