package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// TimeKey is the same for steps that take about as long: those that do the same thing on another host, or
// did it in another run. It is the step's id without the host, and the action's kind.
func TimeKey(event Event) string {
	parts := strings.Split(event.Step, "/")
	if event.Host != "" {
		parts = parts[1:]
	} else { // cluster/phase/host/thing: it is done to the cluster for the host's sake
		parts = slices.DeleteFunc(parts, func(part string) bool {
			return part != "" && (part == event.Subject.Host || part == event.Subject.Member)
		})
	}
	return strings.Join(parts, "/") + " " + event.Kind
}

// TimeKeyOf is the TimeKey of a step's events.
func TimeKeyOf(step Step) string {
	return TimeKey(Event{Step: step.ID, Host: step.Host, Subject: step.Subject, Kind: Kind(step)})
}

// Stand is how far a step is.
type Stand struct {
	Ended bool          // whichever way
	Began time.Time     // zero: it has not begun
	More  time.Duration // until it can begin, for what is on its way to it
}

// Course is a plan's steps with what each waits for, to reckon the time that is left. Rescue steps
// are not in it.
type Course struct {
	order []int // of the plan's steps, each after those that it waits for
	needs [][]needed
}

// needed are steps that have to end before another begins, or one of them.
type needed struct {
	steps []int
	any   bool
}

// NewCourse fails where steps wait for each other, or for what is not there.
func NewCourse(p Plan) (*Course, error) {
	index := make(map[string]int, len(p.Steps))
	ordinary := Plan{}
	for i, step := range p.Steps {
		if !step.IsRescue() {
			index[step.ID] = i
			ordinary.Steps = append(ordinary.Steps, step)
		}
	}
	ids, err := Order(ordinary)
	if err != nil {
		return nil, err
	}
	c := &Course{needs: make([][]needed, len(p.Steps))}
	for _, id := range ids {
		c.order = append(c.order, index[id])
	}
	last := map[Lane]int{}
	for _, step := range ordinary.Steps {
		at, lane := index[step.ID], LaneOf(step)
		if previous, ok := last[lane]; ok {
			c.needs[at] = append(c.needs[at], needed{steps: []int{previous}})
		}
		last[lane] = at
		for _, dependency := range step.After {
			one := needed{any: dependency.Any}
			for _, id := range dependency.Steps {
				other, ok := index[id]
				if !ok {
					return nil, fmt.Errorf("step %q: it waits for %q, which is not in the plan", step.ID, id)
				}
				one.steps = append(one.steps, other)
			}
			c.needs[at] = append(c.needs[at], one)
		}
	}
	return c, nil
}

// Left is the time that the plan still takes: the longest way through the steps that have not ended.
// stands is asked once for each step, by its number in the plan, how far it is, and takes how long it takes in
// all. A step that runs for longer than that is taken to end at once.
func (c *Course) Left(now time.Time, stands func(step int) Stand, takes func(step int) time.Duration) time.Duration {
	ends := make([]time.Duration, len(c.needs))
	longest := time.Duration(0)
	for _, i := range c.order {
		stand := stands(i)
		switch {
		case stand.Ended:
			continue
		case !stand.Began.IsZero():
			ends[i] = max(0, takes(i)-max(0, now.Sub(stand.Began)))
		default:
			ends[i] = max(c.begins(i, ends), stand.More) + takes(i)
		}
		longest = max(longest, ends[i])
	}
	return longest
}

// begins is when all that a step waits for has ended.
func (c *Course) begins(step int, ends []time.Duration) time.Duration {
	begins := time.Duration(0)
	for _, need := range c.needs[step] {
		if len(need.steps) == 0 {
			continue
		}
		at := ends[need.steps[0]]
		for _, i := range need.steps[1:] {
			if need.any {
				at = min(at, ends[i])
			} else {
				at = max(at, ends[i])
			}
		}
		begins = max(begins, at)
	}
	return begins
}
