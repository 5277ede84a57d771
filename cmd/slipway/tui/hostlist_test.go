package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

func told(l listed) string {
	h := l.host
	var roles []string
	for _, r := range h.Roles {
		roles = append(roles, string(r))
	}
	return fmt.Sprintf("%s|%s|%s|%s|%s|%d|%s", h.Name, strings.Join(h.Addresses, ","), strings.Join(roles, ","), h.SSH.Host, h.SSH.User, h.SSH.Port, h.SSH.IdentityFile)
}

func TestListsOfHosts(t *testing.T) {
	for _, c := range []struct {
		list     string
		want     []string
		problems int
	}{
		{"cp-1 10.0.0.1\nworker-1\t10.0.0.2 worker\n", []string{"cp-1|10.0.0.1|||||", "worker-1|10.0.0.2|worker||||"}, 0},
		{"10.0.0.1\n10.0.0.2\n", []string{"|10.0.0.1|||||", "|10.0.0.2|||||"}, 0},
		{"admin@10.0.0.1:2222 cp", []string{"|10.0.0.1|control-plane||admin|2222|"}, 0},
		{"root@node1.example.com", []string{"node1|||node1.example.com|root|0|"}, 0},
		{"# /etc/hosts\n127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.0.0.7 db.example.com db\nff02::1 ip6-allnodes\n", []string{"db|10.0.0.7|||||"}, 0},
		{"[kube_control_plane]\nn1 ansible_host=10.0.0.1 ansible_user=ops ansible_port=2200\n[kube_node]\nn2 ansible_host=10.0.0.2 ansible_ssh_private_key_file=~/.ssh/k\n",
			[]string{"n1|10.0.0.1|control-plane||ops|2200|", "n2|10.0.0.2|worker|||0|~/.ssh/k"}, 0},
		{"- a, 10.0.0.1, control-plane, worker\n", []string{"a|10.0.0.1|control-plane,worker||||"}, 0},
		{"[2001:db8::1] a", []string{"a|2001:db8::1|||||"}, 0},
		{"a$b\nc 10.0.0.1:99999\nd\n", []string{"d|||d||0|"}, 2},
		{"hosts:\n  - name: cp-1\n    address: 10.0.0.1\n    roles: [control-plane]\n", []string{"cp-1|10.0.0.1|control-plane|10.0.0.1|root|22|"}, 0},
	} {
		hosts, problems := parseHosts(c.list)
		var got []string
		for _, h := range hosts {
			got = append(got, told(h))
		}
		want := slices.Clone(c.want)
		for i := range want {
			want[i] = strings.Replace(want[i], "|||||", "||||0|", 1)
			if strings.HasSuffix(want[i], "||||") {
				want[i] = strings.TrimSuffix(want[i], "||||") + "|||0|"
			}
		}
		if !slices.Equal(got, want) || len(problems) != c.problems {
			t.Errorf("%q\n got %q, problems %q\nwant %q, %d problems", c.list, got, problems, want, c.problems)
		}
	}
}

func TestGuessedRoles(t *testing.T) {
	const cp, w = "control-plane", "worker"
	for _, c := range []struct{ names, want string }{
		{"a", cp + "+" + w},
		{"a b", cp + " " + w},
		{"a b c", cp + " " + cp + " " + cp},
		{"a b c d", cp + " " + cp + " " + cp + " " + w},
		{"worker-1 cp-1 worker-2 worker-3", w + " " + cp + " " + w + " " + w},
		{"master1 node1 node2", cp + " " + w + " " + w},
		{"worker-1 worker-2", cp + " " + w},
		{"lb-1 a b c", "load-balancer " + cp + " " + cp + " " + cp},
	} {
		var hosts []cluster.Host
		for _, name := range strings.Fields(c.names) {
			hosts = append(hosts, cluster.Host{Name: name})
		}
		guessRoles(hosts)
		var got []string
		for _, h := range hosts {
			var roles []string
			for _, r := range h.Roles {
				roles = append(roles, string(r))
			}
			got = append(got, strings.Join(roles, "+"))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", c.names, strings.Join(got, " "), c.want)
		}
	}
}

func FuzzLists(f *testing.F) {
	f.Add("cp-1 10.0.0.1 admin@x:22\n[masters]\n- a: b\n")
	f.Fuzz(func(t *testing.T, list string) {
		hosts, _ := parseHosts(list)
		for _, h := range hosts {
			if h.host.Name == "" && h.host.Address() == "" && h.host.SSH.Host == "" {
				t.Errorf("%q gives a host that cannot be reached", list)
			}
		}
	})
}
