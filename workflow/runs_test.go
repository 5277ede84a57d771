package workflow

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/phases/engine"
)

// TestRunsAreTold: those for clusters of the name, the newest first, however they have ended.
func TestRunsAreTold(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	if got := runsOf("try"); got != nil {
		t.Errorf("without journals there are %v", got)
	}
	folder, err := runsFolder()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	at := func(hour int) time.Time { return time.Date(2026, 1, 2, hour, 0, 0, 0, time.UTC) }
	write := func(hour int, cluster string, lines ...string) {
		name := filepath.Join(folder, at(hour).Format(journalTime)+journalOf(cluster))
		if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line := func(hour int, mark, step, action, failure string) string {
		text, err := json.Marshal(engine.Entry{Time: at(hour), Mark: mark, Holder: "ann@desk", Step: step, Action: action, Error: failure})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	long := strings.Repeat("x", 2*mostOfLine)
	write(1, "try", line(1, "begin", "", "init", ""), line(1, "begin", "a", "write", ""), line(2, "end", "", "init", ""))
	write(3, "try", line(3, "begin", "", "reset", ""), line(3, "end", "a", "write", long), line(4, "end", "", "reset", "it broke\u001b[2J"))
	write(5, "try", line(5, "begin", "", "join", ""), line(5, "end", "a", "write", ""))
	write(6, "other-try", line(6, "begin", "", "init", ""))
	write(7, "try", "no JSON")
	var told []string
	for _, run := range runsOf("try") {
		ended := "-"
		if !run.Ended.IsZero() {
			ended = fmt.Sprint(run.Ended.Hour())
		}
		told = append(told, fmt.Sprint(run.Workflow, " by ", run.Holder, " ", run.Begun.Hour(), " to ", ended, " ", run.Error))
	}
	want := []string{"join by ann@desk 5 to - ", `reset by ann@desk 3 to 4 it broke\u001b[2J`, "init by ann@desk 1 to 2 "}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("told are\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}
