package workflow

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// TestThereIsNoWayBackToDifferentVersions: an upgrade that had not come to all hosts, and another one after it.
func TestThereIsNoWayBackToDifferentVersions(t *testing.T) {
	had := func(digest string) hosts.Kept {
		return hosts.Kept{Paths: []hosts.KeptPath{{Path: manifests.BillFile, Digest: digest}}}
	}
	back := kept{hosts: map[string]hosts.Kept{"cp-1": had("new"), "worker-1": had("old"), "cp-2": had("new")}}
	_, err := back.bill()
	const want = "hosts had different ones (cp-1, cp-2; worker-1), since the upgrade before had not come to all of them"
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "slipway upgrade apply") {
		t.Errorf("it says %v", err)
	}
}
