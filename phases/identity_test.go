package phases

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// everyWorkflow is one of each kind that does something to w-1 or beside it.
var everyWorkflow = map[string]func(Input) []Problem{
	"init":    func(in Input) []Problem { return Preflight(view.Init, in) },
	"join":    func(in Input) []Problem { return Preflight(view.Join, in) },
	"prepare": func(in Input) []Problem { return Preflight(view.Prepare, in) },
	"reset": func(in Input) []Problem {
		in.Hosts, in.Force = []string{"w-1"}, true
		return Preflight(view.Reset, in)
	},
	"reset --all": func(in Input) []Problem {
		in.Force = true
		return Preflight(view.Reset, in)
	},
	"remove": func(in Input) []Problem {
		in.Hosts, in.Force = []string{"w-2"}, true
		return Preflight(view.Remove, in)
	},
	"image load": func(in Input) []Problem { return Preflight(view.ImageLoad, in) },
	"ha test":    HATest,
}

// TestAMachineIDThatWasMadeAnewIsPutBack: what may be the same machine is not to be installed
// anew first, and a host's word comes into no command that is advised, unless it is an ID.
func TestAMachineIDThatWasMadeAnewIsPutBack(t *testing.T) {
	id := strings.Repeat("9", 32)
	for noted, want := range map[hosts.Machine]string{
		{Node: "w-1", MachineID: id}:          "echo " + id + " > /etc/machine-id, then reboot; if it is not: " + fixCopy,
		{Node: "w-1", MachineID: "x; reboot"}: fixCopy,
		{Node: "w-2", MachineID: id}:          fixCopy,
	} {
		facts := hosts.Facts{MachineID: strings.Repeat("8", 32), Record: &hosts.Record{Cluster: hosts.Identity{ID: "A"}, Machine: &noted}}
		w := cluster.Host{Name: "w-1"}
		found := Input{view.View{Cluster: &cluster.Cluster{Hosts: []cluster.Host{w}}, ClusterID: hosts.Identity{ID: "A"}}}.mistaken(w, facts)
		if len(found) != 1 || !strings.HasSuffix(found[0].Fix, want) || want == fixCopy && found[0].Fix != want {
			t.Errorf("%+v: %+v", noted, found)
		}
	}
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
		}, checkIdentity, "record was written on another machine"},
		"another cluster's": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Record.Cluster = hosts.Identity{ID: strings.Repeat("b", 64), Name: "other"} })
		}, "membership", "it belongs to the cluster other"},
		"another cluster's of the same name": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Record.Cluster.ID = strings.Repeat("b", 64) })
		}, "membership", "it belongs to the cluster try"},
		"another host of the cluster": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Record.Machine = &hosts.Machine{Node: "w-2", MachineID: f.MachineID} })
		}, checkIdentity, "it was made the host w-2"},
		"ssh.host leads to another host of the file": {func(in *Input) { in.Facts["w-1"] = in.Facts["w-2"] }, checkIdentity, "the same machine as w-2"},
		"to one that was not looked at": {func(in *Input) {
			in.Facts["w-1"] = in.Facts["w-2"]
			delete(in.Facts, "w-2")
		}, checkIdentity, "the same machine as w-2"},
		"it calls itself another host": {func(in *Input) {
			edit(in, "w-1", func(f *hosts.Facts) { f.Hostname = "w-2" })
		}, checkIdentity, "it calls itself w-2"},
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
		}, checkIdentity, "the node w-1 is another machine: its machine-id"},
		"the node has another firmware": {func(in *Input) {
			node(in, func(n *hosts.Node) { n.SystemUUID = "4C4C4544-0001" })
			edit(in, "w-1", func(f *hosts.Facts) { f.SystemUUID = "4c4c4544-0002" })
		}, checkIdentity, "the node w-1 is another machine: its firmware"},
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
		}, "address", "no interface has the address 10.0.1.1"},
		"bare, and the node is Ready elsewhere": {func(in *Input) {
			bare(in)
			node(in, func(n *hosts.Node) { n.MachineID = strings.Repeat("8", 32) })
		}, checkIdentity, "is Ready on another machine"},
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
				told := keep(found, func(p Problem) bool {
					return p.Check == test.check && p.Host == "w-1" && p.Severity == SeverityError && p.Fix != "" && strings.Contains(p.Detail, test.want)
				})
				if len(told) != 1 || test.want == "" {
					t.Errorf("%s: want %q of w-1 once, got %v", workflow, test.want, found)
				}
			}
		})
	}
}

// wrongMachines are the problems of a name's leading to the wrong machine.
func wrongMachines(problems []Problem) []Problem {
	return keep(problems, func(p Problem) bool {
		return p.Check == checkIdentity || p.Check == "address" || strings.HasPrefix(p.Detail, "it belongs to the cluster")
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
			for _, host := range []cluster.Host{testPlane(1), testWorker(1)} {
				if got := len(asked.recordProblems(host.Name, in.Facts[host.Name])) > 0; got != test.wrong {
					t.Errorf("%s is another cluster's: %v, want %v", host.Name, got, test.wrong)
				}
			}
		})
	}
}
