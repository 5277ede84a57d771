package forecast

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// newBudget begins with what the API server would grant now: that is what its status says.
func newBudget(of *policyv1.PodDisruptionBudget) *budget {
	selector, err := metav1.LabelSelectorAsSelector(of.Spec.Selector)
	if err != nil { // the API server accepts none that is not valid
		selector = labels.Nothing()
	}
	b := &budget{PodDisruptionBudget: of, name: of.Namespace + "/" + of.Name, selector: selector, desired: of.Status.DesiredHealthy}
	b.healthy = min(of.Status.CurrentHealthy, b.desired)
	if allowed := of.Status.DisruptionsAllowed; allowed > 0 {
		b.healthy = b.desired + allowed
	}
	return b
}

// asksNothing tells whether a Pod's eviction is granted without a look at its budgets, as the API
// server does it.
func asksNothing(p *pod) bool {
	switch p.Status.Phase {
	case corev1.PodSucceeded, corev1.PodFailed, corev1.PodPending:
		return true
	}
	return p.DeletionTimestamp != nil || len(p.budgets) == 0
}

// take has a Pod evicted, if its budgets let it go: then no note is given. taken tells that it
// counts as one fewer until it runs elsewhere.
func take(p *pod) (taken bool, refused *Note) {
	if asksNothing(p) {
		return false, nil
	}
	if len(p.budgets) > 1 {
		var names []string
		for _, b := range p.budgets {
			names = append(names, b.name)
		}
		return false, &Note{
			Kind: KindBudget, Severity: Blocks, May: []Choice{Force, Skip},
			Seen: "it has more than one budget (" + strings.Join(names, ", ") + "), and the API server evicts no such Pod",
			Fix:  "change the selector of one: kubectl edit pdb -n " + p.Namespace + " " + p.budgets[0].Name,
		}
	}
	b := p.budgets[0]
	if !p.ready && b.unhealthyGoes() {
		return false, nil
	}
	if b.healthy <= b.desired {
		return false, b.refuses(p)
	}
	b.healthy--
	return true, nil
}

// unhealthyGoes tells whether a Pod that is not Ready is evicted although the budget is used up.
func (b *budget) unhealthyGoes() bool {
	if policy := b.Spec.UnhealthyPodEvictionPolicy; policy != nil && *policy == policyv1.AlwaysAllow {
		return true
	}
	return b.healthy >= b.desired && b.desired > 0
}

// refuses says why a budget lets no Pod go.
func (b *budget) refuses(p *pod) *Note {
	note := &Note{Kind: KindBudget, Severity: Blocks}
	status := b.Status
	edit := "kubectl edit pdb -n " + b.Namespace + " " + b.Name
	switch {
	case b.Generation > status.ObservedGeneration:
		note.Seen = fmt.Sprintf("budget %s was changed, and no controller has counted its Pods since", b.name)
		note.Fix, note.May = "see whether the kube-controller-manager runs: slipway status", []Choice{Wait, Force, Skip}
	case len(b.missing) > 0:
		note.Seen = fmt.Sprintf("budget %s needs %s: no more may be evicted while no other node takes %s", b.name, count(int(b.desired), "Ready Pod"), b.absent())
		note.Fix = "drain these hosts one after the other, each when the one before is back; or make room: add a host, or scale down"
		note.May = []Choice{Wait, Force, Skip}
	case status.ExpectedPods > 0 && b.desired >= status.ExpectedPods:
		note.Seen = fmt.Sprintf("budget %s never lets one go: it needs %d of %d Ready", b.name, b.desired, status.ExpectedPods)
		note.Fix, note.May = "scale "+orPods(p.owner)+" up, or allow one Pod to be unavailable: "+edit, []Choice{Wait, Force, Skip}
	default:
		note.Seen = fmt.Sprintf("budget %s lets none go now: it needs %d Ready, and of %d Pods %d are", b.name, b.desired, status.ExpectedPods, status.CurrentHealthy)
		note.Fix = "see why not all are Ready: kubectl get pods -n " + b.Namespace + " -l '" + b.selector.String() + "'"
		note.May = []Choice{Wait, Force, Skip}
	}
	return note
}

// absent names the Pods that have no room elsewhere, and where they were.
func (b *budget) absent() string {
	var names []string
	for _, p := range b.missing {
		names = append(names, p.key+" (evicted from "+p.from+" before)")
	}
	return some(names)
}

func orPods(owner string) string {
	if owner == "" {
		return "the Pods"
	}
	return owner
}

// named is how many things are told by name.
const named = 3

// some lists the first few, and counts the others.
func some(names []string) string {
	if more := len(names) - named; more > 0 {
		return strings.Join(names[:named], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
