package phases

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// everyWorkflow is one of each kind that does something to w-1 or beside it.
var everyWorkflow = map[string]func(Input) []checks.Finding{
	"init":    func(in Input) []checks.Finding { return checks.Preflight(view.Init, in.View) },
	"join":    func(in Input) []checks.Finding { return checks.Preflight(view.Join, in.View) },
	"prepare": func(in Input) []checks.Finding { return checks.Preflight(view.Prepare, in.View) },
	"reset": func(in Input) []checks.Finding {
		in.Hosts, in.Force = []string{"w-1"}, true
		return checks.Preflight(view.Reset, in.View)
	},
	"reset --all": func(in Input) []checks.Finding {
		in.Force = true
		return checks.Preflight(view.Reset, in.View)
	},
	"remove": func(in Input) []checks.Finding {
		in.Hosts, in.Force = []string{"w-2"}, true
		return checks.Preflight(view.Remove, in.View)
	},
	"image load": func(in Input) []checks.Finding { return checks.Preflight(view.ImageLoad, in.View) },
	"stop":       func(in Input) []checks.Finding { return checks.Preflight(view.Stop, in.View) },
	"start":      func(in Input) []checks.Finding { return checks.Preflight(view.Start, in.View) },
	"ha test":    func(in Input) []checks.Finding { return checks.Preflight(view.HATest, in.View) },
}

// TestAWrongMachineIsRefusedByEveryWorkflow: what a name leads to is held against the record,
// the host's own name and addresses, and the node; no --force passes a difference.
func TestAWrongMachineIsRefusedByEveryWorkflow(t *testing.T) {
	node := func(in *Input, change func(*hosts.Node)) {
		for i := range in.ClusterFacts.Nodes {
			if in.ClusterFacts.Nodes[i].Name == "w-1" {
				change(&in.ClusterFacts.Nodes[i])
			}
		}
	}
	bare := func(in *Input) { edit(in, "w-1", func(f *hosts.Facts) { f.Record = nil }) }
	for name, test := range map[string]struct {
		change func(*Input)
		check  string
		want   string // empty: nothing is wrong
	}{
		"the machine that it was": {change: func(*Input) {}},
		"another machine's disk": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.MachineID = strings.Repeat("9", 32) })
		}, "Machine", "record was written on another machine"},
		"another cluster's": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Record.Cluster = hosts.Identity{ID: strings.Repeat("b", 64), Name: "other"} })
		}, "Membership", "it belongs to the cluster other"},
		"another cluster's of the same name": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Record.Cluster.ID = strings.Repeat("b", 64) })
		}, "Membership", "it belongs to the cluster try"},
		"another host of the cluster": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Record.Machine = &hosts.Machine{Node: "w-2", MachineID: f.MachineID} })
		}, "Machine", "it was made the host w-2"},
		"ssh.host leads to another host of the file": {func(in *Input) { in.Facts["w-1"] = in.Facts["w-2"] }, "Machine", "the same machine as w-2"},
		"to one that was not looked at": {func(in *Input) {
			in.Facts["w-1"] = in.Facts["w-2"]
			delete(in.Facts, "w-2")
		}, "Machine", "the same machine as w-2"},
		"it calls itself another host": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Hostname = "w-2" })
		}, "Machine", "it calls itself w-2"},
		"it was called so when it was claimed": {change: func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) {
				f.Hostname = "w-2"
				f.Record.Machine = &hosts.Machine{Node: "w-1", Hostname: "w-2", MachineID: f.MachineID}
			})
		}},
		"it is called otherwise, which init puts right": {change: func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Hostname = "localhost" })
		}},
		"the node is another machine": {func(in *Input) {
			node(in, func(n *hosts.Node) { n.MachineID = strings.Repeat("8", 32) })
		}, "Machine", "the node w-1 is another machine: its machine-id"},
		"the node has another firmware": {func(in *Input) {
			node(in, func(n *hosts.Node) { n.SystemUUID = "4C4C4544-0001" })
			edit(in, "w-1", func(f *hosts.Facts) { f.SystemUUID = "4c4c4544-0002" })
		}, "Machine", "the node w-1 is another machine: its firmware"},
		"the node writes it in capitals": {change: func(in *Input) {
			node(in, func(n *hosts.Node) { n.SystemUUID = "4C4C4544-000A" })
			edit(in, "w-1", func(f *hosts.Facts) { f.SystemUUID = "4c4c4544-000a" })
		}},
		"the node is not Ready, and the machine has moved": {change: func(in *Input) {
			node(in, func(n *hosts.Node) { n.SystemUUID, n.Ready = "4c4c4544-0001", false })
			edit(in, "w-1", func(f *hosts.Facts) { f.SystemUUID = "4c4c4544-0002" })
		}},
		"no interface has its address": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) {
				f.Interfaces = []hosts.Link{{Name: "eth0", MAC: "52:54:00:00:00:77", Addresses: []string{"10.0.1.99/16"}}}
			})
		}, "HostAddress", "no interface has the address 10.0.1.1"},
		"bare, and the node is Ready elsewhere": {func(in *Input) {
			bare(in)
			node(in, func(n *hosts.Node) { n.MachineID = strings.Repeat("8", 32) })
		}, "Machine", "is Ready on another machine"},
		"an older Slipway's record": {change: func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Record.Machine = nil })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, 2)
			w.init(seeded(1))
			in := w.observe()
			test.change(&in)
			for workflow, problems := range everyWorkflow {
				found := wrongMachines(problems(in))
				if test.want == "" && len(found) == 0 {
					continue
				}
				told := keep(found, func(p checks.Finding) bool {
					return p.Check == test.check && p.Host == "w-1" && p.Severity == checks.Error && p.Fix != "" && strings.Contains(p.Seen, test.want)
				})
				if len(told) != 1 || test.want == "" {
					t.Errorf("%s: want %q of w-1 once, got %v", workflow, test.want, found)
				}
			}
		})
	}
}

// wrongMachines are the problems of a name's leading to the wrong machine.
func wrongMachines(problems []checks.Finding) []checks.Finding {
	return keep(problems, func(p checks.Finding) bool {
		return p.Check == "Machine" || p.Check == "HostAddress" || strings.HasPrefix(p.Seen, "it belongs to the cluster")
	})
}

// edit changes what was seen of a host, and leaves alone what others see.
func edit(in *Input, name string, change func(*hosts.Facts)) {
	facts := in.Facts[name]
	if facts.Record != nil {
		record := *facts.Record
		facts.Record = &record
	}
	change(&facts)
	in.Facts[name] = facts
}

// TestWhichMachineItIsIsNotedOnce: a host is claimed by its name; one that an older Slipway
// claimed is noted by the next init, and then nothing is left to do.
func TestWhichMachineItIsIsNotedOnce(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	for _, host := range w.cluster.Hosts {
		facts := w.look(host.Name, hosts.Query{})
		if m := facts.Record.Machine; m == nil || m.Node != host.Name || m.MachineID != facts.MachineID || m.Hostname != "debian-"+host.Name {
			t.Errorf("%s is noted as %+v", host.Name, m)
		}
	}
	in := w.observe()
	edit(&in, "w-1", func(f *hosts.Facts) { f.Record.Machine = nil })
	p, _, err := Init(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Steps) != 1 || p.Steps[0].Host != "w-1" || p.Steps[0].Action != (hosts.Claim{Cluster: in.ClusterID, Node: "w-1"}) {
		t.Errorf("want w-1 noted and nothing else:\n%s", plan.Text(p))
	}
}

// TestARecordOfAnotherNameIsOursByTheFilesID: the file's id says which cluster is meant.
func TestARecordOfAnotherNameIsOursByTheFilesID(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	in := w.observe()
	for name, test := range map[string]struct {
		id    string
		wrong bool
	}{
		"no id": {"", true}, "its id": {in.ClusterID.ID, false},
	} {
		t.Run(name, func(t *testing.T) {
			renamed := *w.cluster
			renamed.Name, renamed.ID = "renamed", test.id
			asked := in
			asked.Cluster, asked.ClusterID = &renamed, hosts.Identity{ID: in.ClusterID.ID, Name: "renamed"}
			foreign := keep(checks.Preflight(view.Reset, asked.View), func(f checks.Finding) bool { return strings.HasPrefix(f.Seen, "it belongs to the cluster") })
			if got := len(foreign) == 2; got != test.wrong {
				t.Errorf("the hosts are another cluster's: %v, want %v", foreign, test.wrong)
			}
		})
	}
}
