package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/terminal"
)

// shownAs is a frame's time, and its first line.
func shownAs(frames []shown) []string {
	var all []string
	for _, f := range frames {
		var line strings.Builder
		for _, c := range f.picture[0] {
			line.WriteString(c.Text)
		}
		all = append(all, f.at.String()+" "+strings.TrimSpace(line.String()))
	}
	return all
}

func TestFramesOfARecording(t *testing.T) {
	const second = time.Second
	for name, c := range map[string]struct {
		cast terminal.Cast
		want []string
	}{
		"the same is one frame":      {output(0*second, "a", second, "\ra", 2*second, "b"), []string{"0s a", "2s ab"}},
		"idle time is cut":           {output(0*second, "a", 90*second, "b", 91*second, "c"), []string{"0s a", "2s ab", "3s abc"}},
		"a mark plays faster":        {output(0*second, "a", 0*second, "mark: faster 10", 10*second, "b", 10*second, "mark: faster 1", 11*second, "c"), []string{"0s a", "1s ab", "2s abc"}},
		"it ends where a mark says":  {output(0*second, "a", second, "mark: end", 2*second, "b"), []string{"0s a"}},
		"it begins when one sees it": {output(0*second, " ", 5*second, "a"), []string{"5s a"}},
	} {
		if got := shownAs(framesOf(c.cast)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestLongRecordingsArePlayedFaster(t *testing.T) {
	frames := framesOf(output(time.Second, "a", 2*time.Second, "b", 3*time.Second, "c"))
	if got, want := shownAs(within(frames, time.Minute)), []string{"0s a", "1s ab", "2s abc"}; !slices.Equal(got, want) {
		t.Errorf("a short one: %q, want %q", got, want)
	}
	if got, want := shownAs(within(frames, time.Second)), []string{"0s a", "500ms ab", "1s abc"}; !slices.Equal(got, want) {
		t.Errorf("a long one: %q, want %q", got, want)
	}
}

func TestFramesThatNobodyCouldSeeAreLeftOut(t *testing.T) {
	frames := framesOf(output(time.Duration(0), "a", time.Second, "b", 1050*time.Millisecond, "c", 2*time.Second, "d", 2010*time.Millisecond, "\bx\b \b"))
	if got, want := shownAs(thinned(frames, 100*time.Millisecond)), []string{"0s a", "1s abc"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What changes all of the screen at each moment is played with fewer frames, so that it stays small.
func TestALargeAnimationHasFewerFrames(t *testing.T) {
	cast := terminal.Cast{Columns: 100, Lines: 30}
	for i := range 200 {
		var b strings.Builder
		b.WriteString("\x1b[H")
		for line := range 30 {
			fmt.Fprintf(&b, "%s\r\n", strings.Repeat(fmt.Sprint(i*31+line, " ✓ "), 8))
		}
		cast.Events = append(cast.Events, terminal.CastEvent{At: time.Duration(i) * 200 * time.Millisecond, Kind: terminal.CastOutput, Data: b.String()})
	}
	drawn, err := animationSVG(cast)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(drawn, "<animate "); len(drawn) > largest || n < 10 || n >= 200 {
		t.Errorf("%d bytes, %d frames", len(drawn), n)
	}
	wellFormed(t, drawn)
}
