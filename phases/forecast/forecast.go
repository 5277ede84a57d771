package forecast

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Make plays the drains of the sets, one after another, from what was seen. It fails where the
// selector of the options is none.
func Make(state State, sets []Set, options Options) (Forecast, error) {
	s, err := begin(state, options)
	if err != nil {
		return Forecast{}, fmt.Errorf("read the Pod selector: %w", err)
	}
	for _, set := range sets {
		for _, name := range set.Hosts {
			if n := s.byName[name]; n != nil {
				n.rank = 2
			}
		}
	}
	for name := range options.Cordoned {
		if n := s.byName[name]; n != nil && n.rank != 2 {
			n.closed = false
		}
	}
	f := Forecast{Hosts: []Host{}}
	for _, set := range sets {
		f.Hosts = append(f.Hosts, s.drainSet(set)...)
	}
	return f, nil
}

// drainSet drains hosts that are cordoned together and, if they return, has them take Pods again.
func (s *simulation) drainSet(set Set) []Host {
	var opened []*node
	for _, name := range set.Hosts {
		if n := s.byName[name]; n != nil && (!n.closed || s.options.Cordoned[name]) {
			n.closed = true
			opened = append(opened, n)
		}
	}
	var drained []Host
	for _, name := range set.Hosts {
		drained = append(drained, s.drain(name, set))
	}
	if set.Return {
		for _, n := range opened {
			n.closed, n.rank = false, 0
		}
		s.placePending()
	}
	return drained
}

func (s *simulation) drain(name string, set Set) Host {
	host := Host{Name: name, Pods: []Pod{}}
	n := s.byName[name]
	if n == nil {
		return host // no node is registered: there is nothing to drain
	}
	for _, p := range s.pods {
		ended := p.at == nil && p.from == "" && p.Spec.NodeName == name // and so it takes no room
		if p.at != n && !ended {
			continue
		}
		told := s.choose(p)
		if told.Fate != Stays && told.Fate != Blocked {
			s.evict(p, &told, set)
		}
		host.Pods = append(host.Pods, told)
	}
	if !n.ready && host.Going() > 0 {
		host.Notes = append(host.Notes, Note{
			Kind: KindNode, Severity: Blocks, May: []Choice{Wait, Skip},
			Seen: "the node is not Ready, and no kubelet ends its Pods" + unreadyReason(n.Node),
			Fix:  "bring the host back; if it is dead for good: slipway remove --offline " + name,
		})
	}
	return host
}

func unreadyReason(n *corev1.Node) string {
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Reason != "" {
			return " (" + condition.Reason + ")"
		}
	}
	return ""
}

// evict asks for one Pod's eviction, and has it run elsewhere.
func (s *simulation) evict(p *pod, told *Pod, set Set) {
	if note := s.asked(p, told); note != nil {
		told.Notes = append(told.Notes, *note)
		if note.Severity == Blocks {
			told.Fate = Blocked
			return
		}
		told.Fate = Deleted
	}
	if note := s.missed(p, set); note != nil {
		told.Notes = append(told.Notes, *note)
	}
	p.from = p.Spec.NodeName
	if p.at != nil {
		p.from = p.at.Name
	}
	s.move(p, nil)
	if p.controller == nil || told.Why != "" || told.Fate == Deleted && p.daemonSet != "" {
		return // nothing makes it again
	}
	if s.place(p) {
		p.returned()
		return
	}
	told.Notes = append(told.Notes, s.nowhere(p))
	s.pending = append(s.pending, p)
	for _, b := range p.budgets {
		if p.taken {
			b.missing = append(b.missing, p)
		}
	}
}

// asked says what its budgets and the API server say to a Pod's eviction; nil: they grant it. What
// is deleted all the same is no blocker.
func (s *simulation) asked(p *pod, told *Pod) *Note {
	taken, note := take(p)
	p.taken = taken
	if answer := s.state.Refused[p.key]; note == nil && answer != "" && p.from == "" {
		note = &Note{Kind: KindRefused, Severity: Blocks, May: []Choice{Wait, Force, Skip}, Seen: "the API server refuses its eviction now: " + answer,
			Fix: "see to what it says; or --on-blocked wait, where it passes"}
	}
	switch {
	case note == nil && s.options.DisableEviction:
		told.Fate = Deleted
		return nil
	case note == nil:
		return nil
	case s.options.DisableEviction:
		return &Note{Kind: note.Kind, Severity: Interrupts, Seen: "it is deleted, not evicted (--disable-eviction), although " + note.Seen}
	case s.options.ForceAfter > 0 && slices.Contains(note.May, Force):
		return &Note{Kind: note.Kind, Severity: Interrupts, Seen: fmt.Sprintf("it is deleted after %d s, although %s", s.options.ForceAfter, note.Seen)}
	}
	return note
}

// missed tells where a controller's last Pods go at once, and no budget holds any.
func (s *simulation) missed(p *pod, set Set) *Note {
	if p.controller == nil || p.controller.Kind == "Job" || p.daemonSet != "" || !p.ready || len(p.budgets) > 0 {
		return nil
	}
	all := 0
	for _, other := range s.owned[string(p.controller.UID)] {
		if !other.ready || other.DeletionTimestamp != nil || other != p && other.at == nil {
			continue
		}
		if !slices.Contains(set.Hosts, other.at.Name) {
			return nil // it runs meanwhile
		}
		all++
	}
	if all > 1 {
		return &Note{
			Kind: KindSingle, Severity: Interrupts, Seen: fmt.Sprintf("all %d Pods of %s are on the hosts that go, and no budget keeps any", all, p.owner),
			Fix: "give it a PodDisruptionBudget, or drain the hosts one after the other",
		}
	}
	return &Note{
		Kind: KindSingle, Severity: Interrupts, Seen: "it is the only one of " + p.owner + ": that is missed until a new one is Ready",
		Fix: scaleUp(p),
	}
}

// scaleUp is how to have a second Pod beside the only one; empty where nothing is known of its owner.
func scaleUp(p *pod) string {
	kind, name, _ := strings.Cut(p.owner, " "+p.Namespace+"/")
	if !slices.Contains([]string{"Deployment", "ReplicaSet", "StatefulSet"}, kind) {
		return ""
	}
	return "scale it up for the time: kubectl scale -n " + p.Namespace + " " + strings.ToLower(kind) + "/" + name + " --replicas 2"
}

// returned has a Pod count again for its budget: it runs elsewhere.
func (p *pod) returned() {
	if !p.taken {
		return
	}
	p.taken = false
	for _, b := range p.budgets {
		b.healthy++
		b.missing = slices.DeleteFunc(b.missing, func(other *pod) bool { return other == p })
	}
}

// placePending has Pods run that found no room before.
func (s *simulation) placePending() {
	var left []*pod
	for _, p := range s.pending {
		if s.place(p) {
			p.returned()
			continue
		}
		left = append(left, p)
	}
	s.pending = left
}
