package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestOneNameOneAnswer: checks of one name can be ignored all, or none.
func TestOneNameOneAnswer(t *testing.T) {
	needed := map[string]bool{}
	for _, check := range Table {
		if before, seen := needed[check.Name]; seen && before != (check.Needed != "") {
			t.Errorf("one check %s can be ignored, and another cannot", check.Name)
		}
		needed[check.Name] = check.Needed != ""
	}
}

func TestAnIgnoredCheckIsTold(t *testing.T) {
	for ignore, want := range map[string]Severity{"": Error, "Port": Warning, "port-10250": Warning, "Port-10256": Error, "Mem": Error} {
		v := view.View{Cluster: testCluster("w-1"), Workflow: view.Prepare, Facts: map[string]hosts.Facts{"w-1": {Listeners: map[int]string{10250: "nginx"}}}}
		if ignore != "" {
			v.IgnoreChecks = []string{ignore}
		}
		told := false
		for _, found := range Preflight(view.Prepare, v) {
			if found.Check == "Port-10250" {
				told = true
				if found.Severity != want || !strings.Contains(found.Seen, "taken by nginx") || strings.Contains(found.Seen, "--ignore-checks") != (want == Warning) {
					t.Errorf("ignoring %q: %+v", ignore, found)
				}
			}
		}
		if !told {
			t.Errorf("ignoring %q: nothing is told", ignore)
		}
	}
}

func TestWhatMayBeIgnored(t *testing.T) {
	for name, want := range map[string]string{
		"Swap": "", "swap": "", "Port-6443": "", "SystemVerification": "",
		"SystemVerification-Kernel": "", "FileAvailable--etc-cni-net.d-10-other.conflist": "", "FileExisting--srv-audit": "",
		"Swop":                       "those that can be ignored are",
		"NumCPU-typo":                "those that can be ignored are",
		"SystemVerification-typo":    "those that can be ignored are",
		"SystemVerification-Kernel-": "those that can be ignored are",
		"Membership":                 "cannot be ignored",
		"DirAvailable--var-lib-etcd": "cannot be ignored",
	} {
		err := MayIgnore(view.Init, []string{name})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestIgnorableAreErrorsOfTheWorkflow(t *testing.T) {
	for workflow, want := range map[view.Workflow][]string{
		view.ImageLoad: {"CRI", "ImagePlatform"}, view.Reset: nil, view.Remove: nil, view.HATest: nil, view.Stop: nil, view.Start: nil,
	} {
		if got := Ignorable(workflow); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", workflow, got, want)
		}
	}
	for name, want := range map[string]bool{"NumCPU": true, "Port": true, "Swap": false, "CRI": false, "Membership": false} {
		if slices.Contains(Ignorable(view.Init), name) != want {
			t.Errorf("init: %s: want %t", name, want)
		}
	}
}
