package api

import (
	"context"
	"time"
)

// All promises at once start so many Pods that a small control plane is overrun by it: on an emulated machine the
// API server had to be started again. So each begins when ten times as long has passed as the API server took for
// an answer: on an ordinary host all have begun within a second, on a slow one the next comes when there is time for it.
const (
	smokeAnswers = 10
	// mostBetween is how long a promise waits at most after the one before, and smokeAnswer bounds the question.
	mostBetween = 30 * time.Second
	smokeAnswer = 10 * time.Second
)

// smokePace has promises begin one after another.
type smokePace struct {
	free   chan struct{}         // holds a token while the next may begin
	answer func(context.Context) // asks the API server something, and returns when it has answered
}

func newSmokePace(answer func(context.Context)) *smokePace {
	p := &smokePace{free: make(chan struct{}, 1), answer: answer}
	p.free <- struct{}{}
	return p
}

// turn waits until the next promise may begin, or ctx is done.
func (p *smokePace) turn(ctx context.Context) {
	select {
	case <-p.free:
	case <-ctx.Done():
		return
	}
	go func() {
		began := time.Now()
		p.answer(ctx)
		select {
		case <-time.After(min(smokeAnswers*time.Since(began), mostBetween)):
		case <-ctx.Done():
		}
		p.free <- struct{}{}
	}()
}

// answer asks for smoke's own namespace. What comes of it tells only how long an answer takes.
func (s *Smoke) answer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, smokeAnswer)
	defer cancel()
	_, _ = s.c.get(ctx, "/api/v1/namespaces/"+s.Namespace())
}
