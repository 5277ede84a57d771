package phases

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// electorate makes members out of words: a name alone answers, name? does not, and name+
// is a learner.
func electorate(words ...string) []hosts.Member {
	var members []hosts.Member
	for _, word := range words {
		name := strings.Trim(word, "?+")
		member := hosts.Member{ID: "id-" + name, Name: name, Peers: []string{"https://" + name + ":2380"}, Healthy: true}
		if strings.Contains(word, "?") {
			member.Healthy, member.Detail = false, "connection refused"
		}
		member.Learner = strings.Contains(word, "+")
		members = append(members, member)
	}
	return members
}

func TestTheQuorumsSum(t *testing.T) {
	tests := []struct {
		members, leaving string
		want             string // empty: they may leave
	}{
		{"cp-1 cp-2 cp-3", "cp-2", ""},
		{"cp-1 cp-2 cp-3", "cp-1 cp-2", ""},
		{"cp-1 cp-2 cp-3", "", ""},
		{"cp-1 cp-2 cp-3?", "cp-3?", ""},
		{"cp-1 cp-2 cp-3?", "cp-2", "after cp-2 leaves, etcd has 2 members (cp-1, cp-3), of which a quorum is 2; only 1 answers (cp-1; cp-3: connection refused)"},
		{"cp-1 cp-2 cp-3?", "cp-3? cp-2", ""},
		{"cp-1 cp-2? cp-3?", "cp-3?", "etcd has 3 members (cp-1, cp-2, cp-3), of which a quorum is 2; only 1 answers (cp-1; cp-2: connection refused; cp-3: connection refused)"},
		{"cp-1 cp-2 cp-3", "cp-1 cp-2 cp-3", "after cp-3 leaves, etcd has no member, and the cluster's data are gone"},
		{"cp-1 cp-2 cp-3 cp-4? cp-5?", "cp-1", "after cp-1 leaves, etcd has 4 members (cp-2, cp-3, cp-4, cp-5), of which a quorum is 3; only 2 answer (cp-2; cp-3; cp-4: connection refused; cp-5: connection refused)"},
		{"cp-1 cp-2 cp-3 cp-4? cp-5?", "cp-5? cp-4? cp-1", ""},
		{"cp-1 cp-2+", "cp-2+", ""},
		{"cp-1 cp-2? cp-3+", "cp-3+", ""},
		{"cp-1 cp-2+", "cp-1", "after cp-1 leaves, etcd has no member, and the cluster's data are gone"},
		{"cp-1? cp-2?", "cp-2?", "etcd has 2 members (cp-1, cp-2), of which a quorum is 2; none of them answers (cp-1: connection refused; cp-2: connection refused)"},
		{"cp-1", "cp-9", ""},
	}
	for _, test := range tests {
		got := view.NoQuorum(electorate(strings.Fields(test.members)...), electorate(strings.Fields(test.leaving)...))
		if got != test.want {
			t.Errorf("%s, leaving %q:\n got %q\nwant %q", test.members, test.leaving, got, test.want)
		}
	}
}

// TestTheQuorumsSumAgreesWithEtcds holds the sum against the condition by which etcd itself
// refuses a removal: one that runs may only go while as many run as are a majority of the
// rest, and itself.
func TestTheQuorumsSumAgreesWithEtcds(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 7))
	for range 5000 {
		var words []string
		for i := range 1 + chance.IntN(7) {
			words = append(words, fmt.Sprint("cp-", i, []string{"", "", "", "?", "+"}[chance.IntN(5)]))
		}
		members := electorate(words...)
		goes := members[chance.IntN(len(members))]
		voters := view.Voting(members)
		running := 0
		for _, m := range voters {
			if m.Healthy {
				running++
			}
		}
		commits := running >= len(voters)/2+1
		may := goes.Learner || commits && len(voters) > 1 && (!goes.Healthy || running-1 >= (len(voters)-1)/2+1)
		if got := view.NoQuorum(members, []hosts.Member{goes}) == ""; got != may {
			t.Errorf("%v: %s may leave: %v, etcd says %v", words, goes.Name, got, may)
		}
	}
}

func TestMembersAreKnownByNameOrPeer(t *testing.T) {
	host := cluster.Host{Name: "cp-1", Addresses: []string{"10.0.0.1"}}
	members := []hosts.Member{
		{ID: "1", Name: "cp-1", Peers: []string{"https://10.0.0.9:2380"}}, // what it was under another address
		{ID: "2", Peers: []string{"https://10.0.0.1:2380"}},               // added, and never started
		{ID: "3", Name: "cp-2", Peers: []string{"https://10.0.0.2:2380"}},
	}
	var ids []string
	for _, member := range view.MembersOf(members, host) {
		ids = append(ids, member.ID)
	}
	if !slices.Equal(ids, []string{"1", "2"}) {
		t.Errorf("the host's members are %v", ids)
	}
}
