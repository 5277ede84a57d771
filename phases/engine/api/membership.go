package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// report is what a member answered.
type report struct {
	client *memberClient
	status *pb.StatusResponse // nil where it did not answer
	list   []*pb.Member
	quorum bool  // the list is the quorum's, not only what the member last knew
	err    error // why it gave no status, or no list
}

// member is one of etcd's members.
type member struct {
	*pb.Member
	asked  bool
	report *report // what it answered; nil where it did not
	why    string  // it did not
}

// membership is etcd's list of members, each with what it answered.
type membership struct {
	members []*member
	quorum  bool // the list is the quorum's
}

// notStarted is what is known of a member that nobody can ask.
const notStarted = "it has not started yet"

// ask asks a member how it is, and for the list of members.
func (e *etcd) ask(ctx context.Context, client *memberClient) report {
	r := report{client: client}
	if r.status, r.err = client.status(ctx); r.err != nil {
		return r
	}
	if r.status.Leader != 0 {
		r.list, r.err = client.members(ctx, e.pace.list)
		r.quorum = r.err == nil
	}
	if !r.quorum {
		r.list, r.err = client.members(ctx, e.pace.list, clientv3.WithSerializable())
	}
	return r
}

// membership asks all members that are known without a list how they are, at once, and
// believes the best list. It fails where none gives one.
func (e *etcd) membership(ctx context.Context) (*membership, error) {
	clients := e.known()
	reports := make([]report, len(clients))
	var group sync.WaitGroup
	for i, client := range clients {
		group.Go(func() { reports[i] = e.ask(ctx, client) })
	}
	group.Wait()
	var best *report
	for i := range reports {
		if r := &reports[i]; r.list != nil && (best == nil || r.betterThan(best)) {
			best = r
		}
	}
	if best == nil {
		return nil, noList(reports)
	}
	m := &membership{quorum: best.quorum}
	for _, listed := range best.list {
		why := notStarted
		if listed.Name != "" {
			why = "no way to it is known"
		}
		m.members = append(m.members, &member{Member: listed, why: why})
	}
	for i := range reports {
		m.note(&reports[i])
	}
	return m, nil
}

// betterThan tells which list of members is the one to believe.
func (r *report) betterThan(other *report) bool {
	if r.quorum != other.quorum {
		return r.quorum
	}
	return r.status.RaftAppliedIndex > other.status.RaftAppliedIndex
}

// noList is why no member gave the list.
func noList(reports []report) error {
	if len(reports) == 0 {
		return errNoHost
	}
	var reasons []error
	for _, r := range reports {
		switch {
		case r.status == nil:
			reasons = append(reasons, r.err)
		case r.status.IsLearner:
			reasons = append(reasons, later("%s is a learner, and etcd lets none give the list of members", r.client.name))
		case r.err != nil:
			reasons = append(reasons, fmt.Errorf("%s: %w", r.client.name, r.err))
		default:
			reasons = append(reasons, fmt.Errorf("%s: it gave an empty list of members", r.client.name))
		}
	}
	return errors.Join(reasons...)
}

// note finds whose a report is: by id, since a host may run another member than the list has
// by that name.
func (m *membership) note(r *report) {
	for _, one := range m.members {
		expected := one.Name != "" && one.Name == r.client.host || slices.Contains(one.ClientURLs, r.client.url)
		if expected || r.status != nil && one.ID == r.status.Header.GetMemberId() {
			one.note(r)
		}
	}
}

// note takes what was answered where the member should be.
func (m *member) note(r *report) {
	m.asked = true
	switch {
	case m.report != nil:
	case r.status == nil:
		m.why = brief(r.err)
	case m.ID != r.status.Header.GetMemberId():
		m.why = fmt.Sprintf("%s is another member, %s", r.client.name, memberID(r.status.Header.GetMemberId()))
	default:
		m.report, m.why = r, ""
	}
}

// askByURL asks the members that were not asked on their own hosts by their client URLs, from
// the control planes that are connected.
func (e *etcd) askByURL(ctx context.Context, m *membership) {
	var group sync.WaitGroup
	for _, one := range m.members {
		if client := e.reach(one); client != nil && !one.asked {
			group.Go(func() {
				r := &report{client: client}
				r.status, r.err = client.status(ctx)
				one.note(r)
			})
		}
	}
	group.Wait()
}

// reach is the client for the first of a member's client URLs that leads there from other hosts.
func (e *etcd) reach(m *member) *memberClient {
	for _, address := range m.ClientURLs {
		if client := e.at(address); client != nil {
			return client
		}
	}
	return nil
}

// find is the first member that is meant; nil where there is none.
func (m *membership) find(meant func(*member) bool) *member {
	if i := slices.IndexFunc(m.members, meant); i >= 0 {
		return m.members[i]
	}
	return nil
}

// count is how many members are meant.
func (m *membership) count(meant func(*member) bool) int {
	n := 0
	for _, one := range m.members {
		if meant(one) {
			n++
		}
	}
	return n
}

// leader is the leader by the newest term that a member knows; nil where there is none.
func (m *membership) leader() *member {
	var leader, term uint64
	for _, one := range m.members {
		if one.report != nil && one.report.status.Leader != 0 && one.report.status.RaftTerm >= term {
			leader, term = one.report.status.Leader, one.report.status.RaftTerm
		}
	}
	return m.find(func(one *member) bool { return leader != 0 && one.ID == leader })
}

// furthest is the voting member that has applied most, one excepted; nil where none is well.
func (m *membership) furthest(except uint64) *member {
	var best *member
	for _, one := range m.members {
		if well, _ := one.well(); !well || one.IsLearner || one.ID == except {
			continue
		}
		if best == nil || one.report.status.RaftAppliedIndex > best.report.status.RaftAppliedIndex {
			best = one
		}
	}
	return best
}

// names lists members, as the end of a sentence.
func (m *membership) names(meant func(*member) bool) string {
	if m == nil {
		return ""
	}
	var names []string
	for _, one := range m.members {
		if !meant(one) {
			continue
		}
		name := one.Name
		if name == "" {
			name = strings.Join(one.PeerURLs, ", ")
		}
		if one.why != "" && (one.asked || one.Name == "") {
			name += " (" + one.why + ")"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, "; ")
}

// well tells whether a member answers and knows a leader; if not, why.
func (m *member) well() (bool, string) {
	switch {
	case m.report == nil:
		return false, m.why
	case m.report.status.Leader == 0:
		return false, "it knows no leader"
	}
	return true, ""
}

// memberID is a member's id as etcdctl writes it.
func memberID(id uint64) string { return strconv.FormatUint(id, 16) }

// laterError is a state of etcd in which a change cannot be made yet.
type laterError struct{ err error }

func (e *laterError) Error() string { return e.err.Error() }

func (e *laterError) Unwrap() error { return e.err }

func later(format string, args ...any) error { return &laterError{fmt.Errorf(format, args...)} }
