package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Mark ends a section, and begins one of that name.
func (g *Gap) Mark(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.Sections = append(g.report.Sections, GapSection{Name: name, Began: time.Now()})
}

// Await waits until a write that was begun after the call is acknowledged.
func (g *Gap) Await(ctx context.Context) error {
	for range 2 { // the first may have been under way
		g.mu.Lock()
		news, broken := g.news, g.broken
		g.mu.Unlock()
		if broken != nil {
			return broken
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken
}

// Report is what has been measured so far.
func (g *Gap) Report() GapReport {
	g.mu.Lock()
	defer g.mu.Unlock()
	report := g.report
	report.Sections = slices.Clone(report.Sections)
	return report
}

// Stop ends the writing, looks whether all that was acknowledged is there, and takes the
// object away. A gap that lasts still ends here.
func (g *Gap) Stop(ctx context.Context) (GapReport, error) {
	if g.end == nil {
		return g.Report(), errors.New("stop a writer: it was not started")
	}
	g.end()
	g.group.Wait()
	g.close()
	g.mu.Lock()
	if g.failure != "" {
		g.gap(time.Now())
	}
	err := g.broken
	g.mu.Unlock()
	if err == nil {
		err = g.verify(ctx)
	}
	if _, failed := g.client.delete(ctx, g.key, nil); failed != nil {
		err = errors.Join(err, failed)
	}
	return g.Report(), err
}

// verify looks at the object through any control plane.
func (g *Gap) verify(ctx context.Context) error {
	var live []byte
	err := g.client.persist(ctx, nil, func(ctx context.Context) error {
		var err error
		live, err = g.client.get(ctx, g.path)
		return err
	})
	if err != nil {
		return fmt.Errorf("verify the writes: %w", err)
	}
	return g.check(live)
}

func (g *Gap) close() {
	g.dialer.close()
	g.http.CloseIdleConnections()
}

// acknowledged notes a write that has been answered, and the gap that it ends.
func (g *Gap) acknowledged() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if len(g.report.Sections) == 0 {
		g.report.Sections = []GapSection{{Name: "start", Began: now}}
	}
	if !g.last.IsZero() {
		g.gap(now)
	}
	g.report.Writes++
	g.report.Sections[len(g.report.Sections)-1].Writes++
	g.last, g.failure = now, ""
	g.tell()
}

func (g *Gap) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.Failures++
	if n := len(g.report.Sections); n > 0 {
		g.report.Sections[n-1].Failures++
	}
	switch {
	case g.failure != "":
	case errors.Is(err, context.DeadlineExceeded):
		g.failure = fmt.Sprintf("no answer within %s", g.pace.bound)
	default:
		g.failure = brief(err)
	}
}

// gap notes the time since the last success in the section that has most of it: what
// happens at a Mark falls into the section after it, though the last success came before.
// The caller holds the lock.
func (g *Gap) gap(until time.Time) {
	best, most := 0, time.Duration(-1)
	for i, section := range g.report.Sections {
		begin, end := section.Began, until
		if i == 0 || begin.Before(g.last) {
			begin = g.last
		}
		if i+1 < len(g.report.Sections) {
			end = g.report.Sections[i+1].Began
		}
		if within := end.Sub(begin); within > most {
			best, most = i, within
		}
	}
	section := &g.report.Sections[best]
	if length := until.Sub(g.last); length > section.Longest {
		section.Longest, section.At, section.Cause = length, g.last, g.failure
	}
}

// tell wakes who waits for news; the caller holds the lock.
func (g *Gap) tell() {
	close(g.news)
	g.news = make(chan struct{})
}
