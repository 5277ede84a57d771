package ssh_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// passwordHosts are hosts that take a password alone.
func passwordHosts(t *testing.T, n int, password string) []*hosttest.Server {
	t.Helper()
	var all []*hosttest.Server
	for range n {
		server := newServer(t)
		server.SetWays(hosttest.Ways{NoKeys: true, Password: password})
		all = append(all, server)
	}
	return all
}

// connectAll connects to all at once, and gives what went wrong.
func connectAll(t *testing.T, servers []*hosttest.Server, change func(*ssh.Options)) []error {
	t.Helper()
	errs := make([]error, len(servers))
	var all sync.WaitGroup
	for i, server := range servers {
		all.Go(func() {
			o := options(server)
			change(&o)
			host, err := ssh.Connect(t.Context(), o)
			if errs[i] = err; err == nil {
				_ = host.Close()
			}
		})
	}
	all.Wait()
	return errs
}

// passwordsSeen are all that were tried, and by how many hosts.
func passwordsSeen(servers []*hosttest.Server) map[string]int {
	tried := map[string]int{}
	for _, server := range servers {
		for _, password := range server.Seen().Passwords {
			tried[password]++
		}
	}
	return tried
}

// TestAPasswordIsAskedForOnceForAllHosts, and a wrong one is tried on one of them alone.
func TestAPasswordIsAskedForOnceForAllHosts(t *testing.T) {
	servers := passwordHosts(t, 12, "secret")
	by := &operator{answers: []string{"wrong", "secret"}, pause: 50 * time.Millisecond}
	shared := ssh.NewShared(by.ask)
	for _, err := range connectAll(t, servers, func(o *ssh.Options) { o.Shared = shared }) {
		must(t, err)
	}
	if len(by.asked) != 2 {
		t.Errorf("asked %q", by.texts())
	}
	if tried := passwordsSeen(servers); tried["wrong"] != 1 || tried["secret"] != len(servers) {
		t.Errorf("tried %v", tried)
	}
	for _, server := range servers {
		if n := server.Seen().Connections; n != 1 {
			t.Errorf("%d connections to a host", n)
		}
	}
}

// TestAPasswordThatStaysWrongLocksNobodyOut: after three of them on one host, the others are not tried.
func TestAPasswordThatStaysWrongLocksNobodyOut(t *testing.T) {
	for name, set := range map[string]func(*ssh.Options){
		"typed":     func(*ssh.Options) {},
		"in a file": func(o *ssh.Options) {},
	} {
		t.Run(name, func(t *testing.T) {
			servers := passwordHosts(t, 8, "secret")
			by := &operator{answers: []string{"wrong"}}
			shared := ssh.NewShared(by.ask)
			file, most := "", 3
			if name == "in a file" {
				file, most = passwordFile(t, "wrong\n", 0o600), 1
			}
			for _, err := range connectAll(t, servers, func(o *ssh.Options) { o.Shared, o.PasswordFile = shared, file; set(o) }) {
				wantError(t, err, hosts.KindAuth, "password")
			}
			if tried := passwordsSeen(servers); tried["wrong"] != most {
				t.Errorf("tried %v", tried)
			}
		})
	}
}

// TestAHostWithAnotherPassword is asked for on its own, once the others have taken theirs.
func TestAHostWithAnotherPassword(t *testing.T) {
	servers := append(passwordHosts(t, 3, "secret"), passwordHosts(t, 1, "other")...)
	by := &operator{answers: []string{"secret", "other"}}
	shared := ssh.NewShared(by.ask)
	for _, server := range servers { // one after the other, so that it is known who is asked for first
		o := options(server)
		o.Shared = shared
		connect(t, o)
	}
	if texts := by.texts(); !slices.Equal(texts, []string{"Password of ops", "Password of ops on cp-1"}) {
		t.Errorf("asked %q", texts)
	}
}

// TestAHostMayHangUpWhileTheOperatorTypes, as sshd does after LoginGraceTime: it is logged in to again. The time for
// typing does not count as the host's.
func TestAHostMayHangUpWhileTheOperatorTypes(t *testing.T) {
	servers := passwordHosts(t, 1, "secret")
	by := &operator{answers: []string{"secret"}, pause: 1500 * time.Millisecond}
	o := options(servers[0])
	o.ConnectTimeout = time.Second
	o.Shared = ssh.NewShared(func(ctx context.Context, q ssh.Question) (string, error) {
		defer servers[0].Cut()
		return by.ask(ctx, q)
	})
	connect(t, o)
	if n := servers[0].Seen().Connections; n != 2 || len(by.asked) != 1 {
		t.Errorf("%d connections, asked %q", n, by.texts())
	}
}

// TestNoConnectionIsKeptWaitingForTheOperator until sshd ends it, which it would hold against us.
func TestNoConnectionIsKeptWaitingForTheOperator(t *testing.T) {
	ssh.IdleAtMost(t, 300*time.Millisecond)
	server := passwordHosts(t, 1, "secret")[0]
	by := &operator{answers: []string{"secret"}, pause: 1500 * time.Millisecond}
	o := options(server)
	o.Shared = ssh.NewShared(by.ask)
	connect(t, o)
	if seen := server.Seen(); seen.Connections != 2 || seen.Logins != 1 || len(by.asked) != 1 {
		t.Errorf("%+v, asked %q", seen, by.texts())
	}
}

// TestAHostThatHangsUpOnAPassword without a word has refused it: it is not sent again and again.
func TestAHostThatHangsUpOnAPassword(t *testing.T) {
	server := passwordHosts(t, 1, "secret")[0]
	var tried atomic.Int32
	server.SetHooks(hosttest.Hooks{Config: func(conn net.Conn, config *xssh.ServerConfig) {
		config.PasswordCallback = func(xssh.ConnMetadata, []byte) (*xssh.Permissions, error) {
			tried.Add(1)
			return nil, conn.Close()
		}
	}})
	by := &operator{answers: []string{"wrong"}}
	o := options(server)
	o.Shared = ssh.NewShared(by.ask)
	if _, err := ssh.Connect(t.Context(), o); err == nil || tried.Load() > 1 {
		t.Errorf("it was sent %d times: %v", tried.Load(), err)
	}
}

// TestAPassphraseIsAskedForOnceForAllHosts.
func TestAPassphraseIsAskedForOnceForAllHosts(t *testing.T) {
	file, signer, _ := keyFile(t, "open")
	var servers []*hosttest.Server
	for range 6 {
		server := newServer(t)
		server.SetWays(hosttest.Ways{Keys: []xssh.PublicKey{signer.PublicKey()}})
		servers = append(servers, server)
	}
	by := &operator{answers: []string{"open"}, pause: 20 * time.Millisecond}
	shared := ssh.NewShared(by.ask)
	for _, err := range connectAll(t, servers, func(o *ssh.Options) { o.Shared, o.IdentityFile = shared, file }) {
		must(t, err)
	}
	if len(by.asked) != 1 {
		t.Errorf("asked %q", by.texts())
	}
}

// TestAnInterruptEndsAQuestion of the operator.
func TestAnInterruptEndsAQuestion(t *testing.T) {
	noLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := options(passwordHosts(t, 1, "secret")[0])
	o.Shared = ssh.NewShared(func(ctx context.Context, _ ssh.Question) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	})
	_, err := ssh.Connect(ctx, o)
	if err == nil || ctx.Err() == nil {
		t.Errorf("connected: %v", err)
	}
}

// TestTheBecomePasswordIsAskedForOnceForAllHosts, and a wrong one is tried on one of them alone.
func TestTheBecomePasswordIsAskedForOnceForAllHosts(t *testing.T) {
	for name, test := range map[string]struct {
		answers []string
		file    string
		askable bool // otherwise nobody is there
		first   bool // --ask-become-pass
		fails   []string
		asked   int
		wrong   int
	}{
		"asked for when sudo asks":       {answers: []string{wrongPassword, rightPassword}, askable: true, asked: 2, wrong: 1},
		"asked for before":               {answers: []string{rightPassword}, askable: true, first: true, asked: 1},
		"wrong, again and again":         {answers: []string{wrongPassword}, askable: true, asked: 3, wrong: 3, fails: []string{"does not take"}},
		"nobody is there":                {askable: true, asked: 1, fails: []string{"a password is required, and none was given", "--ask-become-pass", "--become-password-file", "NOPASSWD"}},
		"in a file":                      {file: rightPassword},
		"in a file, and wrong":           {file: wrongPassword, wrong: 1, fails: []string{"does not take"}},
		"in a file that others may read": {file: "0644", fails: []string{"read the password file", "mode 0644", "chmod 0600"}},
	} {
		t.Run(name, func(t *testing.T) {
			var servers []*hosttest.Server
			for range 5 {
				server := newServer(t)
				server.SetLogin(hosttest.Login{UID: 1000})
				server.BecomeBy(hosttest.Becoming{Password: rightPassword, Lecture: true})
				servers = append(servers, server)
			}
			by, shared := &operator{answers: test.answers, pause: 10 * time.Millisecond}, ssh.NewShared(nil)
			if test.askable {
				shared = ssh.NewShared(by.ask)
			}
			file := ""
			switch test.file {
			case "":
			case "0644":
				file = passwordFile(t, rightPassword, 0o644)
			default:
				file = passwordFile(t, test.file+"\n", 0o600)
			}
			for _, err := range connectAll(t, servers, func(o *ssh.Options) {
				o.Shared, o.AskBecome, o.BecomePasswordFile = shared, test.first, file
			}) {
				if test.fails == nil {
					must(t, err)
				} else if err == nil || !strings.Contains(err.Error(), test.fails[0]) {
					t.Errorf("%v", err)
				} else if known := new(hosts.Error); errors.As(err, &known) {
					for _, word := range test.fails {
						if !strings.Contains(err.Error()+known.Fix, word) {
							t.Errorf("%q is not in %v\n%s", word, err, known.Fix)
						}
					}
				}
			}
			wrong := 0
			for _, server := range servers {
				wrong += server.WrongPasswords()
			}
			if len(by.asked) != test.asked || wrong != test.wrong {
				t.Errorf("asked %q, and %d wrong ones were tried", by.texts(), wrong)
			}
		})
	}
}
