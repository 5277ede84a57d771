package workflow

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// threeControlPlanes is a session whose hosts answer after these times; a negative one never.
func threeControlPlanes(t *testing.T, after ...time.Duration) *Session {
	t.Helper()
	s := newSession(&cluster.Cluster{Name: "demo"}, &fake{})
	times := map[string]time.Duration{}
	for i, wait := range after {
		name := []string{"cp-1", "cp-2", "cp-3"}[i]
		times[name] = wait
		s.cluster.Hosts = append(s.cluster.Hosts, cluster.Host{Name: name, Roles: []cluster.Role{cluster.RoleControlPlane}})
	}
	s.dial = func(ctx context.Context, h cluster.Host, _ func(string)) (hosts.Host, error) {
		wait, timeout := times[h.Name], 10*time.Second
		if wait >= 0 {
			timeout = wait
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(timeout):
		}
		if wait < 0 {
			return nil, &hosts.Error{Kind: hosts.KindUnreachable, Op: "connect to " + h.Name, Err: errors.New("no answer after 10s")}
		}
		return hosttest.NewFake(h.Name).Host(), nil
	}
	return s
}

// TestAStatusIsGivenEarlyAndFilledIn, long before a dead host's time is over.
func TestAStatusIsGivenEarlyAndFilledIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("XDG_STATE_HOME", t.TempDir())
		s := threeControlPlanes(t, 100*time.Millisecond, -1, 300*time.Millisecond)
		defer s.Close()
		var early Status
		began := time.Now()
		found, err := s.Status(t.Context(), func(found Status) error {
			if first := time.Since(began); first > 2*time.Second {
				t.Errorf("nothing was shown for %s", first)
			}
			early = found
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(early.Hosts) != 3 || !early.Hosts[1].Waiting() || early.Hosts[2].Waiting() {
			t.Errorf("early it is %+v", early.Hosts)
		}
		if found.Healthy() || found.Hosts[1].ConnectionKind != "unreachable" || found.Hosts[0].ConnectionKind != ConnectionOK {
			t.Errorf("the whole is %+v", found.Hosts)
		}
	})
}

// TestAHostThatDoesNotAnswerAllIsNotWell: what it did not say is not there, and not well.
func TestAHostThatDoesNotAnswerAllIsNotWell(t *testing.T) {
	facts := map[string]hosts.Facts{"cp-1": {
		Units:      map[string]hosts.Unit{"containerd.service": {Active: "active"}, "kubelet.service": {Active: "active"}},
		Unanswered: []hosts.Unanswered{{What: "disks", At: "/opt", Seconds: 10}},
	}}
	s := newSession(&cluster.Cluster{Name: "demo"}, &fake{})
	s.facts, s.hosts["cp-1"] = facts, nil
	s.live = hosts.ClusterFacts{Reachable: true, Nodes: []hosts.Node{{Name: "cp-1", Ready: true}}}
	host := cluster.Host{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}
	found := Status{Reachable: true, Hosts: []HostStatus{s.hostStatus(host)}}
	if found.Healthy() {
		t.Error("it is called healthy")
	}
	if want := (Reason{"cp-1", "host", "disks: no answer at /opt in 10 s"}); len(found.Reasons()) != 1 || found.Reasons()[0] != want {
		t.Errorf("the reasons are %v", found.Reasons())
	}
	facts["cp-1"] = hosts.Facts{Units: facts["cp-1"].Units}
	if found = (Status{Reachable: true, Hosts: []HostStatus{s.hostStatus(host)}}); !found.Healthy() {
		t.Errorf("with all answered it is not healthy: %+v", found)
	}
}

// TestANodeThatTakesNoPodsIsNotWell, though its kubelet is.
func TestANodeThatTakesNoPodsIsNotWell(t *testing.T) {
	s := newSession(&cluster.Cluster{Name: "demo"}, &fake{})
	s.hosts["cp-1"] = nil
	s.live = hosts.ClusterFacts{Reachable: true, Nodes: []hosts.Node{{Name: "cp-1", Ready: true, Pressures: []string{"DiskPressure"}}}}
	found := Status{Reachable: true, Hosts: []HostStatus{s.hostStatus(cluster.Host{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}})}}
	if want := (Reason{"cp-1", "node", "DiskPressure: few Pods or none are placed on it"}); found.Healthy() || len(found.Reasons()) != 1 || found.Reasons()[0] != want {
		t.Errorf("healthy %v, for the reasons %v", found.Healthy(), found.Reasons())
	}
}

// TestFirstControlPlaneThatAnswersIsEnough: a dead one is waited for by nobody.
func TestFirstControlPlaneThatAnswersIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := threeControlPlanes(t, -1, 200*time.Millisecond, time.Minute)
		a := s.approach(t.Context(), s.cluster.Hosts, func(cluster.Host) hosts.Query { return hosts.Query{} })
		began := time.Now()
		if !s.await(t.Context(), a) || s.hosts["cp-2"] == nil || a.left != 2 {
			t.Errorf("after %s there are %v, down are %v", time.Since(began), s.hosts, s.down)
		}
		s.Close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
