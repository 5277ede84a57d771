package workflow

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// What of the earlier runs' journals is read.
const (
	newestRuns   = 20      // journals
	mostOfRuns   = 8 << 20 // bytes of all of them together
	mostOfLine   = 64 << 10
	newestOfAKey = 15 // steps of one kind
)

// Durations are how long steps took in earlier runs. The zero value knows of none.
type Durations struct {
	steps map[string][]time.Duration // by plan.TimeKey, newest runs first
	kinds map[string][]time.Duration // by the action's kind
}

// ReadDurations reads them from the newest journals of this machine's runs, of all clusters. What of
// those cannot be read is passed over; that there are none is no error.
func ReadDurations() (*Durations, error) {
	d := &Durations{}
	names, err := journalFiles()
	if err != nil {
		return d, err
	}
	room := int64(mostOfRuns)
	for _, name := range names[:min(len(names), newestRuns)] {
		if room <= 0 {
			break
		}
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		limited := &io.LimitedReader{R: file, N: room}
		d.read(limited)
		_ = file.Close()
		room = limited.N
	}
	return d, nil
}

// journalFiles are the files of the runs' journals, the newest first.
func journalFiles() ([]string, error) {
	folder, err := runsFolder()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the runs' journals: %w", err)
	}
	var names []string
	for _, entry := range slices.Backward(entries) { // their names begin with the time
		if entry.Type().IsRegular() && strings.HasSuffix(entry.Name(), ".jsonl") {
			names = append(names, filepath.Join(folder, entry.Name()))
		}
	}
	return names, nil
}

// A journal's name is when the run began, and which cluster it is of.
const journalTime = "20060102T150405.000Z"

func journalOf(cluster string) string { return "-" + cluster + ".jsonl" }

// runsFolder is where the runs' journals are.
func runsFolder() (string, error) {
	root, err := store.DefaultRoot()
	return filepath.Join(root, "runs"), err
}

// read takes over what a journal says, but for lines that are broken or too long.
func (d *Durations) read(journal io.Reader) {
	lines := bufio.NewReaderSize(journal, mostOfLine)
	for {
		line, err := lines.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		var entry engine.Entry
		if !tooLong && json.Unmarshal(line, &entry) == nil && entry.Step != "" && entry.Mark == "end" && entry.Result != "" && entry.Seconds >= 0 {
			key := cmp.Or(entry.TimeKey, plan.TimeKey(plan.Event{Step: entry.Step, Host: entry.Host, Kind: entry.Action}))
			d.note(key, entry.Action, time.Duration(entry.Seconds*float64(time.Second)))
		}
		if err != nil {
			return
		}
	}
}

func (d *Durations) note(key, kind string, took time.Duration) {
	if d.steps == nil {
		d.steps, d.kinds = map[string][]time.Duration{}, map[string][]time.Duration{}
	}
	if len(d.steps[key]) < newestOfAKey {
		d.steps[key] = append(d.steps[key], took)
		d.kinds[kind] = append(d.kinds[kind], took)
	}
}

// median is the one in the middle; 0 of none.
func median(of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
