package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// fake is a front end that keeps what it is told, and answers as it was made to.
type fake struct {
	answer bool

	mu     sync.Mutex
	events []plan.Event
	notes  []string
	asked  []string

	secrets []Secret
	secret  func(Secret) (string, error)

	checked []Preflight
	plan    func(Prepared) // is called with what is shown

	promises  []api.SmokeResult
	trials    []Trial
	forecasts int
}

func (f *fake) Event(event plan.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, event)
}

func (f *fake) Preflight(found Preflight) { f.checked = append(f.checked, found) }

func (f *fake) Forecast(forecast.Forecast) error {
	f.forecasts++
	return nil
}

func (f *fake) Plan(ready Prepared) error {
	if f.plan != nil {
		f.plan(ready)
	}
	return nil
}

func (f *fake) Ask(_ context.Context, question string) (bool, error) {
	f.asked = append(f.asked, question)
	return f.answer, nil
}

func (f *fake) Secret(_ context.Context, question Secret) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets = append(f.secrets, question)
	if f.secret == nil {
		return "", errors.New("nobody is here")
	}
	return f.secret(question)
}

func (f *fake) Note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

func (f *fake) Promise(one api.SmokeResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.promises = append(f.promises, one)
}

func (f *fake) Trial(one Trial) { f.trials = append(f.trials, one) }

// waits are the stages of hosts that have begun and not ended.
func (f *fake) waits() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	open := map[string]string{}
	for _, event := range f.events {
		switch key := event.Stage + " " + event.Host; {
		case event.Stage == "" || event.Host == "":
		case event.Type == plan.EventStageFinished:
			delete(open, key)
		default:
			open[key] = event.Host + ": " + event.Detail
		}
	}
	return slices.Sorted(maps.Values(open))
}
