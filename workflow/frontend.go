package workflow

import (
	"context"
	"time"

	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Frontend shows what a session does, and answers its questions.
type Frontend interface {
	// Event tells that something happened: in a stage, or to a step. It may be called from
	// several goroutines, and must not block. A stage that has a Fix must not be cut short: the
	// front end keeps the user from it, or says what is to be done then. Steps end before the
	// run does, and stages before Close returns, but those of hosts that are still being
	// connected to.
	Event(plan.Event)
	// Preflight tells what every check has found, before the plan is made; where one stops the workflow, its
	// refusal is an error as well, which comes at the end.
	Preflight(Preflight)
	// Forecast shows what draining hosts will do, before the plan that does it.
	Forecast(forecast.Forecast) error
	// Plan shows what is going to be done. What of it is other than what is there, Session.Difference tells.
	Plan(Prepared) error
	// Ask puts a question, the last line of the text, and gives whether the answer is yes. It
	// is an error that there is nobody to answer.
	Ask(ctx context.Context, question string) (bool, error)
	// Secret puts a question whose answer is not to be seen: a password, a key's passphrase. It may be called from
	// several goroutines. It is an error that there is nobody to answer; it says what to say on the command's line.
	Secret(ctx context.Context, question Secret) (string, error)
	// Promise tells what became of one of the promises that the cluster is asked for, by smoke or at the
	// end of another workflow. It may be called from several goroutines.
	Promise(api.SmokeResult)
	// Trial tells what a client saw while ha test took something away, when that is put back or, where
	// the trial failed, could not be.
	Trial(Trial)
	// Note says something that belongs to no step.
	Note(format string, args ...any)
}

// The stages of a command: what comes before and after a plan's steps.
const (
	StageConnect      = "connect"
	StageLease        = "lease"
	StageHosts        = "observe hosts"
	StageKeys         = "read keys"
	StageMint         = "mint"
	StageCluster      = "observe cluster"
	StageHealth       = "ask for health"
	StageAPIs         = "ask for deprecated APIs"
	StageTraffic      = "try traffic"
	StageWorkloads    = "look at workloads"
	StagePlan         = "plan"
	StageVerifyBundle = "verify the bundle"
	StageVerify       = "verify"
	StageTrial        = "trial"
	StagePutBack      = "put back"
	StageSmoke        = "smoke"
	StageCleanUp      = "clean up"
	StageClose        = "close"
)

// stages tells the front end of stages.
type stages struct{ front Frontend }

// stage tells that a stage begins, of one host or of all (then it has no name);
// what is what is waited for, if anything. at tells that it is something else by now, and end
// that the stage is over, and what went wrong in it.
func (s stages) stage(stage, host, what string) (at func(what string), end func(error)) {
	return s.begin(plan.Event{Stage: stage, Host: host, Detail: what})
}

// span is a stage of all, in which nobody is waited for; it ends with the error that err points to.
func (s stages) span(stage string) (end func(err *error)) {
	_, over := s.stage(stage, "", "")
	return func(err *error) { over(*err) }
}

func (s stages) begin(event plan.Event) (at func(what string), end func(error)) {
	began, last := time.Now(), event.Detail
	tell := func(kind plan.EventType, event plan.Event) {
		event.Type, event.Time = kind, time.Now()
		s.front.Event(event)
	}
	tell(plan.EventStageStarted, event)
	at = func(what string) {
		if what == last {
			return
		}
		last = what
		tell(plan.EventStageProgress, plan.Event{Stage: event.Stage, Host: event.Host, Detail: what})
	}
	return at, func(err error) {
		over := plan.Event{Stage: event.Stage, Host: event.Host, Seconds: time.Since(began).Seconds()}
		if err != nil {
			over.Error = err.Error()
		}
		tell(plan.EventStageFinished, over)
	}
}
