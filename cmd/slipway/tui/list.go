package tui

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// list is which of many lines is chosen, and which of them are on the screen.
type list struct {
	at, top int // the chosen line, and the first that is shown
	height  int // lines on the screen, at the last frame
}

// key moves the choice among n lines; it tells whether the key was one that does.
func (l *list) key(key tea.KeyMsg, n int) bool { return moves(key, &l.at, l.height, n-1) }

// moves moves a line's number by a key, between 0 and last, a page being as high as what is shown; it tells whether the
// key was one that does.
func moves(key tea.KeyMsg, at *int, height, last int) bool {
	page := max(1, height-1)
	switch key.String() {
	case "up", "k":
		*at--
	case "down", "j":
		*at++
	case "pgup":
		*at -= page
	case "pgdown", " ":
		*at += page
	case "home", "g":
		*at = 0
	case "end", "G":
		*at = last
	default:
		return false
	}
	*at = max(0, min(*at, last))
	return true
}

// window is the range of lines that are shown of n, so that the chosen one is among them.
func (l *list) window(n, height int) (from, to int) {
	height = max(0, height) // what stands above may take more than there is
	l.height = height
	l.at = max(0, min(l.at, n-1))
	if l.at < l.top {
		l.top = l.at
	}
	if l.at >= l.top+height {
		l.top = l.at - height + 1
	}
	l.top = max(0, min(l.top, n-height))
	return l.top, min(n, l.top+height)
}

// scroll is a list that has no chosen line: what moves is what is shown.
type scroll struct{ top, height int }

// key moves what is shown of n lines.
func (s *scroll) key(key tea.KeyMsg, n int) bool { return moves(key, &s.top, s.height, n-s.height) }

func (s *scroll) window(n, height int) (from, to int) {
	height = max(0, height)
	s.height = height
	s.top = max(0, min(s.top, n-height))
	return s.top, min(n, s.top+height)
}

// scrolled are the lines that are shown of all; where there are more, the last one says where one is.
func (s *shared) scrolled(all []string, at *scroll, height int) []string {
	if len(all) <= height || height < 2 {
		from, to := at.window(len(all), height)
		return all[from:to]
	}
	from, to := at.window(len(all), height-1)
	return append(slices.Clone(all[from:to]), s.theme.faint.Render(s.say(text.ScrollAt, from+1, to, len(all))))
}
