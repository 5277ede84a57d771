package main

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// timeline keeps what a run did when, for a picture.
type timeline struct {
	mu    sync.Mutex
	began time.Time
	open  map[string]plan.Event // steps and stages under way, by their names
	bars  []bar
}

// operator is the place of what is done on the operator's own machine.
const operator = "operator"

func newTimeline() *timeline {
	return &timeline{began: time.Now(), open: map[string]plan.Event{}}
}

// Event notes a beginning and an end. Of the stages those of single hosts are not drawn, nor
// the one in which nothing need happen.
func (t *timeline) Event(event plan.Event) {
	name := cmp.Or(event.Step, event.Stage)
	if name == "" || event.Stage != "" && event.Host != "" || event.Stage == plan.StageRescue {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch event.Type {
	case plan.EventStepStarted, plan.EventStageStarted:
		t.open[name] = event
	case plan.EventStepFinished, plan.EventStepFailed, plan.EventStepCanceled, plan.EventStageFinished:
		begun, running := t.open[name]
		if !running {
			return
		}
		delete(t.open, name)
		place := event.Subject.Host
		if event.Stage != "" {
			place = operator
		}
		t.bars = append(t.bars, bar{
			place: place, name: name, phase: cmp.Or(string(event.Phase), event.Stage),
			waits: waits(event.Kind), failed: event.Type == plan.EventStepFailed,
			from: begun.Time.Sub(t.began), to: event.Time.Sub(t.began),
		})
	}
}

// waits tells the actions that only wait from those that work.
func waits(kind string) bool { return strings.HasPrefix(kind, "wait-") || kind == "member-promote" }

// save draws the picture into a file.
func (t *timeline) save(file string, hosts []string) error {
	if err := os.WriteFile(file, t.draw(hosts), 0o644); err != nil {
		return fmt.Errorf("write the timeline: %w", err)
	}
	return nil
}

// draw draws what was done for a host beside it, and all else for the cluster.
func (t *timeline) draw(hosts []string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	bars := slices.Clone(t.bars)
	for i, b := range bars {
		if b.place != operator && !slices.Contains(hosts, b.place) {
			bars[i].place = "cluster"
		}
	}
	return drawTimeline(slices.Concat([]string{operator}, hosts, []string{"cluster"}), bars)
}

// bar is one thing that took time.
type bar struct {
	place, name, phase string
	from, to           time.Duration // since the run began
	waits              bool          // nothing was done: something was waited for
	failed             bool
}

// Measures of the picture, in pixels.
const (
	pictureWidth = 1280
	marginLeft   = 110
	marginRight  = 20
	axisHeight   = 34
	rowHeight    = 15
	placeGap     = 10
	letterWidth  = 6
)

// phaseColours are what the bars of a phase are filled with; those of no phase of this
// table are grey.
var phaseColours = map[string]string{
	"connect": "#7f8fa6", "observe hosts": "#a4b0be", "mint": "#c4a484", "observe cluster": "#a4b0be", "verify the bundle": "#c4a484", "plan": "#7f8fa6", "verify": "#a4b0be",
	"prepare": "#9b8fc4", "binaries": "#c49b8f", "containerd": "#c4798f", "images": "#e0a458",
	"certs": "#6fae8f", "kubeconfig": "#8fc4ae", "etcd": "#4f86c6", "control-plane": "#2f66a6",
	"kubelet": "#3fa0a8", "load-balancer": "#b05fa0", "wait-control-plane": "#2f66a6",
	"wait-endpoint": "#b05fa0", "wait-node": "#3fa0a8", "mark-control-plane": "#6a8f3f", "mark-node": "#6a8f3f",
	"addon/flannel": "#d07a3a", "addon/kube-proxy": "#d0a03a", "addon/coredns": "#b8c43a",
	"upload-config": "#8a8a5a", "bootstrap-token": "#a8a87a", "kubelet-finalize": "#8a8a5a",
}

const otherColour = "#b8b8b8"

// drawTimeline draws the bars of each place in as few rows as they fit in, as SVG. What
// was waited for is pale and dashed, what failed has a red rim.
func drawTimeline(places []string, bars []bar) []byte {
	bars = slices.Clone(bars)
	slices.SortStableFunc(bars, func(a, b bar) int { return int(a.from - b.from) })
	var end time.Duration
	for _, b := range bars {
		end = max(end, b.to)
	}
	scale := timeScale{end: max(end, time.Second)}
	var body bytes.Buffer
	y := axisHeight
	for _, place := range places {
		rows := packRows(ofPlace(bars, place))
		if len(rows) == 0 {
			continue
		}
		height := len(rows) * rowHeight
		fmt.Fprintf(&body, `<rect x="0" y="%d" width="%d" height="%d" fill="#f6f7f9"/>`+"\n", y-3, pictureWidth, height+6)
		fmt.Fprintf(&body, `<text x="8" y="%d" class="place">%s</text>`+"\n", y+11, html.EscapeString(place))
		for i, row := range rows {
			for _, b := range row {
				drawBar(&body, scale, b, y+i*rowHeight)
			}
		}
		y += height + placeGap
	}
	return frame(scale, body.Bytes(), y)
}

func ofPlace(bars []bar, place string) []bar {
	return slices.DeleteFunc(slices.Clone(bars), func(b bar) bool { return b.place != place })
}

// packRows puts each bar into the first row whose last bar has ended; bars are sorted by
// their beginning.
func packRows(bars []bar) [][]bar {
	var rows [][]bar
next:
	for _, b := range bars {
		for i, row := range rows {
			if row[len(row)-1].to <= b.from {
				rows[i] = append(row, b)
				continue next
			}
		}
		rows = append(rows, []bar{b})
	}
	return rows
}

// timeScale turns times into places on the picture.
type timeScale struct{ end time.Duration }

func (s timeScale) x(at time.Duration) float64 {
	return marginLeft + float64(at)/float64(s.end)*(pictureWidth-marginLeft-marginRight)
}

func drawBar(out *bytes.Buffer, scale timeScale, b bar, y int) {
	x, width := scale.x(b.from), max(scale.x(b.to)-scale.x(b.from), 1)
	colour, known := phaseColours[b.phase]
	if !known {
		colour = otherColour
	}
	style := fmt.Sprintf(`fill="%s"`, colour)
	if b.waits {
		style = fmt.Sprintf(`fill="%s" fill-opacity="0.18" stroke="%s" stroke-dasharray="3 2"`, colour, colour)
	}
	if b.failed {
		style += ` stroke="#c0392b" stroke-width="2"`
	}
	title := fmt.Sprintf("%s: %.2f s, from %.2f s", b.name, (b.to - b.from).Seconds(), b.from.Seconds())
	fmt.Fprintf(out, `<g><title>%s</title><rect x="%.1f" y="%d" width="%.1f" height="%d" rx="2" %s/>`, html.EscapeString(title), x, y, width, rowHeight-3, style)
	if label := shortName(b); float64(len(label)*letterWidth) < width {
		class := "on"
		if b.waits {
			class = "beside"
		}
		fmt.Fprintf(out, `<text x="%.1f" y="%d" class="%s">%s</text>`, x+3, y+10, class, html.EscapeString(label))
	}
	out.WriteString("</g>\n")
}

// shortName is a step's id without what its place says already.
func shortName(b bar) string {
	name := strings.TrimPrefix(strings.TrimPrefix(b.name, b.place+"/"), "cluster/")
	return strings.TrimSuffix(name, "/"+b.place)
}

// frame puts the axis above and the grid behind the bars.
func frame(scale timeScale, body []byte, height int) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif">`+"\n", pictureWidth, height, pictureWidth, height)
	out.WriteString("<style>text{font-size:10px;fill:#333}.place{font-size:12px;font-weight:bold}.on{fill:#fff}.beside{fill:#444}.axis{fill:#777}</style>\n")
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", pictureWidth, height)
	out.Write(body)
	step := tick(scale.end)
	for at := time.Duration(0); at <= scale.end; at += step {
		x := scale.x(at)
		fmt.Fprintf(&out, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#000" stroke-opacity="0.08"/>`+"\n", x, axisHeight-8, x, height)
		fmt.Fprintf(&out, `<text x="%.1f" y="%d" class="axis" text-anchor="middle">%gs</text>`+"\n", x, axisHeight-14, at.Seconds())
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// tick is the time between two lines of the grid: ten to twenty five of them.
func tick(end time.Duration) time.Duration {
	for _, step := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second} {
		if end/step <= 25 {
			return step
		}
	}
	return time.Minute
}
