package workflow

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// TestThereIsNoWayBackToDifferentVersions: an upgrade that had not come to all hosts, and another one after it.
func TestThereIsNoWayBackToDifferentVersions(t *testing.T) {
	had := func(digest string) hosts.Kept {
		return hosts.Kept{Paths: []hosts.KeptPath{{Path: manifests.BillFile, Digest: digest}}}
	}
	back := kept{hosts: map[string]hosts.Kept{"cp-1": had("new"), "worker-1": had("old"), "cp-2": had("new")}}
	_, found := back.bill()
	const want = "hosts had different versions before the last upgrade (cp-1, cp-2; worker-1), since the upgrade before it had not come to all of them"
	if found == nil || !strings.Contains(found.Seen, want) || !strings.Contains(found.Fix, "slipway upgrade apply") {
		t.Errorf("it says %+v", found)
	}
}

// TestWithoutAWayBackTheSnapshotIsLeft: it is a refusal, and says where the snapshots are.
func TestWithoutAWayBackTheSnapshotIsLeft(t *testing.T) {
	s := scene{}.session(t)
	folder := snapshotFolder(t, s)
	for name, test := range map[string]struct {
		facts map[string]hosts.Facts
		want  []string
	}{
		"nothing is kept": {map[string]hosts.Facts{"cp-1": {}}, []string{"KeptVersion: no host of ", "slipway upgrade apply"}},
		"all is damaged":  {map[string]hosts.Facts{"cp-1": {KeptBroken: map[string]string{"next": "it was cut"}}}, []string{"cp-1: KeptVersion: what it has kept from before an upgrade is not whole: it was cut"}},
		"an older Slipway": {map[string]hosts.Facts{"cp-1": {Kept: []hosts.Kept{{Before: "next", At: time.Now()}}}},
			[]string{"cp-1: KeptVersion: it has not kept which bundle was in force"}},
	} {
		s.facts, s.hosts = test.facts, map[string]hosts.Host{"cp-1": keepsNothing{}}
		err := s.lookAtKept(t.Context(), &Run{})
		refused, is := errors.AsType[*checks.Refused](err)
		if !is {
			t.Errorf("%s: it ends with %v", name, err)
			continue
		}
		for _, want := range append(test.want, folder, `docs/runbooks.md, "Restore it by hand"`) {
			if !strings.Contains(refused.Error(), want) {
				t.Errorf("%s: it says %v, without %q", name, refused, want)
			}
		}
	}
}

// keepsNothing is a host of which there is nothing to read.
type keepsNothing struct{ hosts.Host }

func (keepsNothing) Observe(context.Context, hosts.Query) (hosts.Facts, error) {
	return hosts.Facts{}, nil
}
