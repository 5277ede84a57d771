package tui

import (
	"strings"
	"time"
)

// jobView is what every view of a job goes by.
type jobView struct {
	*shared
	task    task
	job     *job
	clockAt func() time.Time
}

// clockNow is the time that the run's clock shows: it stands still when the run has ended.
func (s *jobView) clockNow() time.Time {
	if s.job.ended.IsZero() {
		return s.clockAt()
	}
	return s.job.ended
}

func (s *jobView) bar(done, all, columns int) string {
	if columns < 4 || all == 0 {
		return ""
	}
	full := columns * max(0, min(done, all)) / all
	return s.theme.good.Render(strings.Repeat(s.theme.bar[1], full)) + s.theme.faint.Render(strings.Repeat(s.theme.bar[0], columns-full))
}
