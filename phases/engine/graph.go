package engine

import (
	"slices"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// state is how far a step has come.
type state int

const (
	waiting state = iota // for another step
	ready                // to begin, once its content is there
	running
	done
	failed
	skipped   // something it depends on failed
	canceled  // an interrupt came before it
	cut       // an interrupt broke it off
	notNeeded // a rescue step, and there is nothing to rescue
)

func (s state) ended() bool { return s > running }

// need is one dependency of one step.
type need struct {
	step int // whose need it is
	any  bool
	left int // all: how many are not done yet; any: how many have not failed yet
	met  bool
}

// graph knows which step may begin when. It is data: nothing here runs anything.
type graph struct {
	steps   []plan.Step
	states  []state
	open    []int     // by step: how many of its needs are not met
	asked   [][]*need // by step: the needs that hang on it
	because []int     // by skipped step: the failed one at the root
	rescues [][]int   // by rescue step: what it rescues
	rescued [][]int   // by step: its rescue steps
	decided []bool    // by rescue step: whether it is known that it is needed, or not
	doomed  []bool    // by rescue step that is not decided: another that it waits for failed
}

// change is what became of other steps when one ended.
type change struct{ freed, lost, unneeded []int }

// newGraph joins the steps by their dependencies and by the order of their lanes. The
// plan is a valid one.
func newGraph(steps []plan.Step) *graph {
	g := &graph{
		steps:   steps,
		states:  make([]state, len(steps)),
		open:    make([]int, len(steps)),
		asked:   make([][]*need, len(steps)),
		because: make([]int, len(steps)),
		rescues: make([][]int, len(steps)),
		rescued: make([][]int, len(steps)),
		decided: make([]bool, len(steps)),
		doomed:  make([]bool, len(steps)),
	}
	g.joinDependencies()
	g.joinLanes()
	for i := range steps {
		if g.open[i] == 0 {
			g.states[i] = ready
		}
	}
	return g
}

func (g *graph) joinDependencies() {
	index := make(map[string]int, len(g.steps))
	for i, step := range g.steps {
		index[step.ID] = i
	}
	for i, step := range g.steps {
		for _, dependency := range step.After {
			on := make([]int, len(dependency.Steps))
			for at, id := range dependency.Steps {
				on[at] = index[id]
			}
			g.join(i, on, dependency.Any)
		}
		for _, id := range step.Rescues {
			g.rescues[i] = append(g.rescues[i], index[id])
			g.rescued[index[id]] = append(g.rescued[index[id]], i)
		}
		if step.IsRescue() {
			g.open[i]++ // until it is known that it is needed
		}
	}
}

// joinLanes makes each step of a lane wait for the one before it.
func (g *graph) joinLanes() {
	last := map[plan.Lane]int{}
	for i, step := range g.steps {
		key := plan.LaneOf(step)
		if previous, found := last[key]; found {
			g.join(i, []int{previous}, false)
		}
		last[key] = i
	}
}

func (g *graph) join(step int, on []int, anyOf bool) {
	n := &need{step: step, any: anyOf, left: len(on)}
	g.open[step]++
	for _, other := range on {
		g.asked[other] = append(g.asked[other], n)
	}
}

// in lists the steps in a state, in the plan's order.
func (g *graph) in(s state) []int {
	var found []int
	for i := range g.steps {
		if g.states[i] == s {
			found = append(found, i)
		}
	}
	return found
}

// finish notes that a step is done.
func (g *graph) finish(step int) change {
	g.states[step] = done
	var c change
	g.meet(step, &c)
	g.decide(step, &c)
	return c
}

// fail notes that a step failed, and skips what hangs on it.
func (g *graph) fail(step int) change {
	g.states[step], g.because[step] = failed, step
	var c change
	g.lose(step, &c)
	g.decide(step, &c)
	return c
}

// breakOff notes that a step ended at an interrupt without being done.
func (g *graph) breakOff(step int) change {
	g.states[step] = cut
	var c change
	g.decide(step, &c)
	return c
}

// stop notes an interrupt: nothing begins any more but rescue steps.
func (g *graph) stop() (unbegun []int, c change) {
	for i, step := range g.steps {
		if (g.states[i] == waiting || g.states[i] == ready) && !step.IsRescue() {
			g.states[i] = canceled
			unbegun = append(unbegun, i)
		}
	}
	for _, i := range unbegun {
		g.decide(i, &c)
	}
	return unbegun, c
}

// meet tells those who wait for a step that they need not any more.
func (g *graph) meet(step int, c *change) {
	for _, n := range g.asked[step] {
		if n.met || g.states[n.step] != waiting {
			continue
		}
		n.left--
		if !n.any && n.left > 0 {
			continue
		}
		n.met = true
		g.settle(n.step, c)
	}
}

// settle notes that a step waits for one thing less.
func (g *graph) settle(step int, c *change) {
	if g.open[step]--; g.open[step] == 0 {
		g.states[step] = ready
		c.freed = append(c.freed, step)
	}
}

// lose skips those who wait for a step that failed or is skipped, and who waits for them.
func (g *graph) lose(step int, c *change) {
	for _, n := range g.asked[step] {
		if n.met || g.states[n.step] != waiting {
			continue
		}
		if n.left--; n.any && n.left > 0 {
			continue
		}
		g.because[n.step] = g.because[step]
		if g.steps[n.step].IsRescue() && !g.decided[n.step] {
			g.doomed[n.step] = true
			continue
		}
		g.skip(n.step, c)
	}
}

func (g *graph) skip(step int, c *change) {
	g.states[step] = skipped
	c.lost = append(c.lost, step)
	g.lose(step, c)
	g.decide(step, c)
}

// decide sees whether it is known by the end of a step which of its rescue steps are needed.
func (g *graph) decide(step int, c *change) {
	for _, rescue := range g.rescued[step] {
		if g.decided[rescue] || slices.ContainsFunc(g.rescues[rescue], func(i int) bool { return !g.states[i].ended() }) {
			continue
		}
		g.decided[rescue] = true
		switch {
		case !g.halfDone(g.rescues[rescue]):
			g.states[rescue] = notNeeded
			c.unneeded = append(c.unneeded, rescue)
			g.meet(rescue, c)
		case g.doomed[rescue]:
			g.skip(rescue, c)
		default:
			g.settle(rescue, c)
		}
	}
}

// halfDone tells whether something of these has begun and not all of it is done.
func (g *graph) halfDone(steps []int) bool {
	begun, whole := false, true
	for _, i := range steps {
		begun = begun || g.states[i] == done || g.states[i] == failed || g.states[i] == cut
		whole = whole && g.states[i] == done
	}
	return begun && !whole
}

// cause is the failed step that a rescue step runs for, if any.
func (g *graph) cause(rescue int) string {
	for _, i := range g.rescues[rescue] {
		if g.states[i] == failed || g.states[i] == skipped {
			return g.steps[g.because[i]].ID
		}
	}
	return ""
}
