package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLoadBalancers has the endpoint on hosts of their own, and grows: the balancers
// follow the control planes that come and go.
func TestLoadBalancers(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1", "--load-balancers", "2")
	promises(t, l, nil, []promise{
		{"init brings up the balancers too", func(t *testing.T, l *lab) {
			l.init()
			l.wantReady("cp-1", "worker-1")
			l.healthy()
			l.planIsEmpty()
			for _, host := range []string{"lb-1", "lb-2"} {
				if out := l.exec(host, "sh", "-c", "ls -d /etc/containerd /usr/bin/kubelet /etc/kubernetes/manifests /opt/slipway/bin/kube 2>/dev/null; ls -A /var/lib/containerd /var/lib/kubelet 2>/dev/null | grep -v : | grep . || true"); out != "" {
					t.Errorf("%s is no node, and has %s", host, out)
				}
			}
		}},
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
		{"the whole cluster's reset leaves nothing on a balancer", func(t *testing.T, l *lab) {
			l.must(l.onCluster("reset", "--all", "--yes")...)
			for _, host := range []string{"cp-2", "worker-1", "worker-2", "lb-1", "lb-2"} {
				nothingLeft(l, host)
			}
		}},
	})
}

// endpointSurvivesHolder takes the power of whoever has the endpoint's address.
func endpointSurvivesHolder(t *testing.T, l *lab) { survives(t, l, "kill", l.status().Holders[0]) }

// survives kills or stops a host while a worker writes: the endpoint is back in time, nothing
// that was acknowledged is lost, and the host comes back by itself.
func survives(t *testing.T, l *lab, verb, victim string) {
	t.Helper()
	w := l.startWriter("worker-1", "writes")
	began := time.Now()
	l.power(verb, victim)
	w.acknowledges(backInTime, began.Add(time.Second))
	t.Logf("%s %s: gap %.2f s", verb, victim, w.log().Gap(began).Seconds())
	l.power("start", victim)
	l.healthy()
	w.stop()
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

// TestLocalBalancers has a balancer on every host's loopback, and no virtual address.
func TestLocalBalancers(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1", "--spares", "1", "--endpoint", "local")
	promises(t, l, nil, []promise{
		{"init brings all nodes up Ready", func(_ *testing.T, l *lab) {
			l.init()
			l.wantReady(threePlanes...)
			l.planIsEmpty()
		}},
		{"a worker goes on without the control plane that leads etcd", func(t *testing.T, l *lab) { survives(t, l, "kill", l.status().leader()) }},
		{"a worker joins by the control planes' addresses, and leaves", func(t *testing.T, l *lab) {
			with := *l
			with.file = withHost(t, l, "spare-1", "worker")
			joinLogsInOnNone(t, &with, threePlanes...)
			with.wantReady(slices.Insert(slices.Clone(threePlanes), 3, "spare-1")...)
			with.must(with.onCluster("reset", "spare-1", "--yes")...)
			nothingLeft(&with, "spare-1")
		}},
		{"kubeadm joins a prepared host by a control plane's address", func(t *testing.T, l *lab) {
			with := *l
			with.file = withHost(t, l, "spare-1", "worker")
			with.must(with.withBundle("prepare", "--yes", "spare-1")...)
			join := l.must(l.onCluster("token", "create", "--print-join-command")...)
			l.put("spare-1", kubeadmBinary(), "/usr/local/bin/kubeadm")
			l.exec("spare-1", "sh", "-c", strings.TrimSpace(join)+" --ignore-preflight-errors=SystemVerification")
			eventually(t, recovery, "the host that kubeadm joined is Ready", func() error {
				return answers(l.run(l.kubectlArgs("wait", "--for=condition=Ready", "node/spare-1", "--timeout=5s")...), "spare-1 condition met")
			})
		}},
	})
}

// TestExternalBalancer has a balancer of the user's own: what a lab host forwards.
func TestExternalBalancer(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1", "--spares", "1", "--endpoint", "controlPlane")
	balancer := l.address("spare-1")
	l.file = edited(t, l, func(file map[string]any) {
		file["endpoint"] = map[string]any{"mode": "external", "host": balancer, "port": 6443}
	})
	forward := func(to string) {
		l.exec("spare-1", "sh", "-c", `systemctl stop forward.socket forward.service 2>/dev/null; systemctl reset-failed 2>/dev/null;
			systemd-run --unit=forward --socket-property=ListenStream=6443 /lib/systemd/systemd-socket-proxyd `+to)
	}
	promises(t, l, nil, []promise{
		{"a balancer that does not reach the hosts is told", func(_ *testing.T, l *lab) {
			forward(l.address("worker-1") + ":6443")
			l.wantCode(1, balancer+":6443", l.withBundle("init", "--yes")...)
		}},
		{"with a balancer that does, the same command completes", func(_ *testing.T, l *lab) {
			forward(l.address("cp-1") + ":6443")
			l.init()
			l.wantReady("cp-1", "worker-1")
			l.planIsEmpty()
		}},
	})
}

// TestHAInitGoesOnAfterKill kills init -9 at every tenth step of the plan for three control
// planes and a worker; the same command ends where an undisturbed run ends.
func TestHAInitGoesOnAfterKill(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1")
	all := len(l.planned())
	for killed := 0; killed < all/10; killed++ {
		killAfter(l, 10)
	}
	eventually(t, recovery, "the last lease is free, and init completes", func() error {
		if r := l.run(l.withBundle("init", "--yes")...); r.code != 0 {
			return fmt.Errorf("init: %s", r)
		}
		return nil
	})
	l.wantReady(threePlanes...)
	l.healthy()
	l.planIsEmpty()
	if s := l.status(); len(s.Members) != 3 {
		t.Errorf("members: %+v", s.Members)
	}
}

// TestHABadInput holds up init before it has begun, for what only several control planes
// or a virtual address can have wrong.
func TestHABadInput(t *testing.T) {
	l := newLab(t, "--control-planes", "2", "--workers", "1")
	address := func(host string) string { return l.address(host) }
	for _, fault := range []struct {
		name string
		edit func(file map[string]any)
		code int
		says []string
	}{
		{"a virtual address that a machine answers for", func(file map[string]any) {
			endpointOf(file)["host"] = address("worker-1")
			file["hosts"] = hostsOf(file)[:2]
		}, 4, []string{address("worker-1"), "answers"}},
		{"a virtual address that is a host's own", func(file map[string]any) {
			endpointOf(file)["host"] = address("cp-1")
		}, 2, []string{address("cp-1"), "cp-1"}},
		{"a virtual address outside of the subnet", func(file map[string]any) {
			endpointOf(file)["host"] = "192.0.2.10"
		}, 4, []string{"192.0.2.10", "subnet"}},
		{"an endpoint's name that does not resolve", func(file map[string]any) {
			file["endpoint"] = map[string]any{"mode": "external", "host": "api.nowhere.example", "port": 6443}
		}, 4, []string{"api.nowhere.example", "resolve"}},
		{"several control planes behind the address of one", func(file map[string]any) {
			file["endpoint"] = map[string]any{"mode": "controlPlane", "host": address("cp-1")}
		}, 2, []string{"vip"}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			sub := *l
			sub.t, sub.file = t, edited(t, l, fault.edit)
			r := sub.run(sub.withBundle("init", "--yes")...)
			if r.code != fault.code {
				t.Errorf("want exit code %d, got %s", fault.code, r)
			}
			for _, word := range fault.says {
				if !strings.Contains(r.stdout+r.stderr, word) {
					t.Errorf("it does not say %q: %s", word, r)
				}
			}
		})
	}
	t.Run("an even number of control planes is told in the plan", func(t *testing.T) {
		sub := *l
		sub.t = t
		if out := sub.must(sub.withBundle("plan")...); !strings.Contains(out, "etcd will have 2 members") {
			t.Errorf("the plan has no warning:\n%s", firstLines(out, 10))
		}
	})
	t.Run("two hosts with one machine-id", func(t *testing.T) {
		sub := *l
		sub.t = t
		id := strings.TrimSpace(sub.exec("cp-2", "cat", "/etc/machine-id"))
		sub.exec("cp-2", "sh", "-c", "cp /etc/machine-id /root/ && echo "+strings.TrimSpace(sub.exec("cp-1", "cat", "/etc/machine-id"))+" > /etc/machine-id")
		defer sub.exec("cp-2", "sh", "-c", "echo "+id+" > /etc/machine-id")
		sub.wantCode(4, "machine-id", sub.withBundle("init", "--yes")...)
	})
	t.Run("etcd data of another cluster", func(t *testing.T) {
		sub := *l
		sub.t = t
		sub.exec("cp-2", "sh", "-c", "mkdir -p -m 700 /var/lib/etcd/member/wal /var/lib/etcd/member/snap && echo other > /var/lib/etcd/member/snap/db")
		defer sub.exec("cp-2", "rm", "-r", "/var/lib/etcd/member")
		sub.wantCode(4, "/var/lib/etcd", sub.withBundle("init", "--yes")...)
	})
	if out := l.exec("cp-1", "sh", "-c", "ls -d /etc/kubernetes /opt/slipway /etc/haproxy 2>/dev/null || true"); out != "" {
		t.Errorf("something was changed: %s", out)
	}
}

func endpointOf(file map[string]any) map[string]any { return file["endpoint"].(map[string]any) }

func firstLines(text string, n int) string {
	lines := strings.SplitN(text, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}
