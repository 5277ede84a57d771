package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
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
		{"hosts:\n  - name: cp-1\n    address: 10.0.0.1\n    roles: [control-plane]\n", []string{"cp-1|10.0.0.1|control-plane|10.0.0.1||0|"}, 0},
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

// TestAPastedFileRunsNothing: hosts are tried as soon as they are pasted, so that nothing is taken from a pasted file that a
// shell would run; and that is said.
func TestAPastedFileRunsNothing(t *testing.T) {
	const pasted = `ssh: {proxyCommand: "touch /tmp/all"}
hosts:
  - {name: a, address: 192.0.2.1, roles: [control-plane], labels: {x: y}, ssh: {host: a.example.com, port: 2222, user: ops, identityFile: /k, knownHostsFile: /h, proxyCommand: "touch /tmp/one"}}
  - {name: b, address: 192.0.2.2, roles: [worker]}
`
	found, _ := parseHosts(pasted)
	want := cluster.Host{Name: "a", Addresses: []string{"192.0.2.1"}, Roles: []cluster.Role{cluster.RoleControlPlane}, SSH: cluster.SSH{Host: "a.example.com", Port: 2222, User: "ops", IdentityFile: "/k", KnownHostsFile: "/h"}}
	if len(found) != 2 || !reflect.DeepEqual(found[0].host, want) || found[1].host.SSH.ProxyCommand != "" {
		t.Errorf("taken were %+v", found)
	}
	t.Setenv("HOME", t.TempDir())
	for lang, word := range map[text.Language]string{text.English: "proxyCommand was not taken (hosts: 2)", text.Language(1): "未采用 proxyCommand（2 台主机）"} {
		s := newHostsScreen(installerOnPaper(t, onPaper(t, Terminal{}, lang), ""))
		s.paste(pasted)
		if !strings.Contains(s.said, word) || strings.Contains(string(s.editor.Bytes()), "proxyCommand") {
			t.Errorf("it says %q, and the file is:\n%s", s.said, s.editor.Bytes())
		}
	}
}

// TestHostsOfSSH: what ~/.ssh/config says of an alias is taken, whatever the alias is called.
func TestHostsOfSSH(t *testing.T) {
	all := func(name, address string) cluster.Host {
		return cluster.Host{Name: name, SSH: cluster.SSH{Host: address, Port: 2222, User: "ops", IdentityFile: "/k", ProxyCommand: "nc %h %p"}}
	}
	for alias, name := range map[string]string{
		"master": "master", "worker": "worker", "node": "node", "cp": "cp", "lb": "lb", "CP-1": "cp-1", "db.example.com": "db",
		"my_host": "", "a:b": "", "x=y": "", "192.0.2.7": "",
	} {
		got := listedCandidate(workflow.Candidate{Name: alias, Host: "192.0.2.9", Port: 2222, User: "ops", IdentityFile: "/k", ProxyCommand: "nc %h %p"})
		if !reflect.DeepEqual(got, listed{host: all(name, "192.0.2.9"), named: name != "", whole: true}) {
			t.Errorf("%s is taken as %+v", alias, got)
		}
	}
	// Nor do they get the settings of an alias that is called as their address is, or lose their own by its role.
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := "Host master\n  HostName 192.0.2.9\n  Port 2222\n  User ops\nHost my_host\n  HostName 192.0.2.10\n  User other\nHost my_web\n  HostName inner\nHost inner\n  HostName 192.0.2.11\n  User third\n"
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newImportScreen(installerOnPaper(t, onPaper(t, Terminal{}, text.English), ""))
	s.update(keyOf("*"))
	s.update(keyOf("enter"))
	var got []string
	for _, h := range s.draft.Hosts {
		got = append(got, told(listed{host: h}))
	}
	want := []string{"master|192.0.2.9|control-plane|192.0.2.9|ops|2222|", "node|192.0.2.10|worker|192.0.2.10|other|0|", "node-2||worker|inner||0|", "inner|192.0.2.11|worker|192.0.2.11|third|0|"}
	if !slices.Equal(got, want) {
		t.Errorf("the file has %q, want %q", got, want)
	}
}
