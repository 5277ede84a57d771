package tui

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// percentile is the value below which so many percent of them are.
func percentile(took []time.Duration, percent int) time.Duration {
	slices.Sort(took)
	return took[min(len(took)-1, len(took)*percent/100)]
}

func reportTimes(b *testing.B, took []time.Duration) {
	b.ReportMetric(float64(percentile(took, 50).Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(percentile(took, 99).Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
}

// BenchmarkKeyToFrame is how long a key takes from the program to its frame, without a terminal, in each view of a job with 100
// hosts and 5,000 steps.
func BenchmarkKeyToFrame(b *testing.B) {
	for n, name := range viewNames {
		b.Run(strings.ReplaceAll(text.English.Say(name), " ", "-"), func(b *testing.B) {
			j := busyJob(onPaper(b, Terminal{Profile: termenv.ANSI256, Dark: true}, text.English))
			examined(j.job)
			a := newApp(j.shared, j)
			a.Update(tea.WindowSizeMsg{Width: 120, Height: 40})
			a.Update(keyOf(strconv.Itoa(n + 1)))
			openAll(j)
			a.View()
			keys := []string{"down", "down", "pgdown", "up", "end", "home"}
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				began := time.Now()
				a.Update(keyOf(keys[i%len(keys)]))
				a.View()
				took = append(took, time.Since(began))
			}
			reportTimes(b, took)
		})
	}
}

// openAll opens the whole plan: 100 hosts, their phases, 5,000 steps.
func openAll(j *jobScreen) {
	j.tree.opened = map[string]bool{}
	for _, step := range j.job.plan.Steps {
		j.tree.opened["host:"+step.Host] = true
		j.tree.opened["host:"+step.Host+"/"+string(step.Phase)] = true
	}
}
