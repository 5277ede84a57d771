package engine

import "github.com/slipway-k8s/slipway/phases/plan"

// state is how far a step has come.
type state int

const (
	waiting state = iota // for another step
	ready                // to begin, once its content is there
	running
	done
	failed
	skipped // something it depends on failed
	canceled
)

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
}

// newGraph joins the steps by their dependencies and by the order of their lanes. The
// plan is a valid one.
func newGraph(steps []plan.Step) *graph {
	g := &graph{
		steps:   steps,
		states:  make([]state, len(steps)),
		open:    make([]int, len(steps)),
		asked:   make([][]*need, len(steps)),
		because: make([]int, len(steps)),
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
	}
}

// joinLanes makes each step of a lane wait for the one before it.
func (g *graph) joinLanes() {
	type lane struct{ host, name string }
	last := map[lane]int{}
	for i, step := range g.steps {
		key := lane{step.Host, step.Lane}
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

// finish notes that a step is done and answers the steps that are now ready.
func (g *graph) finish(step int) []int {
	g.states[step] = done
	var freed []int
	for _, n := range g.asked[step] {
		if n.met || g.states[n.step] != waiting {
			continue
		}
		n.left--
		if !n.any && n.left > 0 {
			continue
		}
		n.met = true
		if g.open[n.step]--; g.open[n.step] == 0 {
			g.states[n.step] = ready
			freed = append(freed, n.step)
		}
	}
	return freed
}

// fail notes that a step failed and answers the steps that are skipped for it.
func (g *graph) fail(step int) []int {
	g.states[step] = failed
	g.because[step] = step
	var lost []int
	for queue := []int{step}; len(queue) > 0; queue = queue[1:] {
		for _, n := range g.asked[queue[0]] {
			if n.met || g.states[n.step] != waiting {
				continue
			}
			if n.left--; n.any && n.left > 0 {
				continue
			}
			g.states[n.step] = skipped
			g.because[n.step] = step
			lost = append(lost, n.step)
			queue = append(queue, n.step)
		}
	}
	return lost
}
