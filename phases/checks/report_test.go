package checks

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

func reportView() view.View {
	v := view.View{Cluster: testCluster("cp-1", "w-1", "w-2"), Facts: map[string]hosts.Facts{
		"cp-1": {Memory: 1 << 40},
		"w-1":  {Memory: 1 << 40, Unanswered: []hosts.Unanswered{{What: hosts.LookKernel}}},
	}}
	v.Workflow = view.Init
	return v
}

// TestAReportTellsOfEveryCheckAndHost: of what found nothing as well, and of what was not asked.
func TestAReportTellsOfEveryCheckAndHost(t *testing.T) {
	v := reportView()
	got := map[string]Result{}
	for _, result := range Report(view.Init, v) {
		key := result.Check + " " + result.Host
		if _, twice := got[key]; twice {
			t.Errorf("%s has two results", key)
		}
		got[key] = result
	}
	for key, want := range map[string]Outcome{
		"Mem cp-1": OK, "Swap cp-1": OK, "Swap w-1": NotAsked, "Swap w-2": NotAsked,
		"Answers cp-1": OK, "Answers w-1": Stops, "Answers w-2": NotAsked, "Connection w-2": Stops,
	} {
		if got[key].Outcome != want {
			t.Errorf("%s: %q, want %q", key, got[key].Outcome, want)
		}
	}
	if _, there := got["NumCPU w-1"]; there {
		t.Error("a worker is asked for a control plane's processors")
	}
	if _, there := got["Connection "]; there {
		t.Error("what a check of the cluster has found on a host is the cluster's as well")
	}
	if got["Swap w-2"].NotAsked != hostUnseen || got["Swap w-1"].NotAsked != factsMissing {
		t.Errorf("why a check was not asked is not told: %+v, %+v", got["Swap w-1"], got["Swap w-2"])
	}
	for _, check := range Table {
		if !slices.Contains(check.In, view.Init) || check.Scope != Host && check.Scope != Node && check.Scope != File {
			continue
		}
		for _, host := range v.Cluster.Hosts {
			if _, there := got[check.Name+" "+host.Name]; !there {
				t.Errorf("%s has no result of %s", check.Name, host.Name)
			}
		}
	}
}

// TestPreflightIsTheReportsFindings: each finding once, and none besides.
func TestPreflightIsTheReportsFindings(t *testing.T) {
	v := reportView()
	told := map[string]int{}
	for _, found := range Preflight(view.Init, v) {
		told[found.String()]++
	}
	reported := map[string]int{}
	for _, found := range Findings(Report(view.Init, v)) {
		reported[found.String()]++
	}
	if diff := cmp.Diff(reported, told); diff != "" || len(told) == 0 {
		t.Errorf("(-report +preflight):\n%s", diff)
	}
}

func TestWhatIsIgnoredWarns(t *testing.T) {
	v := reportView()
	facts := v.Facts["cp-1"]
	facts.Memory = 1
	v.Facts["cp-1"] = facts
	outcome := func() Outcome {
		results := Report(view.Init, v)
		at := slices.IndexFunc(results, func(r Result) bool { return r.Check == "Mem" && r.Host == "cp-1" })
		return results[at].Outcome
	}
	if got := outcome(); got != Stops {
		t.Errorf("too little memory: %s", got)
	}
	v.IgnoreChecks = []string{"mem"}
	if got := outcome(); got != Warned {
		t.Errorf("too little memory, ignored: %s", got)
	}
}

func TestWhatOnlyThePlanFindsIsAdded(t *testing.T) {
	results := []Result{{Check: "Quorum", Outcome: OK}, {Check: "Port", Host: "a", Outcome: Stops, Findings: []Finding{{Check: "Port-1", Host: "a", Severity: Error}}}}
	got := With(results, []Finding{{Check: "Quorum", Severity: Error, Seen: "lost"}, {Check: "Port-1", Host: "a", Severity: Error}, {Check: "New", Host: "b", Severity: Warning}})
	want := []Result{
		{Check: "Quorum", Outcome: Stops, Findings: []Finding{{Check: "Quorum", Severity: Error, Seen: "lost"}}},
		{Check: "Port", Host: "a", Outcome: Stops, Findings: []Finding{{Check: "Port-1", Host: "a", Severity: Error}}},
		{Check: "New", Host: "b", Outcome: Warned, Findings: []Finding{{Check: "New", Host: "b", Severity: Warning}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatHostsHaveAlikeIsOneFinding, in its first place; what differs in anything is another one.
func TestWhatHostsHaveAlikeIsOneFinding(t *testing.T) {
	same := Finding{Check: "NTP", Severity: Warning, Seen: "it is not synchronized", Fix: "install chrony"}
	on := func(host, fix string) Finding {
		found := same
		found.Host, found.Fix = host, fix
		return found
	}
	findings := []Finding{on("cp-1", same.Fix), {Check: "Clock", Seen: "they differ"}, on("cp-2", "start chrony"), on("cp-3", same.Fix)}
	for n := range 20 {
		findings = append(findings, on(fmt.Sprintf("w-%d", n), same.Fix))
	}
	want := []Finding{on("cp-1, cp-3, w-0, w-1, w-2, w-3, w-4, w-5, w-6, w-7, w-8, w-9, and 10 more", same.Fix), findings[1], findings[2]}
	if got := Together(findings); !slices.Equal(got, want) {
		t.Errorf("they are %v", got)
	}
}
