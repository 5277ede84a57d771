package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/terminal"
)

// What an animation is held to.
const (
	longestIdle  = 2 * time.Second // nothing changes for no longer
	longest      = 60 * time.Second
	lastShown    = 3 * time.Second // how long the end is seen, before it begins anew
	largest      = 1_000_000       // bytes
	fasterMark   = "faster "
	endMark      = "end"                  // what comes after it is not in the animation
	shortestStep = 100 * time.Millisecond // no frame is shown for less
)

// shown is a screen, and since when it is seen.
type shown struct {
	at      time.Duration
	picture terminal.Picture
	lines   []string // the same, drawn
}

// timesOf reads how many times faster is to be played.
func timesOf(said string) (float64, error) {
	times, err := strconv.ParseFloat(said, 64)
	if err != nil || times < 1 || times > 1000 {
		return 1, fmt.Errorf("want how many times faster the animation plays from here on, 1 to 1000, not %q", said)
	}
	return times, nil
}

// framesOf are the different screens of a recording. Marks say how fast it is played, and where it ends; where nothing changes,
// time passes no longer than longestIdle.
func framesOf(cast terminal.Cast) []shown {
	var frames []shown
	var now, before time.Duration
	times, ended := 1.0, false
	cast.Play(func(event terminal.CastEvent, picture terminal.Picture) {
		ended = ended || event.Kind == terminal.CastMark && event.Data == endMark
		now += time.Duration(float64(event.At-before) / times)
		before = event.At
		if said, is := strings.CutPrefix(event.Data, fasterMark); is && event.Kind == terminal.CastMark {
			times, _ = timesOf(said) // else at its own pace
		}
		last := len(frames) - 1
		lines := linesSVG(picture)
		if ended || last < 0 && strings.Join(lines, "") == "" || last >= 0 && slices.Equal(frames[last].lines, lines) {
			return
		}
		if last >= 0 {
			now = min(now, frames[last].at+longestIdle)
		}
		frames = append(frames, shown{now, picture, lines})
	})
	return frames
}

func linesSVG(picture terminal.Picture) []string {
	var lines []string
	for _, line := range picture {
		lines = append(lines, lineSVG(line))
	}
	return lines
}

// within plays frames faster where they take longer than they may, and begins with the first.
func within(frames []shown, most time.Duration) []shown {
	if len(frames) == 0 {
		return nil
	}
	first, length := frames[0].at, frames[len(frames)-1].at-frames[0].at
	part := 1.0
	if length > most {
		part = float64(most) / float64(length)
	}
	var all []shown
	for _, f := range frames {
		f.at = time.Duration(float64(f.at-first) * part)
		all = append(all, f)
	}
	return all
}

// thinned leaves out frames that would be seen for less than a step: of those that come so close after one another the last is
// seen.
func thinned(frames []shown, step time.Duration) []shown {
	var all []shown
	for _, f := range frames {
		if last := len(all) - 1; last >= 0 && f.at-all[last].at < step {
			all[last].picture, all[last].lines = f.picture, f.lines
			if last > 0 && slices.Equal(all[last-1].lines, f.lines) {
				all = all[:last]
			}
			continue
		}
		all = append(all, f)
	}
	return all
}

// animationSVG is a recording as a picture that moves. It plays where no script may run: in a README.
func animationSVG(cast terminal.Cast) (string, error) {
	frames := within(framesOf(cast), longest-lastShown)
	if len(frames) == 0 {
		return "", fmt.Errorf("the recording shows nothing")
	}
	for step := shortestStep; step <= longestIdle; step *= 2 {
		if drawn := framesSVG(thinned(frames, step)); len(drawn) <= largest {
			return drawn, nil
		}
	}
	return "", fmt.Errorf("the animation would be larger than %d bytes: record less", largest)
}

// framesSVG draws each different line once, and each frame as a list of such lines that is shown in its time. Where nothing
// is animated, the last frame is seen.
func framesSVG(frames []shown) string {
	var b strings.Builder
	begin(&b, frames[0].picture)
	names := map[string]string{}
	b.WriteString("<defs>\n")
	for _, f := range frames {
		for _, drawn := range f.lines {
			if drawn == "" || names[drawn] != "" {
				continue
			}
			names[drawn] = "l" + strconv.FormatInt(int64(len(names)), 36)
			fmt.Fprintf(&b, "<g id=\"%s\">%s</g>\n", names[drawn], drawn)
		}
	}
	fmt.Fprintf(&b, "</defs>\n<g transform=\"translate(%d,%d)\">\n", margin, margin)
	length := frames[len(frames)-1].at + lastShown
	for i, f := range frames {
		until := length
		if i+1 < len(frames) {
			until = frames[i+1].at
		}
		b.WriteString("<g")
		if i+1 < len(frames) {
			b.WriteString(" display=\"none\"")
		}
		b.WriteString(">" + shownSVG(f.at, until, length))
		for y, drawn := range f.lines {
			if name := names[drawn]; name != "" {
				fmt.Fprintf(&b, "<use href=\"#%s\" y=\"%d\"/>", name, y*cellHeight)
			}
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// shownSVG has a frame seen from one time to another, again and again.
func shownSVG(from, until, length time.Duration) string {
	share := func(at time.Duration) string {
		return strings.TrimPrefix(strconv.FormatFloat(float64(at)/float64(length), 'f', 5, 64), "0")
	}
	values, times := "none;inline;none", "0;"+share(from)+";"+share(until)
	switch {
	case from == 0 && until == length:
		return ""
	case from == 0:
		values, times = "inline;none", "0;"+share(until)
	case until == length:
		values, times = "none;inline", "0;"+share(from)
	}
	return fmt.Sprintf("<animate attributeName=\"display\" calcMode=\"discrete\" repeatCount=\"indefinite\" dur=\"%.2fs\" values=\"%s\" keyTimes=\"%s\"/>", length.Seconds(), values, times)
}
