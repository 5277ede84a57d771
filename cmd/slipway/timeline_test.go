package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
)

func TestTimelineShowsEveryStepAtItsHost(t *testing.T) {
	kept := newTimeline()
	at := func(seconds float64) time.Time { return kept.began.Add(time.Duration(seconds * float64(time.Second))) }
	for _, step := range []struct {
		id, subject string
		phase       plan.Phase
		kind        string
		from, to    float64
	}{
		{"cp-1/kubelet/kubelet.service", "cp-1", "kubelet", "set-unit", 1, 2},
		{"cp-1/images/pause", "cp-1", "images", "load-image", 1.5, 3},
		{"cluster/wait-node/worker-1", "worker-1", "wait-node", "wait-node", 2, 9},
		{"cluster/addon/coredns/x<y", "", "addon/coredns", "apply", 4, 5},
	} {
		event := plan.Event{Step: step.id, Subject: plan.Subject{Host: step.subject}, Phase: step.phase, Kind: step.kind}
		event.Type, event.Time = plan.EventStepStarted, at(step.from)
		kept.Event(event)
		event.Type, event.Time = plan.EventStepFinished, at(step.to)
		kept.Event(event)
	}
	drawn := string(kept.draw([]string{"cp-1", "worker-1"}))
	wellFormed(t, drawn)
	for _, want := range []string{
		"cp-1/kubelet/kubelet.service: 1.00 s, from 1.00 s", "cp-1/images/pause: 1.50 s, from 1.50 s",
		"cluster/wait-node/worker-1: 7.00 s, from 2.00 s", "x&lt;y", ">worker-1<",
	} {
		if !strings.Contains(drawn, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
	if strings.Contains(drawn, ">operator<") {
		t.Error("a place without bars is drawn")
	}
	if got := strings.Count(drawn, "stroke-dasharray"); got != 1 {
		t.Errorf("%d bars are drawn as waits, want the one wait", got)
	}
}

func TestBarsThatOverlapGetRowsOfTheirOwn(t *testing.T) {
	rows := packRows([]bar{{from: 0, to: 4}, {from: 1, to: 2}, {from: 2, to: 3}, {from: 4, to: 5}})
	if len(rows) != 2 || len(rows[0]) != 2 || len(rows[1]) != 2 {
		t.Errorf("rows: %v", rows)
	}
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the picture is not well-formed: %v", err)
		}
	}
}
