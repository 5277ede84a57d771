package phases

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestMarksThatTheFileNoLongerHas: what Slipway set goes, what others set stays, though it
// be of the same key by now.
func TestMarksThatTheFileNoLongerHas(t *testing.T) {
	w := newWorld(t, 1, 1)
	worker := slices.IndexFunc(w.cluster.Hosts, func(h cluster.Host) bool { return h.Name == "w-1" })
	host := &w.cluster.Hosts[worker]
	host.Labels = map[string]string{"disk": "ssd", "zone": "a", "rack": "1"}
	host.Taints = []cluster.Taint{{Key: "gpu", Value: "yes", Effect: "NoSchedule"}, {Key: "old", Effect: "NoExecute"}}
	w.init(seeded(1))
	node := w.nodes["w-1"]
	node.Labels["theirs"], node.Labels["rack"] = "x", "2"
	node.Taints = append(node.Taints, "theirs:NoSchedule")
	w.nodes["w-1"] = node

	host.Labels = map[string]string{"zone": "a"}
	host.Taints = host.Taints[:1]
	p, contents := w.planned(Init)
	var mark plan.MarkNode
	for _, step := range p.Steps {
		if action, ok := step.Cluster.(plan.MarkNode); ok {
			mark = action
		}
	}
	if !slices.Equal(mark.RemoveLabels, []string{"disk"}) || !slices.Equal(mark.RemoveTaints, []string{"old:NoExecute"}) {
		t.Errorf("the plan removes labels %v and taints %v", mark.RemoveLabels, mark.RemoveTaints)
	}
	w.run(p, contents, seeded(2), -1)
	p, _ = w.planned(Init)
	wantEmpty(t, p)
	if node := w.nodes["w-1"]; node.Labels["theirs"] != "x" || node.Labels["rack"] != "2" || !slices.Contains(node.Taints, "theirs:NoSchedule") {
		t.Errorf("what others set is no longer there: %v %v", node.Labels, node.Taints)
	}

	// A node that Slipway noted nothing on keeps all that it has, and gets its note.
	node = w.nodes["w-1"]
	node.Marks, node.Labels["disk"] = nil, "ssd"
	w.nodes["w-1"] = node
	p, contents = w.planned(Init)
	w.run(p, contents, seeded(3), -1)
	if node := w.nodes["w-1"]; node.Labels["disk"] != "ssd" || node.Marks == nil {
		t.Errorf("the node has %v, and the note %v", node.Labels, node.Marks)
	}
}

// TestANoteThatSlipwayDidNotMake: a kubelet can write its node's annotations but not its taints,
// so a note that it wrote removes nothing, and is written anew.
func TestANoteThatSlipwayDidNotMake(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.init(seeded(1))
	taint := "dedicated=secure:NoSchedule"
	seal := w.nodes["w-1"].Marks.Seal
	own := Input{view.View{PKI: w.pki}}.sealOf("w-1", hosts.Marks{Taints: []string{taint}})
	for name, test := range map[string]struct {
		seal    string
		removed bool
	}{
		"without a seal":            {"", false},
		"with a seal of other ones": {seal, false},
		"with another node's seal":  {Input{view.View{PKI: w.pki}}.sealOf("w-2", hosts.Marks{Taints: []string{taint}}), false},
		"with an invented seal":     {strings.Repeat("0", len(seal)), false},
		"Slipway's":                 {own, true},
	} {
		t.Run(name, func(t *testing.T) {
			node := w.nodes["w-1"]
			node.Taints = []string{taint}
			node.Marks = &hosts.Marks{Taints: []string{taint}, Seal: test.seal}
			w.nodes["w-1"] = node
			p, _ := w.planned(Init)
			var marks []plan.MarkNode
			for _, step := range p.Steps {
				if action, ok := step.Cluster.(plan.MarkNode); ok {
					marks = append(marks, action)
				}
			}
			if len(marks) != 1 || marks[0].Node != "w-1" || marks[0].Seal != seal {
				t.Fatalf("the note is not written anew: %+v", marks)
			}
			if removed := slices.Contains(marks[0].RemoveTaints, taint); removed != test.removed {
				t.Errorf("removed: %v, want %v", removed, test.removed)
			}
		})
	}
}
