package tui

import (
	"reflect"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

func TestWhatIsSaidOfSeveralHostsIsSaidOnce(t *testing.T) {
	names := []string{"cp-1", "cp-2", "cp-10"}
	for said, want := range map[string]string{
		"reach etcd on cp-1 (10.0.0.1:2379): connect: connection refused; reach etcd on cp-2 (10.0.0.2:2379): connect: connection refused; reach etcd on cp-10 ([fd00::a]:2379): no route to host": "reach etcd on cp-1, cp-2: connect: connection refused; reach etcd on cp-10 ([fd00::a]:2379): no route to host",
		"the API server on cp-1: etcd failed; the API server on cp-10: etcd failed":                                                                                                                "the API server on cp-1, cp-10: etcd failed",
		"cp-1 waits for cp-2; cp-2 waits for cp-1": "cp-1 waits for cp-2; cp-2 waits for cp-1",
		"no control plane answers":                 "no control plane answers",
		"xcp-1: a; cp-1.example: a":                "xcp-1: a; cp-1.example: a",
		"refused; refused":                         "refused",
		"":                                         "",
	} {
		if got := together(said, names); got != want {
			t.Errorf("%s\nis %s\nwant %s", said, got, want)
		}
	}
}

func TestReasonsAreGrouped(t *testing.T) {
	p := &workflow.Picture{Status: workflow.Status{
		Hosts:  []workflow.HostStatus{{Name: "cp-1", Connection: "ok"}, {Name: "cp-2", Connection: "ok"}},
		Health: []hosts.Health{{Host: "cp-1", Component: "kube-apiserver", Detail: "cp-1: etcd is down"}, {Host: "cp-2", Component: "kube-apiserver", Detail: "cp-2: etcd is down"}, {Host: "cp-2", Component: "kube-scheduler", Detail: "refused"}, {Host: "cp-2", Component: "etcd", Detail: "refused"}},
	}}
	want := []reason{{[]string{"cp-1", "cp-2"}, "kube-apiserver", "cp-1, cp-2: etcd is down"}, {[]string{"cp-2"}, "kube-scheduler, etcd", "refused"}}
	if got := reasonsOf(p); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestStanding(t *testing.T) {
	ok := workflow.HostStatus{Name: "cp-1", Connection: workflow.ConnectionOK, ConnectionKind: workflow.ConnectionOK}
	waits := workflow.HostStatus{Name: "cp-2", Connection: "no answer yet", ConnectionKind: "waiting"}
	down := workflow.HostStatus{Name: "cp-2", Connection: "no route", ConnectionKind: "unreachable"}
	recorded := []workflow.HostDetails{{Name: "cp-1", Record: &workflow.RecordSummary{}}}
	run := func(text string, ended bool) []workflow.RunSummary {
		r := workflow.RunSummary{Workflow: "init", Error: text, Begun: at}
		if ended {
			r.Ended = at
		}
		return []workflow.RunSummary{{Workflow: "image load", Ended: at}, r}
	}
	lost := hosts.Live{Cause: "connection refused"}
	for name, c := range map[string]struct {
		id      string
		hosts   []workflow.HostStatus
		details []workflow.HostDetails
		live    hosts.Live
		runs    []workflow.RunSummary
		want    standing
	}{
		"nobody has answered":       {hosts: []workflow.HostStatus{waits}, want: standsLooking},
		"one is waited for":         {hosts: []workflow.HostStatus{ok, waits}, want: standsLooking},
		"nothing there":             {hosts: []workflow.HostStatus{ok, down}, want: standsNone},
		"nobody answers":            {hosts: []workflow.HostStatus{down}, want: standsUnknown},
		"keys are not known":        {hosts: []workflow.HostStatus{ok}, details: recorded, want: standsUnknown},
		"being connected to":        {id: "ab", hosts: []workflow.HostStatus{ok}, details: recorded, want: standsConnecting},
		"a killed init":             {id: "ab", hosts: []workflow.HostStatus{ok, down}, details: recorded, live: lost, runs: run("", false), want: standsInterrupted},
		"a failed init":             {id: "ab", hosts: []workflow.HostStatus{ok}, details: recorded, live: lost, runs: run("it broke", true), want: standsInterrupted},
		"from another machine":      {id: "ab", hosts: []workflow.HostStatus{ok}, details: recorded, live: lost, want: standsInterrupted},
		"an init that had ended":    {id: "ab", hosts: []workflow.HostStatus{ok}, details: recorded, live: lost, runs: run("", true), want: standsDown},
		"a host that could have it": {id: "ab", hosts: []workflow.HostStatus{ok, waits}, details: recorded, live: lost, want: standsDown},
		"an API that was seen":      {id: "ab", hosts: []workflow.HostStatus{ok}, details: recorded, live: hosts.Live{Cause: "refused", Version: "v1.37.2"}, want: standsDown},
		"well":                      {id: "ab", hosts: []workflow.HostStatus{ok}, details: recorded, live: hosts.Live{Connected: true}, want: standsUp},
	} {
		p := &workflow.Picture{Status: workflow.Status{ID: c.id, Hosts: c.hosts}, Details: c.details, Live: c.live, Runs: c.runs}
		if got := standingOf(p); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if want := c.want == standsNone || c.want == standsUnknown || c.want == standsInterrupted; standingOf(p).installable() != want {
			t.Errorf("%s: the installer is offered: %t", name, !want)
		}
	}
}
