package tui

import (
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// changedMsg tells that what a screen shows has changed elsewhere.
type changedMsg struct{}

// frameInterval is the least time between two frames that are drawn because something has changed: more nobody
// can read, and a slow link could not carry.
const frameInterval = 100 * time.Millisecond

// notifier tells the program that something has changed: at once, but not more often than the interval, however
// often it is told.
type notifier struct {
	send func(tea.Msg)
	mu   sync.Mutex
	due  bool      // a message is on its way
	last time.Time // of the last message
}

func (n *notifier) notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.due {
		return
	}
	n.due = true
	time.AfterFunc(max(0, frameInterval-time.Since(n.last)), func() {
		n.mu.Lock()
		n.due, n.last = false, time.Now()
		n.mu.Unlock()
		n.send(changedMsg{})
	})
}
