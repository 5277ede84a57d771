package ssh_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// knownTo is a known_hosts file that has all these servers.
func knownTo(t *testing.T, servers ...*hosttest.Server) string {
	t.Helper()
	var lines strings.Builder
	for _, s := range servers {
		lines.WriteString(knownhosts.Line([]string{address(s)}, s.HostKey()) + "\n")
	}
	file := filepath.Join(t.TempDir(), "known_hosts")
	must(t, os.WriteFile(file, []byte(lines.String()), 0o600))
	return file
}

func address(s *hosttest.Server) string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// jumpServer connects for its clients.
func jumpServer(t *testing.T) (*hosttest.Server, ssh.Jump) {
	t.Helper()
	server := newServer(t)
	server.SetWays(hosttest.Ways{Forward: true})
	return server, ssh.Jump{Host: server.Host, Port: server.Port, User: "jumper", IdentityFile: server.IdentityFile}
}

// TestAJumpHostIsConnectedToOnce, whatever hosts are behind it, and left when the last of them is.
func TestAJumpHostIsConnectedToOnce(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	gate, jump := jumpServer(t)
	servers := []*hosttest.Server{gate}
	for range 5 {
		servers = append(servers, newServer(t))
	}
	known, shared := knownTo(t, servers...), ssh.NewShared(nil)
	var open []hosts.Host
	for _, server := range servers[1:] {
		o := options(server)
		o.Jump, o.KnownHostsFile, o.Shared = []ssh.Jump{jump}, known, shared
		host := connect(t, o)
		if _, err := host.Observe(t.Context(), hosts.Query{}); err != nil {
			t.Fatal(err)
		}
		open = append(open, host)
	}
	if seen := gate.Seen(); seen.Connections != 1 || seen.Logins != 1 || len(seen.Forwards) != 5 {
		t.Errorf("the jump host has seen %+v", seen)
	}
	for _, host := range open {
		must(t, host.Close())
	}
	o := options(servers[1])
	o.Jump, o.KnownHostsFile, o.Shared = []ssh.Jump{jump}, known, shared
	connect(t, o)
	if seen := gate.Seen(); seen.Connections != 2 {
		t.Errorf("the jump host was not left: %+v", seen)
	}
}

// TestManyHostsBehindOneJumpHost are connected to at the same time.
func TestManyHostsBehindOneJumpHost(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	gate, jump := jumpServer(t)
	servers := []*hosttest.Server{gate}
	for range 8 {
		servers = append(servers, newServer(t))
	}
	known, shared := knownTo(t, servers...), ssh.NewShared(nil)
	for _, err := range connectAll(t, servers[1:], func(o *ssh.Options) {
		o.Jump, o.KnownHostsFile, o.Shared = []ssh.Jump{jump}, known, shared
	}) {
		must(t, err)
	}
	if n := gate.Seen().Connections; n > 2 { // the first may be gone before the last comes
		t.Errorf("%d connections", n)
	}
}

// TestAChainOfJumpHosts, by the configuration of ssh: each is itself reached as that says.
func TestAChainOfJumpHosts(t *testing.T) {
	outer, _ := jumpServer(t)
	inner, _ := jumpServer(t)
	server := newServer(t)
	line := func(alias string, s *hosttest.Server, more string) string {
		return fmt.Sprintf("Host %s\nHostName %s\nPort %d\nIdentityFile %s\nUserKnownHostsFile %s\n%s\n", alias, s.Host, s.Port, s.IdentityFile, s.KnownHostsFile, more)
	}
	for name, config := range map[string]string{
		"a chain":             line("outer", outer, "User a") + line("inner", inner, "User b") + line("cp-1", server, "User ops\nProxyJump outer,inner"),
		"each behind another": line("outer", outer, "User a") + line("inner", inner, "User b\nProxyJump outer") + line("cp-1", server, "User ops\nProxyJump inner"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HOME", homeWith(t, map[string]string{"config": config}))
			t.Setenv("SSH_AUTH_SOCK", "")
			before := len(inner.Seen().Forwards)
			o := options(server)
			o.Host, o.Port, o.User, o.IdentityFile, o.KnownHostsFile, o.ConfigFile = "cp-1", 0, "", "", "", ""
			connect(t, o)
			if through := inner.Seen().Forwards; len(through) != before+1 || through[before] != address(server) {
				t.Errorf("the inner one was asked for %q", through)
			}
			if through := outer.Seen().Forwards; through[len(through)-1] != address(inner) {
				t.Errorf("the outer one was asked for %q", through)
			}
		})
	}
}

// TestJumpHostsThatDoNotLead are named, with what to do.
func TestJumpHostsThatDoNotLead(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	for name, test := range map[string]struct {
		set  func(t *testing.T, gate *hosttest.Server, jump *ssh.Jump, o *ssh.Options)
		kind hosts.ErrorKind
		want []string
	}{
		"it forbids TCP forwarding": {func(_ *testing.T, gate *hosttest.Server, _ *ssh.Jump, _ *ssh.Options) { gate.SetWays(hosttest.Ways{}) },
			hosts.KindUnreachable, []string{"through the jump host 127.0.0.1:", "it forbids TCP forwarding (open failed)", "AllowTcpForwarding yes", "for jumper", "ssh.proxyCommand"}},
		"the host behind it is down": {func(_ *testing.T, _ *hosttest.Server, _ *ssh.Jump, o *ssh.Options) { o.Port = 1 },
			hosts.KindUnreachable, []string{"connect to 127.0.0.1:1 through the jump host", "it cannot connect: ", "connection refused", "that the jump host reaches it"}},
		"it is down": {func(_ *testing.T, gate *hosttest.Server, _ *ssh.Jump, _ *ssh.Options) { gate.Unplug() },
			hosts.KindUnreachable, []string{"through the jump host", "connection refused", "sshd listens on 127.0.0.1:"}},
		"it refuses the key": {func(t *testing.T, _ *hosttest.Server, jump *ssh.Jump, _ *ssh.Options) {
			jump.IdentityFile, _, _ = keyFile(t, "")
		},
			hosts.KindAuth, []string{"through the jump host", "as jumper", "it refuses", "ssh-copy-id -p"}},
		"its key has changed": {func(t *testing.T, gate *hosttest.Server, _ *ssh.Jump, _ *ssh.Options) { gate.UseHostKeys(newSigner(t)) },
			hosts.KindHostKeyChanged, []string{"through the jump host", "somebody may be in between"}},
		"it is behind itself": {func(t *testing.T, gate *hosttest.Server, jump *ssh.Jump, o *ssh.Options) {
			t.Setenv("HOME", homeWith(t, map[string]string{"config": "Host *\nProxyJump 127.0.0.1\n"}))
			o.ConfigFile = ""
		}, hosts.KindBroken, []string{"jump hosts lead in a circle", "ProxyJump none"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HOME", t.TempDir())
			gate, jump := jumpServer(t)
			server := newServer(t)
			o := options(server)
			o.KnownHostsFile = knownTo(t, gate, server)
			test.set(t, gate, &jump, &o)
			o.Jump = []ssh.Jump{jump}
			refused(t, o, test.kind, test.want...)
		})
	}
}

// TestAJumpHostsKeyIsTrustedByItsFingerprint, as another host's.
func TestAJumpHostsKeyIsTrustedByItsFingerprint(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	gate, jump := jumpServer(t)
	server := newServer(t)
	o := options(server)
	o.KnownHostsFile, o.Jump = filepath.Join(t.TempDir(), "known_hosts"), []ssh.Jump{jump}
	refused(t, o, hosts.KindHostKeyUnknown, "through the jump host", "is not in")
	for _, s := range []*hosttest.Server{gate, server} {
		if _, added, err := ssh.Trust(t.Context(), o, xssh.FingerprintSHA256(s.HostKey())); err != nil || !added {
			t.Fatalf("added %v: %v", added, err)
		}
	}
	connect(t, o)
}

// TestAJumpHostIsGivenUp when nobody waits for it any more: a question about it ends, too.
func TestAJumpHostIsGivenUp(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	gate, jump := jumpServer(t)
	gate.SetWays(hosttest.Ways{NoKeys: true, Password: "secret", Forward: true})
	server := newServer(t)
	o := options(server)
	o.Jump, o.KnownHostsFile = []ssh.Jump{jump}, knownTo(t, gate, server)
	noLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	o.Shared = ssh.NewShared(func(asked context.Context, q ssh.Question) (string, error) {
		defer close(ended)
		if !strings.HasPrefix(q.Text, "Password of jumper on the jump host 127.0.0.1:") {
			t.Errorf("asked %q", q.Text)
		}
		cancel()
		<-asked.Done()
		return "", asked.Err()
	})
	if _, err := ssh.Connect(ctx, o); err == nil {
		t.Error("it connects")
	}
	<-ended
}

// TestAJumpHostsPasswordIsItsOwn: the hosts behind it have another one.
func TestAJumpHostsPasswordIsItsOwn(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	gate, jump := jumpServer(t)
	gate.SetWays(hosttest.Ways{NoKeys: true, Password: "outer", Forward: true})
	servers := append([]*hosttest.Server{gate}, passwordHosts(t, 3, "inner")...)
	jump.User = "ops"
	known := knownTo(t, servers...)
	shared := ssh.NewShared(func(_ context.Context, q ssh.Question) (string, error) {
		if strings.Contains(q.Text, "jump host") {
			return "outer", nil
		}
		return "inner", nil
	})
	for _, err := range connectAll(t, servers[1:], func(o *ssh.Options) { o.Jump, o.KnownHostsFile, o.Shared = []ssh.Jump{jump}, known, shared }) {
		must(t, err)
	}
	if tried := passwordsSeen(servers); tried["outer"] > 3 || tried["inner"] != 3 {
		t.Errorf("tried %v", tried)
	}
}

// TestOneConnectionAndOneAuthentication for all that an init does with a host.
func TestOneConnectionAndOneAuthentication(t *testing.T) {
	server := newServer(t)
	var told []string
	o := options(server)
	o.Tell = func(stage string) { told = append(told, stage) }
	host := connect(t, o)
	if _, err := host.Observe(t.Context(), hosts.Query{}); err != nil {
		t.Fatal(err)
	}
	must(t, host.Upload(t.Context(), []hosts.Blob{hosttest.Content(make([]byte, 4<<20))}, nil))
	if _, err := host.Do(t.Context(), hosts.LoadModule{Name: "overlay"}, nil); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	if conn, err := host.Dial(t.Context(), "tcp", listener.Addr().String()); err == nil {
		_ = conn.Close()
	}
	must(t, host.Close())
	if seen := server.Seen(); seen.Connections != 1 || seen.Logins != 1 {
		t.Errorf("%d connections, %d logins", seen.Connections, seen.Logins)
	}
	if len(told) == 0 || told[0] != "logging in" {
		t.Errorf("told %q", told)
	}
}
