package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
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

// doMember carries out what is done to etcd's members, which needs no API.
func (w *world) doMember(step plan.Step) bool {
	w.t.Helper()
	switch a := step.Cluster.(type) {
	case plan.MemberAdd:
		w.addMember(step, a)
	case plan.MemberPromote:
		at := w.etcd.at(func(m member) bool { return m.name == a.Name })
		if w.etcd.members[at].learner {
			w.whole(step, w.etcd.members[at].id)
			w.etcd.members[at].learner = false
		}
	case plan.MemberRemove:
		at := w.etcd.at(func(m member) bool { return m.id == a.ID })
		if at >= 0 {
			w.whole(step, a.ID)
			w.etcd.members = slices.Delete(slices.Clone(w.etcd.members), at, at+1)
			w.elect()
		}
	case plan.MoveLeader:
		if w.etcd.leader == a.From {
			w.moveLeader(step, a.From)
		}
	case plan.EtcdDowngrade:
		w.etcd.downgrade = a.Version
		if a.Version != "" {
			w.etcd.storage = a.Version
		}
	case plan.SnapshotEtcd:
		w.snapshot(step, a)
	case plan.QuorumHolds:
		w.holds(step, a)
	default:
		return false
	}
	return true
}

// holds checks that etcd can do without a member.
func (w *world) holds(step plan.Step, a plan.QuorumHolds) {
	w.t.Helper()
	voters, up := 0, 0
	for _, m := range w.etcd.voters() {
		if m.name != a.Without || a.Stays {
			voters++
		}
		if m.name != a.Without && w.up(m) {
			up++
		}
	}
	if up < voters/2+1 {
		w.t.Fatalf("step %s: without %s %d of %d members run", step.ID, a.Without, up, voters)
	}
}

func (w *world) addMember(step plan.Step, a plan.MemberAdd) {
	w.t.Helper()
	for _, m := range w.etcd.members {
		if m.name == a.Name || m.peer == a.Peer {
			return
		}
	}
	w.whole(step, "")
	for _, m := range w.etcd.members {
		if m.learner {
			w.t.Fatalf("step %s: etcd has a learner already: %s", step.ID, m.name)
		}
		if !w.up(m) {
			w.t.Fatalf("step %s: etcd refuses to grow while %s is down", step.ID, m.name)
		}
	}
	w.etcd.members = append(w.etcd.members, member{id: w.etcd.id(), peer: a.Peer, learner: true})
}

// whole checks that no member is changed but by a quorum, and only while all the others
// are well that are not on a host which is dead.
func (w *world) whole(step plan.Step, changed string) {
	w.t.Helper()
	if !w.quorate() {
		w.t.Fatalf("step %s: etcd has no quorum", step.ID)
	}
	for _, m := range w.etcd.voters() {
		if m.id != changed && !w.down[m.name] && !w.up(m) {
			w.t.Fatalf("step %s: etcd's members are changed while %s is not back", step.ID, m.name)
		}
	}
}

func (w *world) moveLeader(step plan.Step, from string) {
	w.t.Helper()
	for _, m := range w.etcd.voters() {
		if m.name != from && w.up(m) {
			w.etcd.leader = m.name
			return
		}
	}
	w.t.Fatalf("step %s: nobody can take the leadership over", step.ID)
}

// snapshot checks that a snapshot is taken while no control plane has changed, from a member that is well.
func (w *world) snapshot(step plan.Step, a plan.SnapshotEtcd) {
	w.t.Helper()
	if m, there := w.memberOn(a.From); !there || m.learner || !w.quorate() {
		w.t.Fatalf("step %s: the member on %s is not well", step.ID, a.From)
	}
	for _, host := range w.cluster.ControlPlanes() {
		for _, file := range servesAPI {
			if content, _, there := w.machines[host.Name].ReadFile(file); !there || strings.Contains(string(content), ":"+nextVersion) {
				w.t.Fatalf("step %s: %s of %s has changed already", step.ID, file, host.Name)
			}
		}
	}
	w.snapshots++
}
