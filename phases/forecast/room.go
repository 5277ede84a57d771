package forecast

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// place finds a node for a Pod as the scheduler might: among those that suit it and have room, one
// that is not drained (any more) and has the most room. It tells whether there is one.
func (s *simulation) place(p *pod) bool {
	var best *node
	far := s.forbidden(p)
	for _, n := range s.nodes {
		if n.closed || !n.ready || !n.free.hold(p.asks) || best != nil && !n.before(best) {
			continue
		}
		if s.suits(p.class, n) == "" && !near(far, n) && !portsTaken(p, n) {
			best = n
		}
	}
	if best == nil {
		return false
	}
	s.move(p, best)
	return true
}

// before tells whether a node is the better place.
func (n *node) before(other *node) bool {
	return cmp.Or(cmp.Compare(n.rank, other.rank), cmp.Compare(other.free.cpu, n.free.cpu), cmp.Compare(other.free.pods, n.free.pods)) < 0
}

// move puts a Pod onto a node, or with nil onto none.
func (s *simulation) move(p *pod, to *node) {
	if p.at != nil {
		delete(p.at.pods, p)
		p.at.free.add(p.asks, 1)
	}
	if p.at = to; to != nil {
		to.pods[p] = true
		to.free.add(p.asks, -1)
	}
}

// hold tells whether there is as much as is asked for.
func (a amounts) hold(asked amounts) bool {
	return a.lacks(asked) == ""
}

// lacks names what there is too little of.
func (a amounts) lacks(asked amounts) string {
	switch {
	case a.pods < 1:
		return "room for one more Pod"
	case asked.cpu > 0 && a.cpu < asked.cpu:
		return "cpu"
	case asked.memory > 0 && a.memory < asked.memory:
		return "memory"
	case asked.disk > 0 && a.disk < asked.disk:
		return string(corev1.ResourceEphemeralStorage)
	case len(asked.others) == 0:
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(asked.others)) {
		if a.others[name] < asked.others[name] {
			return string(name)
		}
	}
	return ""
}

// add adds as often as times says.
func (a *amounts) add(b amounts, times int64) {
	a.cpu += times * b.cpu
	a.memory += times * b.memory
	a.disk += times * b.disk
	a.pods += times * b.pods
	for name, n := range b.others {
		if a.others == nil {
			a.others = map[corev1.ResourceName]int64{}
		}
		a.others[name] += times * n
	}
}

func amountsOf(list corev1.ResourceList) amounts {
	var a amounts
	for name, quantity := range list {
		switch name {
		case corev1.ResourceCPU:
			a.cpu = quantity.MilliValue()
		case corev1.ResourceMemory:
			a.memory = quantity.Value()
		case corev1.ResourceEphemeralStorage:
			a.disk = quantity.Value()
		case corev1.ResourcePods:
			a.pods = quantity.Value()
		default:
			if a.others == nil {
				a.others = map[corev1.ResourceName]int64{}
			}
			a.others[name] = quantity.Value()
		}
	}
	return a
}

// suits says why a node does not suit Pods of a class, whatever runs there; empty where it does.
func (s *simulation) suits(c *class, n *node) string {
	why, known := c.allowed[n]
	if !known {
		why = s.unsuited(c.pods[0], n)
		c.allowed[n] = why
	}
	return why
}

func (s *simulation) unsuited(p *pod, n *node) string {
	if taint := untolerated(p.Spec.Tolerations, n.Spec.Taints); taint != nil {
		return "taint " + taint.ToString()
	}
	if matches, err := nodeaffinity.GetRequiredNodeAffinity(p.Pod).Match(n.Node); err != nil || !matches {
		return "its node selector or affinity does not allow it"
	}
	for _, volume := range p.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		claim := p.Namespace + "/" + volume.PersistentVolumeClaim.ClaimName
		if nodes := s.volumes[claim]; nodes != nil && !nodes.Match(n.Node) {
			return "the volume of " + claim + " is not reached from there"
		}
	}
	return ""
}

// untolerated is the first taint that keeps a Pod away. That of a cordon counts by itself.
func untolerated(tolerations []corev1.Toleration, taints []corev1.Taint) *corev1.Taint {
	for i, taint := range taints {
		if taint.Effect == corev1.TaintEffectPreferNoSchedule || taint.Key == corev1.TaintNodeUnschedulable {
			continue
		}
		if !slices.ContainsFunc(tolerations, func(t corev1.Toleration) bool { return t.ToleratesTaint(logr.Logger{}, &taint, true) }) {
			return &taints[i]
		}
	}
	return nil
}

// domain is a value of a label that hosts of one topology domain have in common.
type domain struct{ topology, value string }

// forbidden are the topology domains where a Pod may not be, by required Pod anti-affinity: its own
// or that of those that are there.
func (s *simulation) forbidden(p *pod) map[domain]bool {
	var found map[domain]bool
	for _, far := range s.related(p.class) {
		for _, other := range far.from.pods {
			if other == p || other.at == nil {
				continue
			}
			value, there := other.at.Labels[far.topology]
			if !there {
				continue
			}
			if found == nil {
				found = map[domain]bool{}
			}
			found[domain{far.topology, value}] = true
		}
	}
	return found
}

// related finds once whom a class may not be near.
func (s *simulation) related(c *class) []farther {
	if c.related {
		return c.far
	}
	c.related = true
	for _, other := range s.kinds {
		for _, term := range c.apart {
			if term.means(other) {
				c.far = append(c.far, farther{term.topology, other})
			}
		}
		for _, term := range other.apart {
			if other != c && term.means(c) {
				c.far = append(c.far, farther{term.topology, other})
			}
		}
	}
	return c.far
}

func (a apart) means(c *class) bool {
	return (a.anywhere || a.in[c.namespace]) && a.selector.Matches(c.labels)
}

func near(far map[domain]bool, n *node) bool {
	for d := range far {
		if value, there := n.Labels[d.topology]; there && value == d.value {
			return true
		}
	}
	return false
}

func portsTaken(p *pod, n *node) bool {
	if len(p.ports) == 0 {
		return false
	}
	for other := range n.pods {
		if slices.ContainsFunc(p.ports, func(port hostPort) bool { return slices.Contains(other.ports, port) }) {
			return true
		}
	}
	return false
}

// nowhere says of all nodes why they do not take a Pod.
func (s *simulation) nowhere(p *pod) Note {
	far := s.forbidden(p)
	reasons, bound := map[string]int{}, 0
	for _, n := range s.nodes {
		why := s.suits(p.class, n)
		switch {
		case n.closed:
			why = "cordoned, or drained too"
		case !n.ready:
			why = "not Ready"
		case strings.Contains(why, "volume"):
			bound++
		case why != "":
		case near(far, n):
			why = "a Pod is there from which it must be apart (anti-affinity)"
		case portsTaken(p, n):
			why = "its host port is taken"
		default:
			why = "too little " + n.free.lacks(p.asks)
		}
		reasons[why]++
	}
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		parts = append(parts, fmt.Sprintf("%s: %s", count(reasons[why], "node"), why))
	}
	note := Note{
		Kind: KindNowhere, Severity: Interrupts, Fix: "make room: add a host, or scale something down; else it waits until its host is back",
		Seen: "no other node takes it: " + strings.Join(parts, "; "),
	}
	if bound > 0 {
		note.Kind, note.Fix = KindVolume, "it waits until its host is back; or move its data to a volume that other hosts reach"
	}
	return note
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
