package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
)

const newPeer = "https://10.0.0.4:2380"

// stages answers a method with one error after another, and then lets etcd do it.
func stages(method string, errs ...error) func(string) (error, bool) {
	return func(asked string) (error, bool) {
		if asked != method || len(errs) == 0 {
			return nil, true
		}
		err := errs[0]
		errs = errs[1:]
		return err, false
	}
}

// always answers a method with an error.
func always(method string, err error) func(string) (error, bool) {
	return func(asked string) (error, bool) {
		if asked != method {
			return nil, true
		}
		return err, false
	}
}

// learner makes a member one that has no vote yet.
func (e *etcdCluster) learner(name string) {
	for _, m := range e.list {
		if m.Name == name {
			m.IsLearner = true
		}
	}
}

func TestMemberIsAddedOnceAsALearner(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		steps := []struct {
			action plan.MemberAdd
			result hosts.Result
		}{
			{plan.MemberAdd{Name: "cp-2", Peer: newPeer}, hosts.Unchanged},
			{plan.MemberAdd{Name: "cp-4", Peer: "https://10.0.0.2:2380"}, hosts.Unchanged},
			{plan.MemberAdd{Name: "cp-4", Peer: newPeer}, hosts.Changed},
			{plan.MemberAdd{Name: "cp-4", Peer: newPeer}, hosts.Unchanged}, // it has no name before it starts
		}
		for i, step := range steps {
			if done, err := client.Do(t.Context(), step.action, nil, nil); err != nil || done.Result != step.result {
				t.Errorf("%d: %v %v, should be %s", i, done, err, step.result)
			}
		}
		if len(e.list) != 4 || !e.list[3].IsLearner || !slices.Equal(e.said("MemberAdd"), []string{"cp-1"}) {
			t.Errorf("members %v, asked %v", e.list, e.said("MemberAdd"))
		}
	})
}

func TestChangeIsTriedAgainWhereEtcdIsNotReady(t *testing.T) {
	tests := map[string][]error{
		"after another change":     {rpctypes.ErrGRPCUnhealthy, rpctypes.ErrGRPCMemberNotEnoughStarted},
		"in an election":           {rpctypes.ErrGRPCNoLeader, rpctypes.ErrGRPCLeaderChanged, rpctypes.ErrGRPCTimeoutDueToLeaderFail},
		"passed on in vain":        {grpcstatus.Error(codes.Unknown, "member 1 is not the leader")},
		"the server is going down": {rpctypes.ErrGRPCStopped, grpcstatus.Error(codes.Unavailable, "transport is closing")},
	}
	for name, refusals := range tests {
		t.Run(name, func(t *testing.T) {
			playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
				e.answer = stages("MemberAdd", refusals...)
				var notes []string
				done, err := client.Do(t.Context(), plan.MemberAdd{Name: "cp-4", Peer: newPeer}, nil, func(p hosts.Progress) { notes = append(notes, p.Note) })
				if err != nil || done.Result != hosts.Changed || len(e.said("MemberAdd")) != len(refusals)+1 {
					t.Fatalf("%v %v %v", done, err, e.said("MemberAdd"))
				}
				if len(notes) == 0 || !strings.HasPrefix(notes[0], "waiting: ") || strings.Contains(strings.Join(notes, " "), "etcdserver: unhealthy cluster") {
					t.Errorf("progress does not say in plain words why it waits: %q", notes)
				}
			})
		})
	}
}

func TestChangeWhoseAnswerIsLostIsNotMadeTwice(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		e.answer = func(method string) (error, bool) {
			if method == "MemberAdd" {
				return rpctypes.ErrGRPCTimeout, true
			}
			return nil, true
		}
		done, err := client.Do(t.Context(), plan.MemberAdd{Name: "cp-4", Peer: newPeer}, nil, nil)
		if err != nil || done.Result != hosts.Changed || len(e.list) != 4 {
			t.Errorf("%v %v, members %v", done, err, e.list)
		}
	})
}

func TestRefusedChangeTellsWhatToDo(t *testing.T) {
	add := plan.MemberAdd{Name: "cp-4", Peer: newPeer}
	tests := map[string]struct {
		action  plan.ClusterAction
		prepare func(e *etcdCluster)
		within  time.Duration
		says    []string
		fix     string
	}{
		"a learner is there already": {
			add, func(e *etcdCluster) {
				e.learner("cp-3")
				e.answer = always("MemberAdd", rpctypes.ErrGRPCTooManyLearners)
			},
			second, []string{"add etcd member cp-4", "a learner already", "cp-3"}, "finish its join",
		},
		"a member is dead": {
			add, func(e *etcdCluster) {
				e.servers[idOf("10.0.0.3")].fail(errDown)
				e.answer = always("MemberAdd", rpctypes.ErrGRPCUnhealthy)
			},
			32 * second, []string{"add etcd member cp-4", "not within 30s", "connected", "cp-3", "connection refused"}, "slipway remove NAME --offline",
		},
		"a member never started": {
			plan.MemberRemove{ID: memberID(idOf("10.0.0.2")), Name: "cp-2"}, func(e *etcdCluster) {
				e.list[2].Name = ""
				e.answer = always("MemberRemove", rpctypes.ErrGRPCMemberNotEnoughStarted)
			},
			32 * second, []string{"remove etcd member cp-2 (e7cd02)", "not within 30s", "have started", "https://10.0.0.3:2380"}, "slipway join --remove-stale",
		},
		"no quorum": {
			add, func(e *etcdCluster) {
				e.leader = 0
				e.servers[idOf("10.0.0.3")].fail(errDown)
			},
			32 * second, []string{"add etcd member cp-4", "no leader", "cp-3", "connection refused"}, "most of etcd's members",
		},
		"no etcd answers": {
			add, func(e *etcdCluster) {
				for _, s := range e.servers {
					s.fail(errDown)
				}
			},
			32 * second, []string{"add etcd member cp-4", "not within 30s", "etcd on cp-3", "connection refused"}, "",
		},
		"not in sync in time": {
			plan.MemberPromote{Name: "cp-3", Timeout: 5}, func(e *etcdCluster) {
				e.learner("cp-3")
				e.answer = always("MemberPromote", rpctypes.ErrGRPCLearnerNotReady)
			},
			6 * second, []string{"promote etcd member cp-3", "not within 5s", "not in sync"}, "port 2380",
		},
		"a learner that does not start": {
			plan.MemberPromote{Name: "cp-4", Timeout: 5}, func(e *etcdCluster) {
				e.list = append(e.list, &pb.Member{ID: 0xadd, PeerURLs: []string{newPeer}, IsLearner: true})
			},
			6 * second, []string{"promote etcd member cp-4", "not within 5s", "has not started"}, "",
		},
		"promoting what is not there": {
			plan.MemberPromote{Name: "cp-4", Timeout: 60}, func(*etcdCluster) {}, second, []string{"promote etcd member cp-4", "no such member"}, "",
		},
		"the last member": {
			plan.MemberRemove{ID: memberID(idOf("10.0.0.1"))}, func(e *etcdCluster) { e.list = e.list[:1] }, second, []string{"last member"}, "",
		},
		"not permitted": {
			add, func(e *etcdCluster) { e.answer = always("MemberAdd", rpctypes.ErrGRPCPermissionDenied) }, second, []string{"permission denied"}, "",
		},
		"others have gone": {
			plan.QuorumHolds{Without: "cp-2"}, func(e *etcdCluster) { e.servers[idOf("10.0.0.3")].fail(errDown) },
			32 * second, []string{"keep etcd's quorum without cp-2", "of the 2 other members 2 would have to answer, and 1 do: cp-3", "connection refused"}, "",
		},
		"without the only one": {
			plan.QuorumHolds{Without: "cp-1"}, func(e *etcdCluster) { e.list = e.list[:1] },
			32 * second, []string{"keep etcd's quorum without cp-1", "of the 0 other members"}, "",
		},
		"no member to move it to": {
			plan.MoveLeader{From: "cp-1"}, func(e *etcdCluster) {
				e.learner("cp-3")
				e.servers[idOf("10.0.0.2")].fail(errDown)
			},
			32 * second, []string{"move etcd's leadership from cp-1", "no other voting member"}, "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
				test.prepare(e)
				began := time.Now()
				_, err := client.Do(t.Context(), test.action, nil, nil)
				var told *hosts.Error
				if !errors.As(err, &told) || time.Since(began) > test.within {
					t.Fatalf("after %s: %v", time.Since(began), err)
				}
				for _, word := range test.says {
					if !strings.Contains(err.Error(), word) {
						t.Errorf("%q is not in: %v", word, err)
					}
				}
				if test.fix != "" && !strings.Contains(told.Fix, test.fix) || strings.Contains(err.Error(), "rpc error") {
					t.Errorf("%v: fix %q", err, told.Fix)
				}
			})
		})
	}
}

func TestChangeIsRefusedAtOnceWhereEtcdIsDistrusted(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, _ *Client) {
		client := e.client(newAuthority(t), nil)
		defer client.Close()
		began := time.Now()
		_, err := client.Do(t.Context(), plan.MemberAdd{Name: "cp-4", Peer: newPeer}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "unknown authority") || time.Since(began) > second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
	play(t, one, func(t *testing.T, _ *cluster, client *Client) {
		if _, err := client.Do(t.Context(), plan.MemberAdd{Name: "cp-4", Peer: newPeer}, nil, nil); !errors.Is(err, errNoEtcd) {
			t.Error(err)
		}
	})
}

func TestChangeEndsWithItsContext(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		e.leader = 0
		ctx, cancel := context.WithCancel(t.Context())
		_, err := client.Do(ctx, plan.MemberAdd{Name: "cp-4", Peer: newPeer}, nil, func(hosts.Progress) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestLearnerIsPromotedWhenItIsInSync(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		e.learner("cp-3")
		e.servers[idOf("10.0.0.2")].applied = 200 // no follower is asked for that
		e.answer = stages("MemberPromote", slices.Repeat([]error{rpctypes.ErrGRPCLearnerNotReady}, 20)...)
		began := time.Now()
		var notes []string
		progress := func(p hosts.Progress) { notes = append(notes, p.Note) }
		for _, want := range []hosts.Result{hosts.Changed, hosts.Unchanged} {
			if done, err := client.Do(t.Context(), plan.MemberPromote{Name: "cp-3", Timeout: 60}, nil, progress); err != nil || done.Result != want {
				t.Errorf("%v %v, should be %s", done, err, want)
			}
		}
		if took := time.Since(began); took < 2*second || took > 3*second {
			t.Errorf("20 refusals took %s", took)
		}
		if !slices.Equal(notes, []string{"waiting: it is not in sync with etcd's leader yet"}) {
			t.Errorf("notes %q", notes)
		}
		if who := e.said("MemberPromote"); slices.ContainsFunc(who, func(name string) bool { return name != "cp-1" }) {
			t.Errorf("the leader was not asked: %v", who)
		}
	})
}

func TestLearnerIsPromotedOnceItHasStarted(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		e.learner("cp-3")
		e.list[2].Name = ""
		after(3*second, func() { e.mu.Lock(); defer e.mu.Unlock(); e.list[2].Name = "cp-3" })
		began := time.Now()
		done, err := client.Do(t.Context(), plan.MemberPromote{Name: "cp-3", Timeout: 60}, nil, nil)
		if took := time.Since(began); err != nil || done.Result != hosts.Changed || took > 4*second || e.list[2].IsLearner {
			t.Errorf("after %s: %v %v, members %v", took, done, err, e.list)
		}
	})
}

func TestTheQuorumHoldsWithoutAMember(t *testing.T) {
	four := append(slices.Clone(three), "cp-4")
	down := func(address string) func(*etcdCluster) {
		return func(e *etcdCluster) { e.servers[idOf(address)].fail(errDown) }
	}
	tests := map[string]struct {
		names   []string
		prepare func(e *etcdCluster)
		stays   bool
		refused bool
	}{
		"while all answer":     {three, func(*etcdCluster) {}, false, false},
		"that does not answer": {three, down("10.0.0.2"), false, false},
		"beside a learner":     {three, func(e *etcdCluster) { e.learner("cp-3"); e.servers[idOf("10.0.0.3")].fail(errDown) }, false, false},
		"when another is back soon": {three, func(e *etcdCluster) {
			s := e.servers[idOf("10.0.0.3")]
			s.fail(errDown)
			after(5*second, func() { s.fail(nil) })
		}, false, false},
		"that comes back":                       {three, func(*etcdCluster) {}, true, false},
		"that comes back, beside one down":      {three, down("10.0.0.3"), true, true},
		"of four that leaves, beside one down":  {four, down("10.0.0.3"), false, false},
		"of four that stays, beside one down":   {four, down("10.0.0.3"), true, true},
		"of four that stays and is down itself": {four, down("10.0.0.2"), true, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			playEtcd(t, test.names, test.names, func(t *testing.T, e *etcdCluster, client *Client) {
				test.prepare(e)
				done, err := client.Do(t.Context(), plan.QuorumHolds{Without: "cp-2", Stays: test.stays}, nil, nil)
				if (err != nil) != test.refused || err == nil && done.Result != hosts.Unchanged {
					t.Errorf("%v %v", done, err)
				}
			})
		})
	}
}

func TestMemberIsRemovedThroughAnother(t *testing.T) {
	tests := map[string]struct {
		leaving   string // its address
		connected []string
		dead      bool
		asked     string
	}{
		"a follower":                               {"10.0.0.2", three, false, "cp-1"},
		"the leader":                               {"10.0.0.1", three, false, ""},
		"a dead one":                               {"10.0.0.3", []string{"cp-1", "cp-2"}, true, "cp-1"},
		"the leader, and no other is connected":    {"10.0.0.1", one, false, ""},
		"a dead one, and no other is connected":    {"10.0.0.1", []string{"cp-2"}, true, "cp-2"},
		"a follower, connected to it and no other": {"10.0.0.2", []string{"cp-2"}, false, "cp-1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			playEtcd(t, three, test.connected, func(t *testing.T, e *etcdCluster, client *Client) {
				id := idOf(test.leaving)
				name := e.list[e.index(id)].Name
				if test.dead {
					e.servers[id].hangs = true
					if e.leader == id {
						e.leader = e.list[2].ID
					}
				}
				for _, want := range []hosts.Result{hosts.Changed, hosts.Unchanged} {
					done, err := client.Do(t.Context(), plan.MemberRemove{ID: memberID(id), Name: name}, nil, nil)
					if err != nil || done.Result != want {
						t.Fatalf("%v %v, should be %s", done, err, want)
					}
				}
				who := e.said("MemberRemove")
				if len(e.list) != 2 || e.index(id) >= 0 || len(who) != 1 || who[0] == name || test.asked != "" && who[0] != test.asked {
					t.Errorf("members %v, asked %v", e.list, who)
				}
			})
		})
	}
}

func TestMemberIDIsHexadecimal(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		if _, err := client.Do(t.Context(), plan.MemberRemove{ID: "cp-2"}, nil, nil); err == nil || len(e.list) != 3 {
			t.Error(err)
		}
	})
}

func TestLeadershipMovesToWhoIsFurthest(t *testing.T) {
	for _, connected := range [][]string{three, one, {"cp-2"}} {
		t.Run(fmt.Sprint(connected), func(t *testing.T) {
			playEtcd(t, []string{"cp-1", "cp-2", "cp-3", "cp-4"}, connected, func(t *testing.T, e *etcdCluster, client *Client) {
				e.learner("cp-4")
				e.servers[idOf("10.0.0.4")].applied = 120
				e.servers[idOf("10.0.0.3")].applied = 110
				e.answer = stages("MoveLeader", rpctypes.ErrGRPCBadLeaderTransferee)
				target := idOf("10.0.0.3")
				if len(connected) == 1 && connected[0] == "cp-2" {
					target = idOf("10.0.0.2") // it is well, so none is asked through another host
				}
				steps := []struct {
					from   string
					result hosts.Result
				}{{"cp-2", hosts.Unchanged}, {"nobody", hosts.Unchanged}, {"cp-1", hosts.Changed}, {"cp-1", hosts.Unchanged}}
				for _, step := range steps {
					done, err := client.Do(t.Context(), plan.MoveLeader{From: step.from}, nil, nil)
					if err != nil || done.Result != step.result {
						t.Fatalf("from %s: %v %v, should be %s", step.from, done, err, step.result)
					}
				}
				if e.leader != target || !slices.Equal(e.said("MoveLeader"), []string{"cp-1", "cp-1"}) {
					t.Errorf("leader %x, asked %v", e.leader, e.said("MoveLeader"))
				}
			})
		})
	}
}
