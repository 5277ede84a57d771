package workflow

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// TestTheClusterFileSaysHowToLogIn, and flags say it in its place.
func TestTheClusterFileSaysHowToLogIn(t *testing.T) {
	for name, test := range map[string]struct {
		login Login
		ssh   cluster.SSH
		want  ssh.Options
	}{
		"nothing":          {},
		"jump hosts":       {ssh: cluster.SSH{Jump: []cluster.Jump{{Host: "a", Port: 2022, User: "u", IdentityFile: "k"}}}, want: ssh.Options{Jump: []ssh.Jump{{Host: "a", Port: 2022, User: "u", IdentityFile: "k"}}}},
		"no jump host":     {ssh: cluster.SSH{Jump: []cluster.Jump{{Host: "none"}}}, want: ssh.Options{ProxyCommand: "none"}},
		"files":            {ssh: cluster.SSH{PasswordFile: "p", BecomePasswordFile: "b"}, want: ssh.Options{PasswordFile: "p", BecomePasswordFile: "b"}},
		"files of a flag":  {login: Login{PasswordFile: "q", BecomePasswordFile: "c"}, ssh: cluster.SSH{PasswordFile: "p", BecomePasswordFile: "b"}, want: ssh.Options{PasswordFile: "q", BecomePasswordFile: "c"}},
		"asked for":        {login: Login{AskPassword: true, AskBecome: true}, ssh: cluster.SSH{PasswordFile: "p", BecomePasswordFile: "b"}, want: ssh.Options{AskPassword: true, AskBecome: true}},
		"trusted at first": {login: Login{TrustOnFirstUse: true}, want: ssh.Options{TrustOnFirstUse: true}},
		"all else": {ssh: cluster.SSH{Config: "none", IdentityFiles: []string{"a"}, CertificateFile: "c", IdentityAgent: "none", KnownHostsFile: "k", HostKeys: []string{"SHA256:x"}, ProxyCommand: "nc", Become: "doas"},
			want: ssh.Options{ConfigFile: "none", IdentityFiles: []string{"a"}, CertificateFile: "c", IdentityAgent: "none", KnownHostsFile: "k", HostKeys: []string{"SHA256:x"}, ProxyCommand: "nc", Become: "doas"}},
	} {
		l := newLogins(test.login, "", nil, nil)
		got := l.options(cluster.Host{SSH: test.ssh})
		got.Gate, got.Shared, got.Note = nil, nil, nil
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, test.want)
		}
	}
}

// TestASessionAsksForAPasswordOnce, by its front end, for all of its hosts. What is accepted is noted, and the first that is
// told is to whom it connects.
func TestASessionAsksForAPasswordOnce(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	front := &fake{secret: func(Secret) (string, error) { return "secret", nil }}
	s := newSession(demo(), front)
	content, digest := hosttest.AgentBinary("the agent", 1<<10)
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	s.dial = newLogins(Login{TrustOnFirstUse: true}, hosttest.Version, front.Secret, front.Note).by(func(context.Context, ssh.Platform) (ssh.Binary, error) {
		return ssh.Binary{SHA256: digest, Size: int64(len(content)), Open: open}, nil
	})
	known := filepath.Join(t.TempDir(), "known_hosts")
	var wanted []cluster.Host
	for _, name := range []string{"cp-1", "cp-2", "worker-1"} {
		server := hosttest.NewServer(t, hosttest.NewFake(name))
		server.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		wanted = append(wanted, cluster.Host{Name: name, SSH: cluster.SSH{
			Host: server.Host, Port: server.Port, Config: "none", IdentityFile: server.IdentityFile, KnownHostsFile: known,
		}})
	}
	if err := s.connect(t.Context(), wanted); err != nil || len(s.hosts) != 3 {
		t.Fatalf("%d hosts, %v, %v", len(s.hosts), err, s.downErrors())
	}
	defer s.Close()
	if len(front.secrets) != 1 || front.secrets[0].Text != "Password of root" {
		t.Errorf("asked %+v", front.secrets)
	}
	if len(front.notes) != 3 || !strings.Contains(strings.Join(front.notes, "\n"), "worker-1: its ssh-ed25519 key SHA256:") {
		t.Errorf("noted %q", front.notes)
	}
	if first := front.events[0]; first.Stage != StageConnect || first.Detail != "connecting to cp-1, cp-2, worker-1" {
		t.Errorf("told first: %+v", first)
	}
}
