package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strings"
	"time"
)

// killAfter starts init and kills it -9 when it has finished so many steps; an init
// that ends earlier, since an earlier one had done most of it, is fine.
func killAfter(l *lab, finished int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	command := l.command(ctx, l.withBundle("init", "--yes", "-o", "json")...)
	var stderr strings.Builder
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		l.t.Fatal(err)
	}
	seen := countFinished(bufio.NewScanner(stdout), finished)
	if seen >= finished {
		_ = command.Process.Signal(os.Kill)
	}
	err = command.Wait()
	l.t.Logf("init ended after %d steps: %v", seen, err)
	if seen < finished && err != nil {
		l.t.Fatalf("init failed by itself after %d of %d steps: %v\n%s", seen, finished, err, &stderr)
	}
}

// countFinished reads events until so many steps are finished, or the end.
func countFinished(events *bufio.Scanner, bound int) int {
	events.Buffer(nil, 1<<20)
	seen := 0
	for seen < bound && events.Scan() {
		var event struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(events.Bytes(), &event) == nil && event.Type == "finished" {
			seen++
		}
	}
	return seen
}
