package tui

import (
	"sync"
	"time"
)

// gatherer gathers lines, and gives them on together: not more often than frames are drawn, however fast they come.
type gatherer struct {
	give  func([]string)
	mu    sync.Mutex
	lines []string
	due   bool
}

func newGatherer(give func([]string)) *gatherer { return &gatherer{give: give} }

func (g *gatherer) add(line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines = append(g.lines, line)
	if over := len(g.lines) - journalKept; over > 0 {
		g.lines = append(g.lines[:0], g.lines[over:]...)
	}
	if g.due {
		return
	}
	g.due = true
	time.AfterFunc(frameInterval, func() {
		g.mu.Lock()
		lines := g.lines
		g.lines, g.due = nil, false
		g.mu.Unlock()
		g.give(lines)
	})
}

// journalKept bounds the lines of a journal that are kept, and journalFirst how many there are at first.
const (
	journalKept  = 2000
	journalFirst = 200
)
