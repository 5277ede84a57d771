package plan

import (
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// EventType is what happened: to a step, to the run, or in a stage before or after it.
type EventType string

// The types of event.
const (
	EventRunStarted   EventType = "run-started"
	EventRunFinished  EventType = "run-finished"
	EventStepStarted  EventType = "started"
	EventStepProgress EventType = "progress"
	EventStepFinished EventType = "finished"
	EventStepFailed   EventType = "failed"
	EventStepSkipped  EventType = "skipped"   // something it depends on failed
	EventStepCanceled EventType = "cancelled" // the run was interrupted first
	// EventStepNotNeeded: a rescue step is not to run, since what it rescues is done or was never begun.
	EventStepNotNeeded EventType = "not-needed"

	// A stage comes before or after the steps.
	EventStageStarted  EventType = "stage-started"
	EventStageProgress EventType = "stage-progress"
	EventStageFinished EventType = "stage-finished"
)

// StageRescue lasts while something has begun that is put back if it does not come to its end.
const StageRescue = "rescue"

// Event is one thing that happened. Detail and Fix of a step's progress are the known cause that
// makes it last, and what to do about it. Detail of a stage is what is waited for; its Fix is
// what is to be done where the stage is cut short.
type Event struct {
	Time    time.Time    `json:"time"`
	Type    EventType    `json:"type"`
	Stage   string       `json:"stage,omitempty"`
	Step    string       `json:"step,omitempty"`
	Phase   Phase        `json:"phase,omitempty"`
	Subject Subject      `json:"subject,omitzero"`
	Host    string       `json:"host,omitempty"`
	Kind    string       `json:"action,omitempty"`
	Result  hosts.Result `json:"result,omitempty"`
	Detail  string       `json:"detail,omitempty"`
	// Status says, of the progress of a step that waits, how what it waits for stands on the hosts.
	Status   string          `json:"status,omitempty"`
	Progress *hosts.Progress `json:"progress,omitempty"`
	Seconds  float64         `json:"seconds,omitempty"` // how long the step, or the run, took
	Error    string          `json:"error,omitempty"`
	Fix      string          `json:"fix,omitempty"`
	// Because is the failed step that a skipped one depends on, or that a rescue step runs for.
	Because string `json:"because,omitempty"`
	// Warnings are the plan's, when its run begins.
	Warnings []string         `json:"warnings,omitempty"`
	Evidence []hosts.Evidence `json:"evidence,omitempty"`
}
