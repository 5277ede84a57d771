package workflow

import (
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Transfer is how far content is on its way to a host, and how fast. The zero value has not begun.
type Transfer struct {
	marks []mark // of the last transferSpan, the oldest first
	total int64
}

type mark struct {
	at   time.Time
	done int64
}

const (
	// transferSpan is how long a stretch the rate is taken of: lines hesitate.
	transferSpan = 20 * time.Second
	// transferStep is the least between two marks.
	transferStep = 500 * time.Millisecond
	// transferSure is how long it has to go on before a rate says anything.
	transferSure = 2 * time.Second
)

// Carries tells whether an event's progress counts the bytes of content on its way.
func Carries(event plan.Event) bool {
	return event.Kind == engine.ActionUpload && event.Progress != nil && event.Progress.Total > 0
}

// Note takes in how far it is.
func (t *Transfer) Note(progress hosts.Progress, now time.Time) {
	if len(t.marks) > 0 && (progress.Done < t.marks[len(t.marks)-1].done || progress.Total != t.total) {
		t.marks = nil // another one begins, or a part is sent again
	}
	t.total = progress.Total
	next := mark{now, progress.Done}
	if last := len(t.marks) - 1; last > 0 && next.at.Sub(t.marks[last-1].at) < transferStep {
		t.marks[last] = next
	} else {
		t.marks = append(t.marks, next)
	}
	for len(t.marks) > 2 && now.Sub(t.marks[1].at) >= transferSpan {
		t.marks = t.marks[1:]
	}
}

// Left is how long it still takes, and how many bytes come in a second; false where that is not known yet.
func (t *Transfer) Left(now time.Time) (left time.Duration, rate float64, known bool) {
	if len(t.marks) < 2 {
		return 0, 0, false
	}
	first, last := t.marks[0], t.marks[len(t.marks)-1]
	took, came := now.Sub(first.at), last.done-first.done
	if took < transferSure || came <= 0 {
		return 0, 0, false
	}
	rate = float64(came) / took.Seconds()
	return time.Duration(float64(t.total-last.done) / rate * float64(time.Second)), rate, true
}

// String says how far it is: 45 % of 98 MiB, 240 KiB/s, 4 min left.
func (t *Transfer) String() string { return t.text(time.Now()) }

func (t *Transfer) text(now time.Time) string {
	if len(t.marks) == 0 || t.total <= 0 {
		return ""
	}
	done := t.marks[len(t.marks)-1].done
	text := fmt.Sprintf("%d%% of %s", 100*done/t.total, size(t.total))
	if left, rate, known := t.Left(now); known && done < t.total {
		text += fmt.Sprintf(", %s/s, %s left", size(int64(rate)), plan.Spent(coarse(left)))
	}
	return text
}

// coarse is a time no more exact than it is known.
func coarse(left time.Duration) time.Duration {
	switch {
	case left > 10*time.Minute:
		return left.Round(time.Minute)
	case left > time.Minute:
		return left.Round(10 * time.Second)
	}
	return max(time.Second, left.Round(time.Second))
}

// size says bytes as people do.
func size(bytes int64) string {
	switch {
	case bytes >= 10<<20:
		return fmt.Sprintf("%d MiB", bytes>>20)
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d B", bytes)
}
