package plan

import (
	"fmt"
	"time"
)

// Patience is how a wait tells slow from stuck, in seconds. The zero value is a wait that lasts until
// its time is over.
type Patience struct {
	// Quiet is how long the wait goes on while nothing moves on the hosts.
	Quiet int `json:"quietSeconds,omitempty"`
	// Busy is how long it goes on while what it waits for is at work, and shows nothing new: a program
	// that starts slowly does so, and one that turns in circles.
	Busy int `json:"busySeconds,omitempty"`
}

// QuietTime and BusyTime are the same as durations.
func (p Patience) QuietTime() time.Duration { return time.Duration(p.Quiet) * time.Second }

// BusyTime is at least QuietTime: who is at work is not quiet.
func (p Patience) BusyTime() time.Duration {
	return max(time.Duration(p.Busy)*time.Second, p.QuietTime())
}

// WaitError is a wait that ended before what was waited for came: it was stuck, or too slow.
type WaitError struct {
	For   string // what was waited for
	After time.Duration
	Last  string // what the wait itself last saw
	// Stuck says why waiting on is in vain. Empty: the time was over.
	Stuck string
	// Moved says what still moved when the time was over; empty where that is not known.
	Moved string
}

func (e *WaitError) Error() string {
	after := Spent(e.After)
	switch {
	case e.Stuck != "":
		return fmt.Sprintf("wait for %s: stuck, given up after %s: %s; last seen: %s", e.For, after, e.Stuck, e.Last)
	case e.Moved != "":
		return fmt.Sprintf("wait for %s: slow, given up at its limit of %s while there still was progress (%s); last seen: %s", e.For, after, e.Moved, e.Last)
	}
	return fmt.Sprintf("wait for %s: not within %s; last seen: %s", e.For, after, e.Last)
}

// StuckError ends a wait, as the cause of its context: it says why waiting on is in vain.
type StuckError struct{ Why string }

func (e *StuckError) Error() string { return "stuck: " + e.Why }

// Spent writes a time that has passed as people do: 95 s, 3 min, 1 h 5 min.
func Spent(d time.Duration) string {
	seconds := int(d.Round(time.Second) / time.Second)
	minutes := seconds / 60
	switch {
	case d < time.Second && d > 0:
		return d.Round(time.Millisecond).String()
	case seconds < 120:
		return fmt.Sprintf("%d s", seconds)
	case minutes < 120 && seconds%60 == 0 || minutes >= 10 && minutes < 120:
		return fmt.Sprintf("%d min", minutes)
	case minutes < 120:
		return fmt.Sprintf("%d min %d s", minutes, seconds%60)
	case minutes%60 == 0:
		return fmt.Sprintf("%d h", minutes/60)
	}
	return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
}
