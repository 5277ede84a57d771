package workflow

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// line is what a journal has of a step that was done.
func line(t testing.TB, step, host string, seconds float64) string {
	t.Helper()
	kind := plan.Kind(plan.Step{Action: hosts.MakeDirectory{}})
	data, err := json.Marshal(engine.Entry{Mark: "end", Step: step, Host: host, Action: kind, Result: hosts.Changed, Seconds: seconds})
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

// journals lays journals down, the oldest first, and reads them.
func journals(t testing.TB, texts ...string) *Durations {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	folder, err := runsFolder()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		name := fmt.Sprintf("202612%02dT120000.000Z-try.jsonl", i+1)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := ReadDurations()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// onHosts is a plan of the same steps, one after another, on each host.
func onHosts(names []string, things ...string) plan.Plan {
	var p plan.Plan
	for _, name := range names {
		for _, thing := range things {
			p.Steps = append(p.Steps, plan.Step{ID: name + "/prepare/" + thing, Phase: plan.PhasePrepare, Host: name, Lane: plan.LaneWork, Action: hosts.MakeDirectory{}})
		}
	}
	return p
}

func TestDurationsAreReadFromTheNewestJournals(t *testing.T) {
	broken := "{\n" + `{"mark":"end","step":"x/prepare/a","result":"changed","seconds":-4}` + "\nnot JSON\n" +
		`{"mark":"end","step":"x/prepare/a","host":"x","action":"make-directory","error":"it failed","seconds":4}` + "\n" +
		`{"mark":"end","step":"x/prepare/a","host":"x","action":"make-directory","detail":"not needed"}` + "\n" +
		`{"mark":"end","step":"` + strings.Repeat("x", 2*mostOfLine) + "\n" + line(t, "cp-1/prepare/a", "cp-1", 7) + `{"mark":"end","step":"cut`
	for name, test := range map[string]struct {
		texts []string
		want  time.Duration // 0: it is not known
	}{
		"there are none":             {nil, 0},
		"what is broken is not read": {[]string{broken}, 7 * time.Second},
		"the median":                 {[]string{line(t, "w-1/prepare/a", "w-1", 60), line(t, "w-2/prepare/a", "w-2", 3) + line(t, "w-3/prepare/a", "w-3", 2)}, 3 * time.Second},
		"the newest of one kind":     {[]string{strings.Repeat(line(t, "w-1/prepare/a", "w-1", 60), 50), strings.Repeat(line(t, "w-1/prepare/a", "w-1", 5), newestOfAKey)}, 5 * time.Second},
		"the newest runs":            {append([]string{line(t, "w-1/prepare/a", "w-1", 60)}, make([]string, newestRuns)...), 0},
		"no more than some":          {[]string{line(t, "w-1/prepare/a", "w-1", 60), strings.Repeat(strings.Repeat("x", 999)+"\n", mostOfRuns/1000+1)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			left, known := NewEstimate(onHosts([]string{"n"}, "a"), journals(t, test.texts...)).Left(time.Time{})
			if left != test.want || known != (test.want > 0) {
				t.Errorf("%s, known: %v; want %s", left, known, test.want)
			}
		})
	}
}

// TestTheEnginesJournalIsRead: what this version writes of a step it reads again, of one that is done to the
// cluster for a host's sake as well.
func TestTheEnginesJournalIsRead(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	r := onePlanned()
	r.Yes = true
	if err := s.Run(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	before, err := ReadDurations()
	if err != nil {
		t.Fatal(err)
	}
	again := onePlan()
	for i := range again.Steps {
		again.Steps[i].ID = strings.Replace(again.Steps[i].ID, "cp-1/", "cp-9/", 1)
		again.Steps[i].Host = "cp-9"
	}
	if _, known := NewEstimate(again, before).Left(time.Now()); !known {
		t.Errorf("what was done is not known: %+v", before)
	}
}

// TestAnEstimateFollowsTheRun: what is done, what runs, and what this run's own steps took elsewhere.
func TestAnEstimateFollowsTheRun(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	e := NewEstimate(onHosts([]string{"h1", "h2"}, "a", "b", "c"), journals(t, line(t, "old/prepare/a", "old", 10)))
	event := func(kind plan.EventType, step string, seconds float64) {
		e.Event(plan.Event{Type: kind, Time: now, Step: step, Seconds: seconds})
	}
	want := func(when string, left time.Duration, known bool) {
		t.Helper()
		if got, is := e.Left(now); got != left*time.Second || is != known {
			t.Errorf("%s: %s, known: %v; want %d s, %v", when, got, is, left, known)
		}
	}
	want("a third is known", 0, false)
	event(plan.EventStepStarted, "h1/prepare/a", 0)
	now = now.Add(6 * time.Second)
	event(plan.EventStepFinished, "h1/prepare/a", 6)
	event(plan.EventStepStarted, "h1/prepare/b", 0)
	want("a and no more was done", 0, false)
	now = now.Add(4 * time.Second)
	event(plan.EventStepFinished, "h1/prepare/b", 4)
	// h2: a (6 and 10 before: 10), b 4 and c, of which only the kind is known: 10.
	want("this run has told of b", 10+4+10, true)
	event(plan.EventStepStarted, "h2/prepare/a", 0)
	now = now.Add(3 * time.Second)
	want("a runs on h2", 7+4+10, true)
	event(plan.EventStepFailed, "h2/prepare/a", 0)
	event(plan.EventStepSkipped, "h2/prepare/b", 0)
	event(plan.EventStepSkipped, "h2/prepare/c", 0)
	event(plan.EventStepStarted, "of/another/plan", 0)
	want("c is left on h1, and was never done", 0, false)
	event(plan.EventStepFinished, "h1/prepare/c", 1)
	want("all has ended", 0, true)
}

// TestContentOnItsWayCounts as long as it takes at its rate.
func TestContentOnItsWayCounts(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	e := NewEstimate(onHosts([]string{"h1"}, "a"), journals(t, line(t, "old/prepare/a", "old", 10)))
	for _, done := range []int64{0, 25} {
		e.Event(plan.Event{Type: plan.EventStepProgress, Time: now, Step: "h1/prepare/a", Kind: engine.ActionUpload, Progress: &hosts.Progress{Done: done, Total: 100}})
		now = now.Add(5 * time.Second)
	}
	if left, known := e.Left(now); left != 25*time.Second || !known {
		t.Errorf("%s, known: %v", left, known)
	}
	e.Event(plan.Event{Type: plan.EventStepStarted, Time: now, Step: "h1/prepare/a"})
	if left, _ := e.Left(now); left != 10*time.Second {
		t.Errorf("it has begun: %s", left)
	}
}

// BenchmarkEstimate is an event and a look at the time left, in a plan of 5,000 steps on 100 hosts; it has to
// be far below a tenth of a second.
func BenchmarkEstimate(b *testing.B) {
	var names, things []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("h%d", i))
	}
	for i := range 50 {
		things = append(things, fmt.Sprintf("t%d", i))
	}
	p := onHosts(names, things...)
	for i := range p.Steps { // every tenth waits for the one before it on all hosts
		if at := i % 50; at > 0 && at%10 == 0 {
			var all []string
			for _, name := range names {
				all = append(all, name+"/prepare/"+things[at-1])
			}
			p.Steps[i].After = []plan.Dependency{plan.All(all...)}
		}
	}
	text := ""
	for _, thing := range things {
		text += line(b, "old/prepare/"+thing, "old", 2)
	}
	e := NewEstimate(p, journals(b, text))
	now := time.Now()
	for i := 0; b.Loop(); i++ {
		e.Event(plan.Event{Type: plan.EventStepStarted, Time: now, Step: p.Steps[i%len(p.Steps)].ID})
		if _, known := e.Left(now); !known {
			b.Fatal("it is not known")
		}
	}
}
