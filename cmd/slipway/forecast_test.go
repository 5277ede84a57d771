package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/phases/forecast"
)

// TestALongForecastIsShownInShort: its sum, and what blocks before what interrupts; a short one whole.
func TestALongForecastIsShownInShort(t *testing.T) {
	pod := func(name string, severity forecast.Severity) forecast.Pod {
		fate := map[forecast.Severity]forecast.Fate{forecast.Blocks: forecast.Blocked}[severity]
		if fate == "" {
			fate = forecast.Evicted
		}
		return forecast.Pod{Name: "default/" + name, Owner: "Deployment default/web", Fate: fate, Notes: []forecast.Note{{Severity: severity, Seen: string(severity), Fix: "do it"}}}
	}
	var f forecast.Forecast
	short := func() string {
		var b strings.Builder
		if err := writeShortForecast(&b, f); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for i := range 100 {
		f.Hosts = append(f.Hosts, forecast.Host{Name: fmt.Sprintf("w-%d", i), Pods: []forecast.Pod{pod("told", forecast.Told), pod("missed", forecast.Interrupts)}})
		if i == 2 {
			if text := short(); strings.Count(text, "w-") != 3 || strings.Contains(text, "--forecast") {
				t.Errorf("three hosts:\n%s", text)
			}
		}
	}
	f.Hosts[99].Pods = append(f.Hosts[99].Pods, pod("kept", forecast.Blocks))
	lines := strings.Split(short(), "\n")
	if len(lines) > mostLines || lines[0] != "100 hosts: 201 Pods: 200 evicted, 0 deleted, 1 blocked, 0 stay" ||
		lines[1] != "  ✗ w-99: default/kept (Deployment default/web): blocks" || !strings.Contains(short(), "  … and 88 more\n") || strings.Contains(short(), "told") {
		t.Errorf("a hundred hosts:\n%s", short())
	}
}
