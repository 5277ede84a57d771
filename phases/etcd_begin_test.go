package phases

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// unmount takes etcd's data away from a host, as a disk does that is not mounted.
func (w *world) unmount(name string) {
	w.t.Helper()
	w.power(name, false)
	w.machines[name].Lose(manifests.EtcdData)
	w.power(name, true)
}

// reinstall puts a bare machine in the place of a host.
func (w *world) reinstall(name string) {
	w.t.Helper()
	host, _ := w.cluster.Host(name)
	w.power(name, false)
	w.boot(host)
	w.power(name, true)
}

func TestInitRefusesToBeginBesideTheLastCopyOfEtcd(t *testing.T) {
	whole := newWorld(t, 3, 1)
	whole.init(seeded(1))
	bare := map[string]bool{}
	tests := []struct {
		name    string
		happens func(w *world)
		begun   map[string]bool // what the state folder knows; nil: all
		refused map[string]string
		joined  map[string]bool // what it knows to have been in the cluster
	}{
		{"two disks are not mounted", func(w *world) { w.unmount("cp-2"); w.unmount("cp-3") }, nil,
			map[string]string{"cp-2": "begun before", "cp-3": "begun before"}, nil},
		{"so are all", func(w *world) { w.unmount("cp-1"); w.unmount("cp-2"); w.unmount("cp-3") }, bare,
			map[string]string{"cp-1": "begun before", "cp-2": "begun before", "cp-3": "begun before"}, nil},
		{"two hosts are installed anew", func(w *world) { w.reinstall("cp-2"); w.reinstall("cp-3") }, nil,
			map[string]string{"cp-2": "has run", "cp-3": "has run"}, nil},
		{"all are installed anew", func(w *world) { w.reinstall("cp-1"); w.reinstall("cp-2"); w.reinstall("cp-3") }, nil,
			map[string]string{"cp-1": "state folder", "cp-2": "state folder", "cp-3": "state folder"}, nil},
		{"and this machine too", func(w *world) { w.reinstall("cp-2"); w.reinstall("cp-3") }, bare,
			map[string]string{"cp-2": "has run", "cp-3": "has run"}, nil},
		{"and the last etcd does not run", func(w *world) {
			w.reinstall("cp-2")
			w.reinstall("cp-3")
			w.act("cp-1", hosts.SetUnit{Name: manifests.KubeletUnit})
			w.running["cp-1"] = map[string]bool{}
		}, bare, map[string]string{"cp-2": "has begun on cp-1", "cp-3": "has begun on cp-1"}, nil},
		{"a note was removed", func(w *world) {
			w.unmount("cp-2")
			w.unmount("cp-3")
			w.machines["cp-2"].Lose(manifests.EtcdNotes)
		}, bare, map[string]string{"cp-2": "begun before", "cp-3": "begun before"}, nil},
		{"nobody but the state folder knows", func(w *world) {
			w.unmount("cp-1")
			w.machines["cp-1"].Lose(manifests.EtcdNotes)
			w.reinstall("cp-2")
			w.reinstall("cp-3")
		}, map[string]bool{"cp-2": true}, map[string]string{"cp-1": "begun before", "cp-2": "state folder", "cp-3": "has begun on cp-1"}, nil},
		{"nobody but the state folder, which saw it in the cluster", func(w *world) {
			w.unmount("cp-1")
			w.machines["cp-1"].Lose(manifests.EtcdNotes)
			w.reinstall("cp-2")
			w.reinstall("cp-3")
		}, bare, map[string]string{"cp-1": "begun before", "cp-2": "state folder", "cp-3": "has begun on cp-1"}, map[string]bool{"cp-2": true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := whole.clone(t)
			test.happens(w)
			if test.begun != nil {
				w.begun = maps.Clone(test.begun)
			}
			in := w.observe()
			in.JoinedBefore = test.joined
			if in.ClusterFacts.Reachable {
				t.Fatal("an API server answers: nothing is lost")
			}
			_, _, err := Init(in)
			if err == nil {
				t.Fatal("init begins a new etcd")
			}
			for _, line := range strings.Split(err.Error(), "\n") {
				host, _, _ := strings.Cut(line, ":")
				if why := test.refused[host]; strings.Contains(line, ": EtcdData: ") && (why == "" || !strings.Contains(line, why)) {
					t.Errorf("%s: want %q", line, why)
				}
			}
			for host := range test.refused {
				if !strings.Contains(err.Error(), host+": EtcdData: it has no etcd data") {
					t.Errorf("%s is not refused: %v", host, err)
				}
				if !strings.Contains(err.Error(), "where all were installed anew, or a first init was interrupted, begin anew by: slipway reset --all") {
					t.Errorf("what to do is not told: %v", err)
				}
			}
		})
	}
}

// TestNoMemberBeginsBeforeAllFoundersHaveNotedSo: a host that was never let begin can be told
// from one that has lost all that it had.
func TestNoMemberBeginsBeforeAllFoundersHaveNotedSo(t *testing.T) {
	w := newWorld(t, 3, 0)
	p, _ := w.planned(Init)
	before := plan.Predecessors(p)
	for _, at := range []string{"cp-1", "cp-2", "cp-3"} {
		for _, other := range []string{"cp-1", "cp-2", "cp-3"} {
			if !reaches(before, at+"/etcd/etc/kubernetes/manifests/etcd.yaml", other+"/etcd/var/lib/slipway/etcd/begin") {
				t.Errorf("etcd begins on %s before %s has noted that it may", at, other)
			}
		}
	}
}

func TestAMemberThatLostItsDataComesAgainAsANewOne(t *testing.T) {
	w := newWorld(t, 3, 0)
	w.init(seeded(1))
	w.unmount("cp-2")
	if _, there := w.memberOn("cp-2"); there || w.dataOn("cp-2") != "" {
		t.Fatal("a member begins again without the data that it had")
	}
	_, _, err := Init(w.observe())
	if err == nil || !strings.Contains(err.Error(), "slipway reset cp-2, then slipway join") {
		t.Fatalf("init: %v", err)
	}
	chance := seeded(2)
	w.withoutBundle(func() { w.finish("the reset of cp-2", resetting("cp-2"), chance) })
	w.reconnect()
	w.finish("the join of cp-2", Join, chance)
	w.agreed("the join of cp-2")
	if !w.has("cp-2", manifests.EtcdBegun) || w.has("cp-2", manifests.EtcdMayBegin) {
		t.Error("it has not noted that it has begun")
	}
}

// TestAnOldBundlesEtcdIsRefused: it would begin twice, and leave no trace that it has begun.
func TestAnOldBundlesEtcdIsRefused(t *testing.T) {
	for _, external := range []bool{false, true} {
		w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 2, external: external})
		w.bill.Components = []bundle.Component{{Name: "cni-install"}, {Name: "cni-await"}, {Name: "etcd"}}
		for name, workflow := range map[string]func(Input) (plan.Plan, plan.Contents, error){"init": Init, "join": Join} {
			_, _, err := workflow(w.observe())
			if refused := err != nil && strings.Contains(err.Error(), "no guard at its start"); refused == external {
				t.Errorf("%s, external etcd %v: %v", name, external, err)
			}
		}
	}
}

// TestWhatAHostShowsOfItsMember is the table of etcd_begin.go.
func TestWhatAHostShowsOfItsMember(t *testing.T) {
	const data, may, done, manifest = view.EtcdLog, manifests.EtcdMayBegin, manifests.EtcdBegun, manifests.EtcdManifest
	for name, test := range map[string]struct {
		files, owned  []string
		begins, begun bool
	}{
		"nothing":                                 {},
		"it may":                                  {files: []string{may}, owned: []string{may}, begins: true},
		"it may, and its manifest is there":       {files: []string{may, manifest}, owned: []string{may, manifest}, begins: true},
		"cut before the note was written":         {owned: []string{may}},
		"cut before the manifest was written":     {files: []string{may}, owned: []string{may, manifest}, begins: true},
		"it has begun":                            {files: []string{data, done, manifest}, owned: []string{may, manifest}, begun: true},
		"its etcd does not note that it has":      {files: []string{data, may, manifest}, owned: []string{may, manifest}, begun: true},
		"its data are gone":                       {files: []string{done, manifest}, owned: []string{may, manifest}, begun: true},
		"the note too":                            {files: []string{manifest}, owned: []string{may, manifest}, begun: true},
		"there were no notes yet":                 {files: []string{data, manifest}, owned: []string{manifest}, begun: true},
		"nor are there data any more":             {files: []string{manifest}, owned: []string{manifest}, begun: true},
		"nor is there a manifest any more":        {owned: []string{manifest}, begun: true},
		"kubeadm made it a member, data are gone": {files: []string{manifest}, begun: true},
	} {
		facts := hosts.Facts{Files: map[string]hosts.File{}, Record: &hosts.Record{Cluster: hosts.Identity{ID: "x"}}}
		for _, file := range test.files {
			facts.Files[file] = hosts.File{}
		}
		for _, file := range test.owned {
			facts.Record.Paths = append(facts.Record.Paths, hosts.Owned{Path: file, Type: hosts.TypeFile})
		}
		if view.MayBegin(facts) != test.begins || view.HasBegun(facts) != test.begun {
			t.Errorf("%s: may begin %v, has begun %v; want %v, %v", name, view.MayBegin(facts), view.HasBegun(facts), test.begins, test.begun)
		}
	}
}

// TestAClusterFromBeforeTheNotesDoesNotBeginAgain: nothing but the manifests tells of it.
func TestAClusterFromBeforeTheNotesDoesNotBeginAgain(t *testing.T) {
	for _, planes := range []int{1, 3} {
		w := newWorld(t, planes, 0)
		w.init(seeded(1))
		w.begun = map[string]bool{}
		for _, host := range w.cluster.Hosts {
			w.machines[host.Name].Lose(manifests.EtcdNotes)
			w.unmount(host.Name)
		}
		in := w.observe()
		for _, facts := range in.Facts {
			facts.Record.Paths = slices.DeleteFunc(facts.Record.Paths, func(owned hosts.Owned) bool { return within(owned.Path, manifests.EtcdNotes) })
		}
		_, _, err := Init(in)
		for _, host := range w.cluster.Hosts {
			if err == nil || !strings.Contains(err.Error(), host.Name+": EtcdData: it has no etcd data, but its member has begun before") {
				t.Errorf("of %d: %s is not refused: %v", planes, host.Name, err)
			}
		}
	}
}

// TestAnInitThatWasCutAtANoteGoesOn: the record has the note, the host does not.
func TestAnInitThatWasCutAtANoteGoesOn(t *testing.T) {
	w := newWorld(t, 3, 0)
	p, contents := w.planned(Init)
	at := slices.IndexFunc(p.Steps, LetsBegin)
	w.run(p, contents, seeded(1), at)
	w.begun = map[string]bool{} // it notes what is done
	in := w.observe()
	for name, facts := range in.Facts {
		if facts.Record == nil {
			facts.Record = &hosts.Record{Cluster: in.ClusterID}
		}
		delete(facts.Files, manifests.EtcdMayBegin)
		facts.Record.Paths = append(facts.Record.Paths, hosts.Owned{Path: manifests.EtcdMayBegin, Type: hosts.TypeFile})
		in.Facts[name] = facts
	}
	again, _, err := Init(in)
	if err != nil {
		t.Fatalf("the next init: %v", err)
	}
	if !slices.ContainsFunc(again.Steps, LetsBegin) {
		t.Error("the next init does not write the note")
	}
}

// TestALeftNoteIsToldHowToRemove: a reset does nothing where there is no record.
func TestALeftNoteIsToldHowToRemove(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.machines["cp-1"].PutFile(manifests.EtcdBegun, nil, 0o600)
	_, _, err := Init(w.observe())
	if err == nil || !strings.Contains(err.Error(), "rm -r "+manifests.EtcdNotes) || strings.Contains(err.Error(), "reset --all") {
		t.Errorf("init: %v", err)
	}
}
