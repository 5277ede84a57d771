package e2e

import (
	"strings"
	"testing"
)

// badInputOfSeveral holds up init before it has begun, for what only several control planes
// or a virtual address can have wrong.
func badInputOfSeveral(t *testing.T, l *lab) {
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
		}, 4, []string{address("worker-1"), "answers for it"}},
		{"a virtual address that is a host's own", func(file map[string]any) {
			endpointOf(file)["host"] = address("cp-1")
		}, 2, []string{address("cp-1"), "cp-1"}},
		{"a virtual address outside of the subnet", func(file map[string]any) {
			endpointOf(file)["host"] = "192.0.2.10"
		}, 4, []string{"192.0.2.10", "subnet"}},
		{"an endpoint's name that no name server knows", func(file map[string]any) {
			file["endpoint"] = map[string]any{"mode": "external", "host": "api.nowhere.example", "port": 6443}
		}, 4, []string{"api.nowhere.example cannot be looked up", "getent hosts"}},
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
		sub.t, sub.file = t, withoutHost(t, l, "cp-3")
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
