package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// etcd is the cluster of a world's etcds: who is a member, and whose data lie where.
type etcd struct {
	members []member
	data    map[string]string // by host: the id of the member whose data its folder holds
	begun   map[string]bool   // by id: the members that have had data
	leader  string            // the host that leads
	last    int
	// versions are the minor versions of the members that run, by host. storage is the one whose form
	// the data have, and downgrade the one that etcd is ready to go back to.
	versions           map[string]string
	storage, downgrade string
}

type member struct {
	id, name, peer string
	learner        bool
}

func (e *etcd) id() string {
	e.last++
	return fmt.Sprintf("%x", 0xe7cd00+e.last)
}

func (e *etcd) at(matches func(member) bool) int { return slices.IndexFunc(e.members, matches) }

func (e *etcd) voters() []member {
	return slices.DeleteFunc(slices.Clone(e.members), func(m member) bool { return m.learner })
}

// dataOn is the id of the member whose data lie on a host; "" where there are none.
func (w *world) dataOn(host string) string {
	if !w.has(host, view.EtcdLog) {
		delete(w.etcd.data, host)
	}
	return w.etcd.data[host]
}

// memberOn is the member that runs on a host. One that was removed ends at once.
func (w *world) memberOn(host string) (member, bool) {
	id := w.dataOn(host)
	if id == "" || !w.runs(host, manifests.EtcdManifest) {
		return member{}, false
	}
	if at := w.etcd.at(func(m member) bool { return m.id == id }); at >= 0 {
		return w.etcd.members[at], true
	}
	return member{}, false
}

// up tells whether a member runs, wherever it is.
func (w *world) up(m member) bool {
	for name := range w.machines {
		if runs, there := w.memberOn(name); there && runs.id == m.id {
			return true
		}
	}
	return false
}

// ready counts the voting members that run.
func (w *world) ready() int {
	n := 0
	for _, m := range w.etcd.voters() {
		if w.up(m) {
			n++
		}
	}
	return n
}

func (w *world) quorate() bool {
	voters := len(w.etcd.voters())
	return voters > 0 && w.ready() >= voters/2+1
}

// startEtcds starts every etcd that has what it needs; one that starts may be what
// another needs.
func (w *world) startEtcds() {
	for again := true; again; {
		again = false
		for _, host := range w.cluster.Hosts {
			if w.runs(host.Name, manifests.EtcdManifest) && w.dataOn(host.Name) == "" && w.beginEtcd(host.Name) {
				w.machines[host.Name].PutFile(view.EtcdLog+"/snap/db", nil, 0o600)
				again = true
			}
		}
	}
	w.runVersions()
	w.elect()
}

// runVersions has every member be of the version of its manifest. One that starts does not where the
// data are of a newer version's form. When all are of one version, the data come to its form, unless a
// downgrade is under way; one to it is over then.
func (w *world) runVersions() {
	w.t.Helper()
	minor := map[bool]string{}
	for _, next := range []bool{false, true} {
		minor[next] = etcdVersions[next][1:len("v3.6")]
	}
	same, all := "", true
	for _, host := range w.cluster.ControlPlanes() {
		if _, runs := w.memberOn(host.Name); !runs {
			delete(w.etcd.versions, host.Name)
			all = false
			continue
		}
		content, _, _ := w.machines[host.Name].ReadFile(manifests.EtcdManifest)
		has := minor[strings.Contains(string(content), "etcd:"+nextVersion)]
		if has != w.etcd.versions[host.Name] {
			if has < w.etcd.storage {
				w.t.Fatalf("%s: etcd %s does not start with data of %s", host.Name, has, w.etcd.storage)
			}
			w.etcd.versions[host.Name] = has
		}
		all = all && (same == "" || same == has)
		same = has
	}
	if all && w.etcd.downgrade == same {
		w.etcd.downgrade = ""
	}
	if all && w.etcd.downgrade == "" {
		w.etcd.storage = same
	}
}

// etcdVersions are those of etcd in the first bundle, and in the next.
var etcdVersions = map[bool]string{false: "v3.6.16", true: "v3.7.3"}

// beginEtcd is the first start of an etcd without data: its guard lets it begin where the
// host has noted so, in the state that the note says.
func (w *world) beginEtcd(name string) bool {
	w.t.Helper()
	note, _, may := w.machines[name].ReadFile(manifests.EtcdMayBegin)
	if !may {
		return false
	}
	content, _, _ := w.machines[name].ReadFile(manifests.EtcdManifest)
	initial, ok := manifests.InitialClusterOf(content)
	if !ok {
		w.t.Fatalf("%s: etcd's manifest names no initial cluster", name)
	}
	host, _ := w.cluster.Host(name)
	own := func(m member) bool { return m.peer == manifests.PeerURL(host) }
	if initial.State != manifests.StateExisting {
		w.t.Fatalf("%s: etcd's manifest does not say existing", name)
	}
	if string(note) == "new\n" {
		if len(w.etcd.members) == 0 {
			for _, m := range initial.Members {
				w.etcd.members = append(w.etcd.members, member{id: w.etcd.id(), name: m.Name, peer: m.PeerURL})
			}
		}
		if !w.sameMembers(initial) {
			w.t.Fatalf("%s: etcd begins a second cluster: %v beside %v", name, initial.Members, w.etcd.members)
		}
	} else if !w.quorate() || !w.sameMembers(initial) {
		return false // it ends, and is started again
	}
	at := w.etcd.at(own)
	if at < 0 {
		w.t.Fatalf("%s: etcd is started before it is a member", name)
	}
	m := &w.etcd.members[at]
	if w.etcd.begun[m.id] {
		w.t.Fatalf("%s: etcd's member begins again without the data it had", name)
	}
	m.name = name
	w.machines[name].Rename(manifests.EtcdMayBegin, manifests.EtcdBegun)
	w.etcd.begun[m.id], w.etcd.data[name] = true, m.id
	return true
}

// sameMembers tells whether an initial cluster names the members that there are, as etcd
// demands of every new one.
func (w *world) sameMembers(initial manifests.InitialCluster) bool {
	var want, have []string
	for _, m := range initial.Members {
		want = append(want, m.PeerURL)
	}
	for _, m := range w.etcd.members {
		have = append(have, m.peer)
	}
	slices.Sort(want)
	slices.Sort(have)
	return slices.Equal(want, have)
}

// elect finds a leader where the last one is gone.
func (w *world) elect() {
	if w.etcd.leader != "" {
		if m, there := w.memberOn(w.etcd.leader); there && !m.learner {
			return
		}
	}
	w.etcd.leader = ""
	if !w.quorate() {
		return
	}
	for _, m := range w.etcd.voters() {
		if w.up(m) {
			w.etcd.leader = m.name
			return
		}
	}
}

// members is what etcd says of itself, where anyone of it can be asked.
func (w *world) members() []hosts.Member {
	var found []hosts.Member
	asked := false
	for _, m := range w.etcd.members {
		up := w.up(m)
		asked = asked || up
		version := w.etcd.versions[m.name]
		seen := hosts.Member{ID: m.id, Name: m.name, Peers: []string{m.peer}, Learner: m.learner, Healthy: up && w.quorate(), Leader: m.name != "" && m.name == w.etcd.leader}
		switch {
		case !up:
			seen.Detail = "connection refused"
		case !seen.Healthy:
			seen.Detail = "it knows no leader"
		}
		if up && version != "" {
			seen.Version, seen.Storage, seen.Downgrade = version+".0", w.etcd.storage, w.etcd.downgrade
		}
		if m.name != "" && w.etcd.begun[m.id] {
			seen.Clients = []string{"https://" + m.name}
		}
		found = append(found, seen)
	}
	if !asked {
		return nil
	}
	return found
}

// inSync tells whether a learner of this name runs, or has its vote already.
func (w *world) inSync(name string) bool {
	at := w.etcd.at(func(m member) bool { return m.name == name })
	return at >= 0 && w.up(w.etcd.members[at])
}
