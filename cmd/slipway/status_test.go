package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// TestNoErrorMakesTheTablesWide: an error stands below, a word in the table.
func TestNoErrorMakesTheTablesWide(t *testing.T) {
	const long = "connect to 10.0.0.12:22: no answer after 10s; the proxyCommand said \x1b[2J\tnothing\nand a second line of it, which is long as well"
	found := workflow.Status{
		Cluster: "demo", Reachable: true,
		Hosts: []workflow.HostStatus{
			{Name: "cp-1", Address: "10.0.0.11", Connection: wordOK, ConnectionKind: wordOK, Node: workflow.NodeNotReady, Reason: long, Units: []workflow.UnitStatus{{Name: "kubelet.service", Active: "failed"}}},
			{Name: "cp-2", Address: "10.0.0.12", Connection: long, ConnectionKind: "unreachable", Node: workflow.NodeUnknown},
		},
		Members: []hosts.Member{{Name: "cp-1", Healthy: true, Detail: long}, {Name: "cp-2", Detail: long}},
		Health:  []hosts.Health{{Host: "cp-1", Component: "etcd", Detail: long}},
	}
	var out bytes.Buffer
	if err := writeStatus(&out, found); err != nil {
		t.Fatal(err)
	}
	tables, reasons, told := strings.Cut(out.String(), "what is not well:\n")
	if !told {
		t.Fatalf("no reasons are told:\n%s", out.String())
	}
	for line := range strings.Lines(tables) {
		if len([]rune(line)) > 80 {
			t.Errorf("a line of a table is %d characters wide: %s", len([]rune(line)), line)
		}
	}
	for _, want := range []string{"cp-2, SSH: connect to", "cp-1, node: ", "cp-1, kubelet.service: failed", "cp-2, etcd member: ", "cp-1, etcd: "} {
		if !strings.Contains(reasons, want) {
			t.Errorf("%q is missing in\n%s", want, reasons)
		}
	}
	if steers(out.String()) || strings.Contains(reasons, "\t") {
		t.Errorf("it steers the terminal: %q", out.String())
	}
}

// TestAHostThatDoesNotAnswerAllIsShownSo, though it is connected to.
func TestAHostThatDoesNotAnswerAllIsShownSo(t *testing.T) {
	var out bytes.Buffer
	err := writeStatus(&out, workflow.Status{Reachable: true, Hosts: []workflow.HostStatus{{
		Name: "cp-1", Connection: wordOK, ConnectionKind: wordOK, Node: workflow.NodeReady, Ready: true,
		Unanswered: []hosts.Unanswered{{What: "disks", At: "/opt", Seconds: 10}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  no-answer  Ready", "cp-1, host: disks: no answer at /opt in 10 s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// TestNothingIsSaidNotToBeWellAndCalledHealthy, nor the other way round: for who reads the text
// as for who reads the exit code.
func TestNothingIsSaidNotToBeWellAndCalledHealthy(t *testing.T) {
	well := func() workflow.Status {
		return workflow.Status{
			Reachable: true,
			Hosts:     []workflow.HostStatus{{Name: "cp-1", Connection: wordOK, ConnectionKind: wordOK, Node: workflow.NodeReady, Ready: true, Units: []workflow.UnitStatus{{Name: "kubelet.service", Active: "active"}}}},
			Members:   []hosts.Member{{Name: "cp-1", Healthy: true}},
			Health:    []hosts.Health{{Host: "cp-1", Component: "etcd", Healthy: true}},
		}
	}
	for name, test := range map[string]struct {
		change func(*workflow.Status)
		says   string // empty: a table shows it
	}{
		"etcd's members are not known":     {func(s *workflow.Status) { s.Members, s.MembersCause = nil, "x509: unknown authority" }, "-, etcd: x509: unknown authority"},
		"a member is ill, and says no why": {func(s *workflow.Status) { s.Members[0].Healthy = false }, "cp-1, etcd member: -"},
		"a member has an alarm":            {func(s *workflow.Status) { s.Members[0].Detail = "NOSPACE" }, "cp-1, etcd member: NOSPACE"},
		"a component says no why":          {func(s *workflow.Status) { s.Health[0].Healthy = false }, "cp-1, etcd: -"},
		"a node says no why":               {func(s *workflow.Status) { s.Hosts[0].Node, s.Hosts[0].Ready = workflow.NodeNotReady, false }, "cp-1, node: -"},
		"a node takes no further Pods":     {func(s *workflow.Status) { s.Hosts[0].Pressures = []string{"DiskPressure"} }, "cp-1, node: DiskPressure: few Pods or none are placed on it"},
		"a unit is not there":              {func(s *workflow.Status) { s.Hosts[0].Units[0].Active = "" }, "cp-1, kubelet.service: -"},
		"a host is not reached":            {func(s *workflow.Status) { s.Hosts[0].Connection, s.Hosts[0].ConnectionKind = "refused", "failed" }, "cp-1, SSH: refused"},
		"a host was not heard yet": {func(s *workflow.Status) {
			s.Hosts[0].Connection, s.Hosts[0].ConnectionKind = "no answer yet", "waiting"
		}, ""},
		"a node is missing":      {func(s *workflow.Status) { s.Hosts[0].Node, s.Hosts[0].Ready = workflow.NodeAbsent, false }, ""},
		"a member is a learner":  {func(s *workflow.Status) { s.Members[0].Learner = true }, ""},
		"nobody has the address": {func(s *workflow.Status) { s.VirtualAddress = "192.0.2.10" }, ""},
		"no API server answers":  {func(s *workflow.Status) { s.Reachable = false }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := well()
			if !found.Healthy() || len(found.Reasons()) > 0 {
				t.Fatalf("all is well, and said is %v", found.Reasons())
			}
			test.change(&found)
			if found.Healthy() {
				t.Error("it is called healthy")
			}
			var out bytes.Buffer
			if err := writeReasons(&out, found.Reasons()); err != nil {
				t.Fatal(err)
			}
			if told := out.String(); !strings.Contains(told, test.says) || (told == "") != (test.says == "") {
				t.Errorf("want %q, got %q", test.says, told)
			}
		})
	}
}

// TestStatusShowsWhatIsThereAndFillsInTheRest, in whatever order hosts answer.
func TestStatusShowsWhatIsThereAndFillsInTheRest(t *testing.T) {
	row := func(name, kind string) workflow.HostStatus {
		return workflow.HostStatus{Name: name, Connection: kind, ConnectionKind: kind}
	}
	for name, test := range map[string]struct {
		slow string // how the slow one is in the end
		says []string
	}{
		"it is down":      {"unreachable", []string{"waiting", "cp-2  ", "cp-2, SSH: unreachable"}},
		"it has answered": {wordOK, []string{"waiting", "hosts that were slow have answered:\n\ncluster   demo"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			view := statusView{out: &out, format: formatText}
			early := workflow.Status{Cluster: "demo", Hosts: []workflow.HostStatus{row("cp-1", wordOK), row("cp-2", "waiting")}}
			if err := view.early()(early); err != nil {
				t.Fatal(err)
			}
			if err := view.show(workflow.Status{Cluster: "demo", Hosts: []workflow.HostStatus{row("cp-1", wordOK), row("cp-2", test.slow)}}); err != nil {
				t.Fatal(err)
			}
			at := 0
			for _, want := range test.says {
				found := strings.Index(out.String()[at:], want)
				if found < 0 {
					t.Fatalf("%q is missing after the first %d of\n%s", want, at, out.String())
				}
				at += found
			}
		})
	}
}

func TestStatusShowsTheID(t *testing.T) {
	const id = "0123456789abcdef"
	var out strings.Builder
	if err := writeStatus(&out, workflow.Status{Cluster: "try", ID: id}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "id        "+id+"\n") {
		t.Errorf("the id is not shown:\n%s", out.String())
	}
}

// TestATableFitsTheTerminal: lines that have left it could not be drawn anew.
func TestATableFitsTheTerminal(t *testing.T) {
	for _, test := range []struct {
		height int
		want   string
	}{{0, "a b c d"}, {5, "a b c d"}, {4, "a b …"}, {3, "a …"}, {2, "a b c d"}} {
		if got := strings.Join(firstLines("a\nb\nc\nd\n", test.height), " "); got != test.want {
			t.Errorf("of a height of %d: %q, want %q", test.height, got, test.want)
		}
	}
}

// TestATableIsShownOnce, below the one before, and none while hosts are waited for.
func TestATableIsShownOnce(t *testing.T) {
	var out strings.Builder
	show := showTables(newShown(&out))
	picture := func(version, kind string) workflow.Picture {
		return workflow.Picture{Status: workflow.Status{Cluster: "demo", Reachable: true, Version: version, Hosts: []workflow.HostStatus{{Name: "cp-1", Connection: kind, ConnectionKind: kind}}}}
	}
	for _, p := range []workflow.Picture{picture("v1", "waiting"), picture("v1", wordOK), picture("v1", wordOK), picture("v2\x1b[2J", wordOK)} {
		if err := show(p); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(out.String(), "cluster   demo"); n != 2 || strings.Contains(out.String(), "waiting") || !strings.Contains(out.String(), "\n\ncluster") || steers(out.String()) {
		t.Errorf("%d tables:\n%s", n, out.String())
	}
}

// TestStatusObjectsAreNotSaidTwice: a picture has more than its object, and of that alone nothing is to be read.
func TestStatusObjectsAreNotSaidTwice(t *testing.T) {
	var out bytes.Buffer
	show := showObjects(&out)
	pods := func(phase string) workflow.Picture {
		return workflow.Picture{Live: hosts.Live{Nodes: []hosts.LiveNode{{Name: "cp-1", Pods: 1, OnIt: []hosts.LivePod{{Name: "web-1", Phase: phase}}}}}}
	}
	other := pods("Running")
	other.Live.Pods = 2
	for _, p := range []workflow.Picture{pods("Pending"), pods("Running"), other, other} {
		if err := show(p); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 2 || strings.Contains(out.String(), "web-1") {
		t.Errorf("it says %d objects:\n%s", n, out.String())
	}
}
