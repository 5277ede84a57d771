package api

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// brieflyOf writes members for comparison: name, what they are, and why not.
func brieflyOf(members []hosts.Member) []string {
	var lines []string
	for _, m := range members {
		line := m.Name
		for word, is := range map[string]bool{" learner": m.Learner, " leader": m.Leader, " healthy": m.Healthy} {
			if is {
				line += word
			}
		}
		words := strings.Fields(line)
		slices.Sort(words[1:])
		line = strings.Join(words, " ")
		if m.Detail != "" {
			line += ": " + m.Detail
		}
		lines = append(lines, line)
	}
	return lines
}

func TestMembersAreSeenThoughNoAPIServerAnswers(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		for _, want := range []bool{true, false} {
			facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
			if err != nil || facts.Reachable != want || facts.MembersCause != "" {
				t.Fatalf("%+v %v", facts, err)
			}
			wanted := []string{"cp-1 healthy leader", "cp-2 healthy", "cp-3 healthy: alarm:NOSPACE"}
			if got := brieflyOf(facts.Members); !slices.Equal(got, wanted) {
				t.Errorf("members %q", got)
			}
			first := facts.Members[0]
			if first.ID != "e7cd01" || !slices.Equal(first.Peers, []string{"https://10.0.0.1:2380"}) || !slices.Equal(first.Clients, []string{"https://10.0.0.1:2379"}) {
				t.Errorf("%+v", first)
			}
			for _, p := range e.cluster.planes {
				p.cut(errDown) // the API server's port: etcd's is another
			}
		}
	})
}

func TestMembersThatAreNotWell(t *testing.T) {
	tests := map[string]struct {
		connected []string
		trouble   func(e *etcdCluster)
		want      []string
	}{
		"etcd is down on a connected host": {
			three, func(e *etcdCluster) { e.servers[idOf("10.0.0.2")].fail(errDown) },
			[]string{"cp-1 healthy leader", "cp-2: reach etcd on cp-2 (127.0.0.1:2379): connect: connection refused", "cp-3 healthy: alarm:NOSPACE"},
		},
		"a host does not answer": {
			three, func(e *etcdCluster) { e.servers[idOf("10.0.0.2")].hangs = true },
			[]string{"cp-1 healthy leader", "cp-2: etcd on cp-2: no answer within 2s", "cp-3 healthy: alarm:NOSPACE"},
		},
		"etcd does not answer": {
			three, func(e *etcdCluster) { e.servers[idOf("10.0.0.2")].silent = true },
			[]string{"cp-1 healthy leader", "cp-2: etcd on cp-2: no answer within 2s", "cp-3 healthy: alarm:NOSPACE"},
		},
		"only one host is connected": {
			one, func(*etcdCluster) {}, []string{"cp-1 healthy leader", "cp-2 healthy", "cp-3 healthy: alarm:NOSPACE"},
		},
		"only one is connected, and one is dead": {
			one, func(e *etcdCluster) { e.servers[idOf("10.0.0.3")].fail(errNoRoute) },
			[]string{"cp-1 healthy leader", "cp-2 healthy", "cp-3: reach etcd from cp-1 (10.0.0.3:2379): connect: no route to host"},
		},
		"the leader is dead, and the others do not know it yet": {
			[]string{"cp-2", "cp-3"}, func(e *etcdCluster) { e.servers[idOf("10.0.0.1")].hangs = true },
			[]string{"cp-1 leader: etcd at 10.0.0.1:2379: no answer within 1.2s", "cp-2 healthy", "cp-3 healthy: alarm:NOSPACE"},
		},
		"no quorum": {
			one, func(e *etcdCluster) {
				e.leader = 0
				e.servers[idOf("10.0.0.2")].fail(errNoRoute)
				e.servers[idOf("10.0.0.3")].fail(errNoRoute)
			},
			[]string{
				"cp-1: it knows no leader", "cp-2: reach etcd from cp-1 (10.0.0.2:2379): connect: no route to host",
				"cp-3: reach etcd from cp-1 (10.0.0.3:2379): connect: no route to host",
			},
		},
		"one is added and has not started": {
			three, func(e *etcdCluster) {
				e.list[2].Name, e.list[2].ClientURLs, e.list[2].IsLearner = "", nil, true
				e.servers[idOf("10.0.0.3")].fail(errDown)
			},
			[]string{"learner: it has not started yet", "cp-1 healthy leader", "cp-2 healthy"},
		},
		"a learner": {
			three, func(e *etcdCluster) { e.list[1].IsLearner = true },
			[]string{"cp-1 healthy leader", "cp-2 healthy learner", "cp-3 healthy: alarm:NOSPACE"},
		},
		"another etcd runs on the host": {
			three, func(e *etcdCluster) { e.route("cp-2", "10.0.0.9", e.serve(e.ca, 0xbad, "10.0.0.9")) },
			[]string{"cp-1 healthy leader", "cp-2: etcd on cp-2 is another member, bad", "cp-3 healthy: alarm:NOSPACE"},
		},
		"a member's certificate is of another CA": {
			three, func(e *etcdCluster) {
				e.route("cp-2", "10.0.0.2", e.serve(newAuthority(e.t), idOf("10.0.0.2"), "10.0.0.2"))
			},
			[]string{"cp-1 healthy leader", "cp-2: etcd on cp-2: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority", "cp-3 healthy: alarm:NOSPACE"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			playEtcd(t, three, test.connected, func(t *testing.T, e *etcdCluster, client *Client) {
				test.trouble(e)
				began := time.Now()
				facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
				got := brieflyOf(facts.Members)
				for i := range got {
					got[i], _, _ = strings.Cut(got[i], " (possibly because")
				}
				if err != nil || !slices.Equal(got, test.want) {
					t.Errorf("members %q %v\nshould be %q", got, err, test.want)
				}
				if took := time.Since(began); took > 3*second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestMembersComeBackIntoSight(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		for _, err := range []error{nil, errDown, nil} {
			e.servers[idOf("10.0.0.2")].fail(err)
			facts, failed := client.Observe(t.Context(), hosts.ClusterQuery{})
			if failed != nil || len(facts.Members) != 3 || facts.Members[1].Healthy != (err == nil) {
				t.Errorf("%v: %q %v", err, brieflyOf(facts.Members), failed)
			}
		}
	})
}

func TestWhyNoMemberIsKnown(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		for _, s := range e.servers {
			s.fail(errDown)
		}
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || facts.Members != nil || !facts.Reachable {
			t.Fatalf("%+v %v", facts, err)
		}
		for _, name := range three {
			if !strings.Contains(facts.MembersCause, fmt.Sprintf("reach etcd on %s (127.0.0.1:2379): connect: connection refused", name)) {
				t.Errorf("cause %q", facts.MembersCause)
			}
		}
	})
	playEtcd(t, three, []string{"cp-2"}, func(t *testing.T, e *etcdCluster, client *Client) {
		e.list[1].IsLearner = true
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || facts.Members != nil || !strings.Contains(facts.MembersCause, "etcd on cp-2 is a learner") {
			t.Errorf("%+v %v", facts, err)
		}
	})
	play(t, one, func(t *testing.T, _ *cluster, client *Client) {
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || facts.Members != nil || facts.MembersCause != "" {
			t.Errorf("where etcd need not be reached: %+v %v", facts, err)
		}
	})
}

func TestExternalEtcdIsReachedFromAnyHost(t *testing.T) {
	playEtcd(t, []string{"etcd-a", "etcd-b"}, three, func(t *testing.T, e *etcdCluster, _ *Client) {
		client := e.client(e.ca, []string{"https://10.0.0.1:2379", "https://10.0.0.2:2379", "http://10.0.0.3:2379"})
		defer client.Close()
		inner := e.cluster.routes["10.0.0.2:2379"]
		e.cluster.routes["10.0.0.2:2379"] = func(ctx context.Context, from string) (net.Conn, error) {
			if from != "cp-3" {
				return nil, errNoRoute
			}
			return inner(ctx, from)
		}
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if got := brieflyOf(facts.Members); err != nil || !slices.Equal(got, []string{"etcd-a healthy leader", "etcd-b healthy"}) {
			t.Errorf("members %q %v %s", got, err, facts.MembersCause)
		}
	})
}

// TestEtcdThatAnswersWithHalfOfAnAnswer: what a hostile member leaves out ends no command.
func TestEtcdThatAnswersWithHalfOfAnAnswer(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		e.headless = true
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if got := brieflyOf(facts.Members); err != nil || len(got) != 3 || !strings.HasPrefix(got[0], "cp-1: etcd on cp-") {
			t.Errorf("without headers: %q %v", got, err)
		}
		e.headless, e.list = false, nil
		facts, err = client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || facts.Members != nil || !strings.Contains(facts.MembersCause, "etcd on cp-1: it gave an empty list of members") {
			t.Errorf("without members: %+v %v", facts, err)
		}
	})
}
