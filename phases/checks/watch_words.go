package checks

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// describe says how a thing stands. startup is how long its startup probe gives it; 0 where that is not known.
func describe(sign hosts.Sign, startup time.Duration) string {
	name := nameOf(sign.Source)
	spent := plan.Spent(time.Duration(sign.Seconds * float64(time.Second)))
	switch {
	case sign.Source == hosts.SourceImages:
		return fmt.Sprintf("images are being fetched (%d MiB so far)", sign.Fetched>>20)
	case strings.HasSuffix(sign.Source, ".service"):
		if sign.Attempt > 0 {
			return fmt.Sprintf("%s is %s, restarted %s", name, sign.State, times(sign.Attempt))
		}
		return fmt.Sprintf("%s is %s", name, sign.State)
	case sign.State == hosts.StateCreated:
		return name + " is made, and not started yet"
	case sign.State == hosts.StateEnded:
		return fmt.Sprintf("%s ended %s ago, %s; it is started again within %s (started %s so far)",
			name, spent, how(*sign.Ended, startup), plan.Spent(backoff(sign.Attempt)), times(sign.Attempt+1))
	}
	text := fmt.Sprintf("%s is running, started %s ago", name, spent)
	if startup > 0 {
		text += fmt.Sprintf(", not ready yet (its startup probe gives it %s)", plan.Spent(startup))
	}
	if sign.Attempt > 0 {
		text += fmt.Sprintf(", restart %d", sign.Attempt)
		if sign.Ended != nil {
			text += ": before, it ended " + how(*sign.Ended, startup)
		}
	}
	return text
}

// how says how a container ended. One that ran as long as its startup probe gives it was ended by that: the
// kubelet asks it to end, and kills it where it does not.
func how(ended hosts.Ending, startup time.Duration) string {
	const grace = 90 * time.Second // the first probe's delay, the last one's timeout, and the end's
	ran := time.Duration(ended.Ran * float64(time.Second))
	switch {
	case strings.EqualFold(ended.Reason, "OOMKilled"):
		return fmt.Sprintf("for lack of memory after %s", plan.Spent(ran))
	case startup > 0 && ran >= startup-10*time.Second && ran <= startup+grace:
		return fmt.Sprintf("by its startup probe after %s: it was not ready in time", plan.Spent(ran))
	}
	return fmt.Sprintf("with code %d after %s", ended.Code, plan.Spent(ran))
}

// nameOf is what a source is called in a status: a container by its own name, a unit without its suffix.
func nameOf(source string) string {
	if _, _, name, ok := ofContainer(source); ok {
		return name
	}
	return strings.TrimSuffix(source, ".service")
}

// rank orders what a status names: what does not run, then what has just begun.
func rank(sign hosts.Sign) int {
	switch {
	case strings.HasSuffix(sign.Source, ".service"):
		return 0
	case sign.State == hosts.StateEnded:
		return 1
	case sign.State == hosts.StateCreated:
		return 2
	case sign.Source == hosts.SourceImages:
		return 3
	}
	return 4
}

func times(count int) string {
	switch count {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", count)
}

// backoff is how long the kubelet waits at most before it starts a container again that has been started so
// often before: 10 s, and twice as long each time, up to five minutes.
func backoff(attempt int) time.Duration {
	const first, longest = 10 * time.Second, 5 * time.Minute
	if attempt > 5 {
		return longest
	}
	return min(longest, first<<max(0, attempt))
}

func withoutNumbers(text string) string { return measures.ReplaceAllString(text, "#") }

// shape is what lines of a log have in common that say the same of different things.
func shape(line string) string {
	line = quoted.ReplaceAllString(line, `""`)
	line = hexes.ReplaceAllString(line, "#")
	return digits.ReplaceAllString(line, "#")
}

func endingKind(ended hosts.Ending) string { return fmt.Sprintf("%d %s", ended.Code, ended.Reason) }

// Measures in a note that differ from look to look and say nothing new: times, ports, ids. Counts of a few
// digits stay: of 3 Pods, 2 are ready.
var (
	measures = regexp.MustCompile(`(\d+(\.\d+)?(ns|µs|ms|s|m|h))+\b|\b[0-9a-f]*\d[0-9a-f]{5,}\b|:\d+|\d{4,}`)
	digits   = regexp.MustCompile(`\d+`)
	quoted   = regexp.MustCompile(`"(\\.|[^"\\])*"`)
	hexes    = regexp.MustCompile(`\b[0-9a-f]{6,}\b`)
)
