//go:build long

package e2e

import (
	"strings"
	"testing"
)

// TestLongLoadBalancers has the endpoint on hosts of their own, and grows: the balancers
// follow the control planes that come and go.
func TestLongLoadBalancers(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1", "--load-balancers", "2")
	promises(t, l, nil, []promise{
		{"init brings up the balancers too", loadBalancersComeUp},
		{"the endpoint survives its holder", endpointSurvivesHolder},
		{"a worker joins, and nobody logs in on a balancer for it", func(t *testing.T, l *lab) {
			l.up("--control-planes", "1", "--workers", "2", "--load-balancers", "2")
			joinLogsInOnNone(t, l, "cp-1", "worker-1", "lb-1", "lb-2")
			l.wantReady("cp-1", "worker-1", "worker-2")
		}},
		{"two control planes join one after another, with a warning for the even number", func(t *testing.T, l *lab) {
			l.up("--control-planes", "3", "--workers", "2", "--load-balancers", "2")
			l.must(l.withBundle("join", "--yes")...)
			l.wantReady("cp-1", "cp-2", "cp-3", "worker-1", "worker-2")
			wantBackends(t, l, []string{"lb-1", "lb-2"}, "cp-1", "cp-2", "cp-3")
			l.healthy()
			l.planIsEmpty()
		}},
		{"the first control plane leaves", func(t *testing.T, l *lab) {
			r := l.run(l.onCluster("reset", "cp-1", "--yes")...)
			if r.code != 0 || !strings.Contains(r.stdout+r.stderr, "left with 2 members") {
				t.Errorf("want it done, with a warning for what is left: %s", r)
			}
			nothingLeft(l, "cp-1")
			wantBackends(t, l, []string{"lb-1", "lb-2"}, "cp-2", "cp-3")
		}},
		{"the whole cluster's reset leaves nothing on a balancer", func(_ *testing.T, l *lab) {
			resetHosts(l, "cp-2", "worker-1", "worker-2", "lb-1", "lb-2")
		}},
	})
}

// wantBackends wants that balancers know these control planes' API servers, and no other.
func wantBackends(t *testing.T, l *lab, balancers []string, planes ...string) {
	t.Helper()
	for _, host := range balancers {
		config := l.exec(host, "cat", "/etc/haproxy/haproxy.cfg")
		resorts := strings.Count(config, ":unready ")
		if n := strings.Count(config, ":6443 ") - resorts; n != len(planes) || resorts != n {
			t.Errorf("%s has %d backends and %d last resorts, want %v:\n%s", host, n, resorts, planes, config)
		}
		for _, plane := range planes {
			if !strings.Contains(config, " "+l.address(plane)+":6443 ") {
				t.Errorf("%s does not know %s:\n%s", host, plane, config)
			}
		}
	}
}

// TestLongLocalBalancers has a balancer on every host's loopback, and no virtual address.
func TestLongLocalBalancers(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1", "--spares", "1", "--endpoint", "local")
	promises(t, l, nil, []promise{
		{"init brings all nodes up Ready", func(_ *testing.T, l *lab) {
			l.init()
			l.wantReady(threePlanes...)
			l.planIsEmpty()
		}},
		{"a worker goes on without the control plane that leads etcd", func(t *testing.T, l *lab) { survives(t, l, "kill", l.status().leader()) }},
		{"a worker joins by the control planes' addresses, and leaves", func(t *testing.T, l *lab) {
			with := withSpare(t, l)
			joinLogsInOnNone(t, with, threePlanes...)
			with.wantReady(withSpareReady...)
			with.must(with.onCluster("reset", "spare-1", "--yes")...)
			nothingLeft(with, "spare-1")
		}},
		{"kubeadm joins a prepared host by a control plane's address", func(t *testing.T, l *lab) {
			kubeadmJoins(t, withSpare(t, l), "spare-1")
		}},
	})
}

// TestLongExternalBalancer has a balancer of the user's own: what a lab host forwards.
func TestLongExternalBalancer(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1", "--spares", "1", "--endpoint", "controlPlane")
	balancer := l.address("spare-1")
	l.file = edited(t, l, func(file map[string]any) {
		file["endpoint"] = map[string]any{"mode": "external", "host": balancer, "port": 6443}
	})
	promises(t, l, nil, []promise{
		{"a balancer that does not reach the hosts is told", func(_ *testing.T, l *lab) {
			forward(l, "spare-1", l.address("worker-1"))
			l.wantCode(1, balancer+":6443", l.withBundle("init", "--yes")...)
		}},
		{"with a balancer that does, the same command completes", func(_ *testing.T, l *lab) {
			forward(l, "spare-1", l.address("cp-1"))
			l.init()
			l.wantReady("cp-1", "worker-1")
			l.planIsEmpty()
		}},
	})
}

// TestLongInitGoesOnAfterKill kills init -9 at every tenth step of the plan for three control
// planes and a worker; the same command ends where an undisturbed run ends.
func TestLongInitGoesOnAfterKill(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1")
	all := len(l.planned())
	for killed := 0; killed < all/10; killed++ {
		killAfter(l, 10)
	}
	l.initAfterKill()
	l.wantReady(threePlanes...)
	l.healthy()
	l.planIsEmpty()
	if s := l.status(); len(s.Members) != 3 {
		t.Errorf("members: %+v", s.Members)
	}
}
