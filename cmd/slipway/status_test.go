package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// TestNoErrorMakesTheTablesWide: an error stands below, a word in the table.
func TestNoErrorMakesTheTablesWide(t *testing.T) {
	const long = "connect to 10.0.0.12:22: no answer after 10s; the proxyCommand said \x1b[2J\tnothing\nand a second line of it, which is long as well"
	found := status{
		Cluster: "demo", Reachable: true,
		Hosts: []hostStatus{
			{Name: "cp-1", Address: "10.0.0.11", Connection: wordOK, ConnectionKind: wordOK, Node: nodeNotReady, Reason: long, Units: []unitStatus{{"kubelet.service", "failed"}}},
			{Name: "cp-2", Address: "10.0.0.12", Connection: long, ConnectionKind: "unreachable", Node: nodeUnknown},
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

// TestAHostThatDoesNotAnswerAllIsNotWell: what it did not say is not there, and not well.
func TestAHostThatDoesNotAnswerAllIsNotWell(t *testing.T) {
	facts := map[string]hosts.Facts{"cp-1": {
		Units:      map[string]hosts.Unit{"containerd.service": {Active: "active"}, "kubelet.service": {Active: "active"}},
		Unanswered: []hosts.Unanswered{{What: "disks", At: "/opt", Seconds: 10}},
	}}
	s := &session{
		cluster: &cluster.Cluster{Name: "demo"}, facts: facts, hosts: map[string]hosts.Host{"cp-1": nil},
		live: hosts.ClusterFacts{Reachable: true, Nodes: []hosts.Node{{Name: "cp-1", Ready: true}}},
	}
	host := cluster.Host{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}
	found := status{Reachable: true, Hosts: []hostStatus{s.hostStatus(host)}}
	if found.healthy() {
		t.Error("it is called healthy")
	}
	var out bytes.Buffer
	if err := writeStatus(&out, found); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  no-answer  Ready", "cp-1, host: disks: no answer at /opt in 10 s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	facts["cp-1"] = hosts.Facts{Units: facts["cp-1"].Units}
	if found = (status{Reachable: true, Hosts: []hostStatus{s.hostStatus(host)}}); !found.healthy() {
		t.Errorf("with all answered it is not healthy: %+v", found)
	}
}

// TestNothingIsSaidNotToBeWellAndCalledHealthy, nor the other way round: for who reads the text
// as for who reads the exit code.
func TestNothingIsSaidNotToBeWellAndCalledHealthy(t *testing.T) {
	well := func() status {
		return status{
			Reachable: true,
			Hosts:     []hostStatus{{Name: "cp-1", Connection: wordOK, ConnectionKind: wordOK, Node: nodeReady, Ready: true, Units: []unitStatus{{"kubelet.service", "active"}}}},
			Members:   []hosts.Member{{Name: "cp-1", Healthy: true}},
			Health:    []hosts.Health{{Host: "cp-1", Component: "etcd", Healthy: true}},
		}
	}
	for name, test := range map[string]struct {
		change func(*status)
		says   string // empty: a table shows it
	}{
		"etcd's members are not known":     {func(s *status) { s.Members, s.MembersCause = nil, "x509: unknown authority" }, "-, etcd: x509: unknown authority"},
		"a member is ill, and says no why": {func(s *status) { s.Members[0].Healthy = false }, "cp-1, etcd member: -"},
		"a member has an alarm":            {func(s *status) { s.Members[0].Detail = "NOSPACE" }, "cp-1, etcd member: NOSPACE"},
		"a component says no why":          {func(s *status) { s.Health[0].Healthy = false }, "cp-1, etcd: -"},
		"a node says no why":               {func(s *status) { s.Hosts[0].Node, s.Hosts[0].Ready = nodeNotReady, false }, "cp-1, node: -"},
		"a unit is not there":              {func(s *status) { s.Hosts[0].Units[0].Active = "" }, "cp-1, kubelet.service: -"},
		"a host is not reached":            {func(s *status) { s.Hosts[0].Connection, s.Hosts[0].ConnectionKind = "refused", wordFailed }, "cp-1, SSH: refused"},
		"a host was not heard yet":         {func(s *status) { s.Hosts[0].Connection, s.Hosts[0].ConnectionKind = "no answer yet", wordWaiting }, ""},
		"a node is missing":                {func(s *status) { s.Hosts[0].Node, s.Hosts[0].Ready = nodeAbsent, false }, ""},
		"a member is a learner":            {func(s *status) { s.Members[0].Learner = true }, ""},
		"nobody has the address":           {func(s *status) { s.VirtualAddress = "192.0.2.10" }, ""},
		"no API server answers":            {func(s *status) { s.Reachable = false }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := well()
			if !found.healthy() || len(found.reasons()) > 0 {
				t.Fatalf("all is well, and said is %v", found.reasons())
			}
			test.change(&found)
			if found.healthy() {
				t.Error("it is called healthy")
			}
			var out bytes.Buffer
			if err := writeReasons(&out, found.reasons()); err != nil {
				t.Fatal(err)
			}
			if told := out.String(); !strings.Contains(told, test.says) || (told == "") != (test.says == "") {
				t.Errorf("want %q, got %q", test.says, told)
			}
		})
	}
}

// threeControlPlanes is a session whose hosts answer after these times; a negative one never.
func threeControlPlanes(t *testing.T, after ...time.Duration) *session {
	t.Helper()
	s := &session{
		cluster: &cluster.Cluster{Name: "demo"}, hosts: map[string]hosts.Host{}, down: map[string]error{},
		facts: map[string]hosts.Facts{}, seen: map[string]time.Time{},
	}
	times := map[string]time.Duration{}
	for i, wait := range after {
		name := []string{"cp-1", "cp-2", "cp-3"}[i]
		times[name] = wait
		s.cluster.Hosts = append(s.cluster.Hosts, cluster.Host{Name: name, Roles: []cluster.Role{cluster.RoleControlPlane}})
	}
	s.dial = func(ctx context.Context, h cluster.Host) (hosts.Host, error) {
		wait, timeout := times[h.Name], 10*time.Second
		if wait >= 0 {
			timeout = wait
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(timeout):
		}
		if wait < 0 {
			return nil, &hosts.Error{Kind: hosts.KindUnreachable, Op: "connect to " + h.Name, Err: errors.New("no answer after 10s")}
		}
		return hosttest.NewFake(h.Name).Host(), nil
	}
	return s
}

// TestStatusShowsWhatIsThereAndFillsInTheRest, long before a dead host's time is over.
func TestStatusShowsWhatIsThereAndFillsInTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("XDG_STATE_HOME", t.TempDir())
		s := threeControlPlanes(t, 100*time.Millisecond, -1, 300*time.Millisecond)
		defer s.Close()
		began := time.Now()
		out := &timedWriter{}
		found, err := s.statusInParts(t.Context(), out, formatText)
		if err != nil {
			t.Fatal(err)
		}
		if first := out.first.Sub(began); first > 2*time.Second {
			t.Errorf("nothing was shown for %s", first)
		}
		text := out.String()
		if !strings.Contains(text, "waiting") || strings.Index(text, "waiting") > strings.Index(text, "unreachable") ||
			!strings.Contains(text, "cp-2, SSH: connect to cp-2: no answer after 10s") {
			t.Errorf("shown was\n%s", text)
		}
		if found.healthy() || found.Hosts[1].ConnectionKind != "unreachable" || found.Hosts[0].ConnectionKind != wordOK {
			t.Errorf("the whole is %+v", found.Hosts)
		}
	})
}

// TestFirstControlPlaneThatAnswersIsEnough: a dead one is waited for by nobody.
func TestFirstControlPlaneThatAnswersIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := threeControlPlanes(t, -1, 200*time.Millisecond, time.Minute)
		a := s.approach(t.Context(), s.cluster.Hosts, func(cluster.Host) hosts.Query { return hosts.Query{} })
		began := time.Now()
		if !s.await(t.Context(), a) || s.hosts["cp-2"] == nil || a.left != 2 {
			t.Errorf("after %s there are %v, down are %v", time.Since(began), s.hosts, s.down)
		}
		s.Close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

type timedWriter struct {
	bytes.Buffer
	first time.Time
}

func (w *timedWriter) Write(data []byte) (int, error) {
	if w.first.IsZero() {
		w.first = time.Now()
	}
	return w.Buffer.Write(data)
}
