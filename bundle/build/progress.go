package build

import "time"

// Stage is a kind of work.
type Stage string

// The stages that a build goes through.
const (
	StageCompile Stage = "compile"
	StageFetch   Stage = "fetch"
	StagePack    Stage = "pack"
	StageWrite   Stage = "write"
)

// State is how far one work is.
type State string

// The states of a work.
const (
	Started State = "started"
	Moving  State = "moving"
	Done    State = "done"
	Cached  State = "cached" // there was nothing to do
	Failed  State = "failed"
)

// Progress is one report. Works run side by side; Stage and Name together name one.
type Progress struct {
	Stage  Stage  `json:"stage"`
	Name   string `json:"name"`
	State  State  `json:"state"`
	Detail string `json:"detail,omitempty"` // what is in hand: a Go package, a Debian package, a file
	// Bytes is how large the result is, once it is done.
	Bytes   int64         `json:"bytes,omitempty"`
	Elapsed time.Duration `json:"elapsed,omitempty"`
	// Processor is how long processors were busy with it, of a cached one when it was made.
	// It tells what a build costs where Elapsed tells what else ran at the same time.
	Processor time.Duration `json:"processor,omitempty"`
}

// report is told of progress by one work at a time.
type report func(Progress)

// outcome is what is told of a work that is done.
type outcome struct {
	bytes     int64
	processor time.Duration
	cached    bool
}

// work reports the begin and end of one piece of work around it.
func work[T any](tell report, stage Stage, name string, do func(moving func(detail string)) (T, outcome, error)) (T, error) {
	begin := time.Now()
	tell(Progress{Stage: stage, Name: name, State: Started})
	result, done, err := do(func(detail string) {
		tell(Progress{Stage: stage, Name: name, State: Moving, Detail: detail, Elapsed: time.Since(begin)})
	})
	end := Progress{Stage: stage, Name: name, State: Done, Bytes: done.bytes, Elapsed: time.Since(begin), Processor: done.processor}
	switch {
	case err != nil:
		end.State, end.Detail = Failed, err.Error()
	case done.cached:
		end.State = Cached
	}
	tell(end)
	return result, err
}
