package forecast

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-helpers/resource"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// begin puts everything where it was seen.
func begin(state State, options Options) (*simulation, error) {
	selector, err := labels.Parse(options.PodSelector)
	if err != nil {
		return nil, err
	}
	s := &simulation{
		state: state, options: options, selector: selector,
		byName: map[string]*node{}, classes: map[string]*class{}, owned: map[string][]*pod{},
		volumes: reachOf(state.Volumes, state.Claims),
	}
	for i := range state.Nodes {
		n := newNode(&state.Nodes[i])
		s.nodes, s.byName[n.Name] = append(s.nodes, n), n
	}
	budgets := map[string][]*budget{} // by namespace
	for i := range state.Budgets {
		b := newBudget(&state.Budgets[i])
		budgets[b.Namespace] = append(budgets[b.Namespace], b)
	}
	for i := range state.Pods {
		s.add(&state.Pods[i], budgets)
	}
	slices.SortFunc(s.pods, func(a, b *pod) int { return strings.Compare(a.key, b.key) })
	return s, nil
}

func newNode(of *corev1.Node) *node {
	n := &node{Node: of, closed: of.Spec.Unschedulable, rank: 1, free: amountsOf(of.Status.Allocatable), pods: map[*pod]bool{}}
	for _, condition := range of.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			n.ready = condition.Status == corev1.ConditionTrue
		}
	}
	return n
}

func (s *simulation) add(of *corev1.Pod, budgets map[string][]*budget) {
	p := &pod{Pod: of, key: keyOf(of), owner: ownerOf(of), labels: of.Labels, controller: metav1.GetControllerOf(of), asks: amountsOf(resource.PodRequests(of, resource.PodResourcesOptions{}))}
	p.asks.pods = 1
	p.daemonSet = daemonSetOf(of, p.controller)
	for _, condition := range of.Status.Conditions {
		if condition.Type == corev1.PodReady {
			p.ready = condition.Status == corev1.ConditionTrue
		}
	}
	for _, container := range of.Spec.Containers {
		for _, port := range container.Ports {
			if port.HostPort != 0 {
				p.ports = append(p.ports, hostPort{port.Protocol, port.HostPort})
			}
		}
	}
	for _, b := range budgets[of.Namespace] {
		if b.selector.Matches(p.labels) {
			p.budgets = append(p.budgets, b)
		}
	}
	s.classify(p)
	s.pods = append(s.pods, p)
	if n := s.byName[of.Spec.NodeName]; n != nil && of.Status.Phase != corev1.PodSucceeded && of.Status.Phase != corev1.PodFailed {
		s.move(p, n)
	}
}

// classify puts a Pod among those that the same nodes suit.
func (s *simulation) classify(p *pod) {
	key := string(p.UID)
	if p.controller != nil {
		key = string(p.controller.UID)
		s.owned[key] = append(s.owned[key], p)
	}
	for _, volume := range p.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			key += "/" + volume.PersistentVolumeClaim.ClaimName
		}
	}
	c := s.classes[key]
	if c == nil {
		c = &class{namespace: p.Namespace, labels: p.labels, apart: apartOf(p.Pod), allowed: map[*node]string{}}
		s.classes[key], s.kinds = c, append(s.kinds, c)
	}
	c.pods, p.class = append(c.pods, p), c
}

// apartOf reads a Pod's required anti-affinity. Namespaces that a selector chooses are taken for all:
// what they are labelled is not known here.
func apartOf(p *corev1.Pod) []apart {
	if p.Spec.Affinity == nil || p.Spec.Affinity.PodAntiAffinity == nil {
		return nil
	}
	var found []apart
	for _, term := range p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
		if err != nil {
			continue // the API server accepts none that is not valid
		}
		one := apart{topology: term.TopologyKey, anywhere: term.NamespaceSelector != nil, in: map[string]bool{}, selector: selector}
		for _, namespace := range term.Namespaces {
			one.in[namespace] = true
		}
		if len(term.Namespaces) == 0 && term.NamespaceSelector == nil {
			one.in[p.Namespace] = true
		}
		found = append(found, one)
	}
	return found
}

// reachOf tells of each claim which nodes reach its volume, where not all do.
func reachOf(volumes []corev1.PersistentVolume, claims []corev1.PersistentVolumeClaim) map[string]*nodeaffinity.NodeSelector {
	bound := map[string]*nodeaffinity.NodeSelector{}
	for _, volume := range volumes {
		if volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
			continue
		}
		if nodes, err := nodeaffinity.NewNodeSelector(volume.Spec.NodeAffinity.Required); err == nil {
			bound[volume.Name] = nodes
		}
	}
	reach := map[string]*nodeaffinity.NodeSelector{}
	for _, claim := range claims {
		if nodes := bound[claim.Spec.VolumeName]; nodes != nil {
			reach[claim.Namespace+"/"+claim.Name] = nodes
		}
	}
	return reach
}
