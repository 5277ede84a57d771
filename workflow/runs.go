package workflow

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
)

// shownRuns is how many runs are told of.
const shownRuns = 10

// RunSummary is a run that was made from this machine.
type RunSummary struct {
	Workflow string    `json:"workflow"`
	Holder   string    `json:"holder"` // who made it: user@machine, process
	Begun    time.Time `json:"begun"`
	Ended    time.Time `json:"ended,omitzero"` // zero: it goes on, or was killed
	Error    string    `json:"error,omitempty"`
}

// runsOf are the newest runs for clusters of a name, the newest first, by the journals on this machine.
// One that cannot be read is passed over.
func runsOf(name string) []RunSummary {
	names, err := journalFiles()
	if err != nil {
		return nil // there is nothing to tell then
	}
	var runs []RunSummary
	for _, file := range names {
		base := filepath.Base(file)
		if len(base) < len(journalTime) || base[len(journalTime):] != journalOf(name) {
			continue
		}
		if run, err := readRun(file); err == nil {
			runs = append(runs, run)
		}
		if len(runs) == shownRuns {
			break
		}
	}
	return runs
}

// readRun reads the begin and the end of a journal.
func readRun(name string) (RunSummary, error) {
	file, err := os.Open(name)
	if err != nil {
		return RunSummary{}, err
	}
	defer file.Close()
	first, err := bufio.NewReaderSize(file, mostOfLine).ReadSlice('\n')
	if err != nil {
		return RunSummary{}, err
	}
	var begin, end engine.Entry
	if err := json.Unmarshal(first, &begin); err != nil {
		return RunSummary{}, err
	}
	run := RunSummary{Workflow: hosts.CleanLine(begin.Action), Holder: hosts.CleanLine(begin.Holder), Begun: begin.Time}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return RunSummary{}, err
	}
	tail := make([]byte, min(size, mostOfLine))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil {
		return RunSummary{}, err
	}
	last := bytes.TrimSuffix(tail, []byte("\n"))
	last = last[bytes.LastIndexByte(last, '\n')+1:]
	if json.Unmarshal(last, &end) == nil && end.Step == "" && end.Mark == "end" {
		run.Ended, run.Error = end.Time, hosts.CleanLine(end.Error)
	}
	return run, nil
}
