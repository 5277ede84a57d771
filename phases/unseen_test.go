package phases

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestWhoMayRunAfterAResetOfAll: only where surely nobody does are the cluster's keys given up.
func TestWhoMayRunAfterAResetOfAll(t *testing.T) {
	silence := func(w *world) {
		w.act("cp-1", hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
		w.act("cp-1", hosts.StopPods{})
	}
	for name, test := range map[string]struct {
		bare   bool
		blank  bool // no data of etcd are seen
		prep   func(*world)
		joined []string
		want   string // empty: nobody
	}{
		"the API tells of all":                         {},
		"it is silent":                                 {prep: silence, want: "no API server answered"},
		"it is silent, and etcd's data are gone":       {prep: silence, blank: true, joined: []string{"cp-1"}, want: "no API server answered"},
		"it is silent, and etcd's disk is not mounted": {prep: func(w *world) { w.unmount("cp-1"); w.begun = nil }, want: "no API server answered"},
		"only the state folder knows that it began":    {bare: true, prep: func(w *world) { w.begun["cp-1"] = true }, want: "no API server answered"},
		"it may begin, and has not": {bare: true, prep: func(w *world) {
			w.begun["cp-1"] = true
			w.machines["cp-1"].PutFile(manifests.EtcdMayBegin, nil, 0o600)
		}},
		"the cluster never began":                      {bare: true},
		"the control plane is down":                    {bare: true, prep: func(w *world) { w.down["cp-1"] = true }, want: "no API server answered"},
		"the API tells of a node that the file lacks":  {prep: func(w *world) { w.nodes["w-9"] = hosts.Node{Name: "w-9"} }, want: "w-9, which the file lacks"},
		"a host was seen once that the file lacks":     {joined: []string{"cp-1", "w-1", "w-7"}, want: "w-7, which the file lacks"},
		"all that were seen once are in the file":      {joined: []string{"cp-1", "w-1"}},
		"silent, and one was seen that the file lacks": {prep: silence, joined: []string{"w-7"}, want: "w-7, which the file lacks"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, 1)
			if !test.bare {
				w.init(seeded(1))
			}
			if test.prep != nil {
				test.prep(w)
			}
			in := w.observe()
			if test.blank {
				delete(in.Facts["cp-1"].Files, view.EtcdLog)
			}
			got := checks.Unseen(in.View, test.joined)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
