package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// word is what a member said when it was asked.
type word struct {
	door   *door
	status *pb.StatusResponse
	err    error // why it said nothing
	list   []*pb.Member
	quorum bool // the list is the quorum's, not only what the member last knew
	refuse error
}

// hear asks the member behind a door how it is, and for the list of members.
func (e *etcd) hear(ctx context.Context, d *door) word {
	heard := word{door: d}
	if heard.status, heard.err = d.status(ctx, d.bound); heard.err != nil {
		return heard
	}
	if heard.status.Leader != 0 {
		heard.list, heard.refuse = d.members(ctx, e.pace.list)
		heard.quorum = heard.refuse == nil
	}
	if !heard.quorum {
		heard.list, heard.refuse = d.members(ctx, e.pace.list, clientv3.WithSerializable())
	}
	return heard
}

// hearAll asks at several doors at once.
func (e *etcd) hearAll(ctx context.Context, doors []*door) []word {
	heard := make([]word, len(doors))
	var group sync.WaitGroup
	for i, d := range doors {
		group.Go(func() { heard[i] = e.hear(ctx, d) })
	}
	group.Wait()
	return heard
}

// roster is etcd's list of members, each with what it said.
type roster struct {
	seats []*seat
	// quorum tells whether the list is the quorum's.
	quorum bool
}

// notStarted is what is known of a member that nobody can ask.
const notStarted = "it has not started yet"

// seat is one member.
type seat struct {
	*pb.Member
	asked bool
	word  *word // what it said; nil where it said nothing
	why   string
}

// roster asks all members how they are: each that has a connected host of its own there
// and, if thorough, the others from there. It fails where no list of members is had.
func (e *etcd) roster(ctx context.Context, thorough bool) (*roster, error) {
	words := e.hearAll(ctx, e.front())
	best := -1
	for i, heard := range words {
		if heard.list != nil && (best < 0 || better(heard, words[best])) {
			best = i
		}
	}
	if best < 0 {
		return nil, silentFor(words)
	}
	r := &roster{quorum: words[best].quorum}
	for _, member := range words[best].list {
		s := &seat{Member: member, why: notStarted}
		if member.Name != "" {
			s.why = "no way to it is known"
		}
		r.seats = append(r.seats, s)
	}
	for i := range words {
		r.seat(&words[i])
	}
	if thorough {
		e.askAfar(ctx, r)
	}
	return r, nil
}

// better tells whose list of members is the one to believe.
func better(a, b word) bool {
	if a.quorum != b.quorum {
		return a.quorum
	}
	return a.status.RaftAppliedIndex > b.status.RaftAppliedIndex
}

// silentFor is why no member gave the list.
func silentFor(words []word) error {
	if len(words) == 0 {
		return errNoHost
	}
	var reasons []error
	for _, heard := range words {
		switch {
		case heard.err != nil:
			reasons = append(reasons, heard.err)
		case heard.status.IsLearner:
			reasons = append(reasons, &laterError{fmt.Errorf("%s is a learner, and etcd lets none give the list of members", heard.door.name)})
		case heard.refuse != nil:
			reasons = append(reasons, fmt.Errorf("%s: %w", heard.door.name, heard.refuse))
		}
	}
	return errors.Join(reasons...)
}

// seat gives a member its word: by id, since a host may run another member than the list
// has by that name.
func (r *roster) seat(heard *word) {
	for _, s := range r.seats {
		own := s.Name != "" && s.Name == heard.door.host || slices.Contains(s.ClientURLs, heard.door.url)
		if own || heard.err == nil && s.ID == heard.status.Header.MemberId {
			s.hear(heard)
		}
	}
}

// hear notes what was said at a member's door.
func (s *seat) hear(heard *word) {
	s.asked = true
	switch {
	case s.word != nil:
	case heard.err != nil:
		s.why = brief(heard.err)
	case s.ID != heard.status.Header.MemberId:
		s.why = fmt.Sprintf("%s is another member, %s", heard.door.name, memberID(heard.status.Header.MemberId))
	default:
		s.word, s.why = heard, ""
	}
}

// askAfar asks the members that have not been asked on their own hosts by their client
// URLs, as seen from the control planes that are connected.
func (e *etcd) askAfar(ctx context.Context, r *roster) {
	var group sync.WaitGroup
	for _, s := range r.seats {
		if d := e.doorOf(s); d != nil && !s.asked {
			group.Go(func() {
				heard := word{door: d}
				heard.status, heard.err = d.status(ctx, d.bound)
				s.hear(&heard)
			})
		}
	}
	group.Wait()
}

// doorOf is the first of a member's client URLs that leads there from other hosts.
func (e *etcd) doorOf(s *seat) *door {
	for _, address := range s.ClientURLs {
		if d := e.at(address); d != nil {
			return d
		}
	}
	return nil
}

// leader is the leader's id, by the word of who knows the newest term; 0 where there is none.
func (r *roster) leader() uint64 {
	var leader, term uint64
	for _, s := range r.seats {
		if s.word != nil && s.word.status.Leader != 0 && s.word.status.RaftTerm >= term {
			leader, term = s.word.status.Leader, s.word.status.RaftTerm
		}
	}
	return leader
}

// well tells whether a member answers and knows a leader; if not, why.
func (s *seat) well() (bool, string) {
	switch {
	case s.word == nil:
		return false, s.why
	case s.word.status.Leader == 0:
		return false, "it knows no leader"
	}
	return true, ""
}

// alarms are those that a member has raised, in etcd's words: NOSPACE, CORRUPT.
func (s *seat) alarms() string {
	if s.word == nil {
		return ""
	}
	own := fmt.Sprintf("memberID:%d ", s.ID)
	var raised []string
	for _, text := range s.word.status.Errors {
		if after, found := strings.CutPrefix(text, own); found {
			raised = append(raised, strings.TrimSpace(after))
		}
	}
	return strings.Join(raised, ", ")
}

// facts are the members as the cluster's facts have them, sorted by name.
func (r *roster) facts() []hosts.Member {
	leader := r.leader()
	members := make([]hosts.Member, 0, len(r.seats))
	for _, s := range r.seats {
		member := hosts.Member{
			ID: memberID(s.ID), Name: s.Name, Peers: s.PeerURLs, Clients: s.ClientURLs,
			Learner: s.IsLearner, Leader: s.ID == leader,
		}
		if member.Healthy, member.Detail = s.well(); member.Healthy {
			member.Detail = s.alarms()
		}
		members = append(members, member)
	}
	slices.SortFunc(members, func(a, b hosts.Member) int {
		return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID)
	})
	return members
}

// memberID is a member's id as etcdctl writes it.
func memberID(id uint64) string { return strconv.FormatUint(id, 16) }

// members looks at etcd's members for an observation; the cause says why none is known.
func (c *Client) members(ctx context.Context) (members []hosts.Member, cause string) {
	if c.etcd == nil {
		return nil, ""
	}
	r, err := c.etcd.roster(ctx, true)
	if err != nil {
		return nil, brief(err)
	}
	return r.facts(), ""
}
