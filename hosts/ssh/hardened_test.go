package ssh_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// counted counts the connections and logins that a server sees, beside what other hooks do.
type counted struct {
	mutex               sync.Mutex
	connections, logins int
}

func (c *counted) hooks(also hosttest.Hooks) hosttest.Hooks {
	also.Conn = func(conn net.Conn) net.Conn {
		c.add(&c.connections)
		return conn
	}
	config := also.Config
	also.Config = func(conn net.Conn, served *xssh.ServerConfig) {
		if config != nil {
			config(conn, served)
		}
		served.AuthLogCallback = func(_ xssh.ConnMetadata, method string, err error) {
			if err == nil && method != "none" {
				c.add(&c.logins)
			}
		}
	}
	return also
}

func (c *counted) add(which *int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	*which++
}

// banner is what sshd says before a login.
func banner(_ net.Conn, config *xssh.ServerConfig) {
	config.BannerCallback = func(xssh.ConnMetadata) string {
		return "slipway-agent-root\nAuthorized uses only. {\"protocol\":2}\n"
	}
}

// shellThat is a login shell that does something before what it is asked to do.
func shellThat(does string) func(*hosttest.Server) string {
	return func(server *hosttest.Server) string {
		server.Script("the-shell", does+"\nexec /bin/sh \"$@\"")
		return "the-shell"
	}
}

// TestHardenedHosts: what sshd, the login shell and the home do not allow stops nothing that can go another way.
// Everything goes over one connection, which is logged in to once, and through it the host's own loopback is
// reached though this sshd forwards nothing.
func TestHardenedHosts(t *testing.T) {
	for name, test := range map[string]struct {
		login hosttest.Login
		hooks hosttest.Hooks
		shell func(*hosttest.Server) string
		sudo  *hosttest.Becoming
		doas  *hosttest.Becoming
		files bool // SFTP is to be had
	}{
		"nothing is hardened":                        {files: true},
		"one session, as root":                       {login: hosttest.Login{MaxSessions: 1}},
		"one session, by sudo":                       {login: hosttest.Login{MaxSessions: 1, UID: 1000}},
		"one session, by sudo with a password":       {login: hosttest.Login{MaxSessions: 1, UID: 1000}, sudo: &hosttest.Becoming{Password: rightPassword}},
		"one session, by sudo that wants a terminal": {login: hosttest.Login{MaxSessions: 1, UID: 1000}, sudo: &hosttest.Becoming{Password: rightPassword, RequireTTY: true}},
		"one session, by doas":                       {login: hosttest.Login{MaxSessions: 1, UID: 1000}, doas: &hosttest.Becoming{Password: rightPassword}},
		"no SFTP":                                    {login: hosttest.Login{NoSFTP: true}},
		"no SFTP, by sudo":                           {login: hosttest.Login{NoSFTP: true, UID: 1000}},
		"no SFTP and one session":                    {login: hosttest.Login{NoSFTP: true, MaxSessions: 1, UID: 1000}},
		"a banner with words of ours":                {hooks: hosttest.Hooks{Config: banner}, files: true},
		"a shell that prints":                        {login: hosttest.Login{Noise: "Welcome!\nslipway-agent- is what we say\n{\"protocol\": 9}\n"}, hooks: printsIntoFiles("Welcome!\n")},
		"a shell that prints, by sudo":               {login: hosttest.Login{UID: 1000, Noise: "Welcome to cp-1"}, hooks: printsIntoFiles("Welcome to cp-1")},
		"a shell whose start file is broken":         {shell: shellThat("echo 'bash: /root/.bashrc: line 3: syntax error near unexpected token' >&2"), files: true},
		"a shell that forgets the PATH":              {shell: shellThat("export PATH=${PATH%%:*}"), files: true},
		"a shell that knows no sh's quotes":          {shell: func(s *hosttest.Server) string { s.Script("fish", fishlike); return "fish" }, files: true},
		"a home that is not there":                   {login: hosttest.Login{UID: 1000, Home: "/proc/nowhere/ops"}, files: true},
		"a home that is full":                        {login: hosttest.Login{UID: 1000}, hooks: fullDisk(1 << 20)},
		"a home whose quota is used up":              {login: hosttest.Login{UID: 1000}, hooks: usedUp()},
		"umask 077":                                  {login: hosttest.Login{UID: 1000, Umask: 0o077}, files: true},
		"umask 027":                                  {login: hosttest.Login{UID: 1000, Umask: 0o027}, files: true},
		"umask 777":                                  {login: hosttest.Login{UID: 1000, Umask: 0o777}, files: true},
		"the command is forced, and does what it is": {login: hosttest.Login{ForceCommand: `eval "$SSH_ORIGINAL_COMMAND"`}, files: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			seen, usesFiles := &counted{}, false
			if files := test.hooks.Files; files == nil {
				test.hooks.Files = func(channel xssh.Channel) { usesFiles = true; serve(channel, &disk{}) }
			}
			server.SetHooks(seen.hooks(test.hooks))
			if test.shell != nil {
				test.login.Shell = test.shell(server)
			}
			server.SetLogin(test.login)
			if test.sudo != nil {
				server.BecomeBy(*test.sudo)
			}
			if test.doas != nil {
				server.Without("sudo")
				server.BecomeByDoas(*test.doas)
			}
			o, ask := options(server), &asker{passwords: []string{rightPassword, rightPassword}}
			ask.into(&o)
			wholeVisit(t, server, o)
			if seen.connections != 1 || seen.logins != 1 {
				t.Errorf("there were %d connections and %d logins", seen.connections, seen.logins)
			}
			if len(ask.asked) > 1 {
				t.Errorf("it was asked for a password %d times", len(ask.asked))
			}
			if usesFiles != test.files {
				t.Errorf("SFTP is used: %t", usesFiles)
			}
		})
	}
}

// wholeVisit does all that a host is connected to for, from a bare one to one that is forgotten.
func wholeVisit(t *testing.T, server *hosttest.Server, o ssh.Options) {
	t.Helper()
	host, err := ssh.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	blobs := []hosts.Blob{hosttest.Content(randomBytes(3 << 20)), hosttest.Content(randomBytes(3<<20 + 1)), hosttest.Content(allBytes())}
	var last hosts.Progress
	must(t, host.Upload(t.Context(), blobs, func(p hosts.Progress) { last = p }))
	if last.Total != blobs[0].Size+blobs[1].Size+blobs[2].Size || last.Done != last.Total {
		t.Errorf("the last progress is %+v", last)
	}
	for _, blob := range blobs {
		if _, err := host.Do(t.Context(), hosts.WriteFile{Path: "/x", Mode: 0o600, Content: blob.Ref}, nil); err != nil {
			t.Error(err)
		}
	}
	const echo = "127.0.0.1:7"
	stop, err := server.Machine.Serve("tcp", echo, hosttest.Echo)
	must(t, err)
	defer stop()
	conn, err := host.Dial(t.Context(), "tcp", echo)
	must(t, err)
	_, err = io.WriteString(conn, "hello")
	must(t, err)
	must(t, conn.(interface{ CloseWrite() error }).CloseWrite())
	if heard, err := io.ReadAll(conn); err != nil || string(heard) != "hello" {
		t.Errorf("%q comes back: %v", heard, err)
	}
	_ = conn.Close()
	for _, action := range []hosts.Action{hosts.RemovePath{Path: "/x"}, hosts.Forget{}} {
		if _, err := host.Do(t.Context(), action, nil); err != nil {
			t.Error(err)
		}
	}
	must(t, host.Close())
	leftBare(t, server)
}

// fishlike takes what fish takes: in its single quotes a backslash escapes, and it has no subshells, assignments
// or exclamation marks of sh's. All that is asked of it is one word, and what stands in single quotes.
const fishlike = `case $2 in
"/bin/sh -c '"*"'") inner=${2#"/bin/sh -c '"}; inner=${inner%"'"} ;;
*) echo "fish: $2: not understood" >&2; exit 127;;
esac
case $inner in *"'"*|*'\'*|*'!'*) echo "fish: quotes" >&2; exit 127;; esac
exec sh -c "$inner"`

// usedUp has SFTP take nothing, though the disk has room.
func usedUp() hosttest.Hooks {
	return hosttest.Hooks{Files: func(channel xssh.Channel) { serve(channel, &disk{quota: true}) }}
}

// TestAnUploadThroughTheAgentGoesOn where it was cut off, as one by SFTP does.
func TestAnUploadThroughTheAgentGoesOn(t *testing.T) {
	const size = 24 << 20
	server := newServer(t)
	server.SetLogin(hosttest.Login{NoSFTP: true})
	o := options(server)
	must(t, used(t, o).Close()) // the agent is there
	blob, read := countedBlob(randomBytes(size))
	server.SetHooks(hosttest.Hooks{Conn: cutAfter(size * 3 / 4)})
	err := connect(t, o).Upload(t.Context(), []hosts.Blob{blob}, nil)
	wantError(t, err, hosts.KindCut, "run the same command again")

	server.SetHooks(hosttest.Hooks{})
	*read = 0
	var last hosts.Progress
	host := connect(t, o)
	must(t, host.Upload(t.Context(), []hosts.Blob{blob}, func(p hosts.Progress) { last = p }))
	if *read == 0 || *read > size/2 {
		t.Errorf("%d of %d bytes were sent again", *read, size)
	}
	if last.Done != size || last.Total != size {
		t.Errorf("the last progress is %+v", last)
	}
}

// TestAnUploadThroughTheAgentCanBeCancelled, and leaves the connection to what goes on over it.
func TestAnUploadThroughTheAgentCanBeCancelled(t *testing.T) {
	server := newServer(t)
	server.SetLogin(hosttest.Login{NoSFTP: true})
	host := connect(t, options(server))
	blob := hosttest.Content(randomBytes(8 << 20))
	blob.Open = func() (io.ReadCloser, error) { return nil, errors.New("its file is gone") }
	err := host.Upload(t.Context(), []hosts.Blob{blob}, nil)
	wantError(t, err, hosts.KindBroken, "its file is gone")
	if _, err := host.Observe(t.Context(), hosts.Query{}); err != nil {
		t.Errorf("the connection is gone, too: %v", err)
	}
}

// TestWhatRunsNothingIsNamed: the account is let in, and what is asked for is not run.
func TestWhatRunsNothingIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		login hosttest.Login
		user  string
		shell func(*hosttest.Server) string
		kind  hosts.ErrorKind
		words []string
	}{
		"nologin":                       {shell: shellThat("echo 'This account is currently not available.'; exit 1"), kind: hosts.KindAuth, words: []string{"This account is currently not available.", "usermod --shell /bin/bash ops"}},
		"a shell that says nothing":     {user: "nobody", shell: shellThat("exit 1"), kind: hosts.KindAuth, words: []string{"status 1", "/etc/passwd gives nobody the shell /usr/sbin/nologin, which runs nothing", "usermod --shell"}},
		"one that nobody can look up":   {login: hosttest.Login{NoSFTP: true}, user: "nobody", shell: shellThat("exit 1"), kind: hosts.KindBroken, words: []string{"status 1", "getent passwd nobody", "ssh -p "}},
		"a start file that ends":        {shell: shellThat("exit 0"), kind: hosts.KindBroken, words: []string{"what was to be run was not run", "start files", "forcecommand"}},
		"a forced command":              {login: hosttest.Login{ForceCommand: "echo 'menu: 1) backup 2) quit'"}, kind: hosts.KindBroken, words: []string{"what was to be run was not run", "menu: 1) backup 2) quit", "sshd -T -C user=ops | grep -i forcecommand", "command=", "authorized_keys"}},
		"a forced command that fails":   {login: hosttest.Login{ForceCommand: "echo 'only borg serve' >&2; exit 2"}, kind: hosts.KindBroken, words: []string{"status 2", "only borg serve", "forcecommand"}},
		"files only":                    {login: hosttest.Login{ForceCommand: "echo 'This service allows sftp connections only.'; exit 1"}, kind: hosts.KindAuth, words: []string{"may only use SFTP", "ForceCommand"}},
		"a restricted shell":            {shell: shellThat("echo \"rbash: line 1: sh: command not found\" >&2; exit 127"), kind: hosts.KindBroken, words: []string{"rbash: line 1: sh: command not found", "login shell"}},
		"the agent may not be run":      {login: hosttest.Login{UID: 1000}, shell: func(s *hosttest.Server) string { s.Script("chmod", chmodDoesNothing); return "" }, kind: hosts.KindBroken, words: []string{"Permission denied", "noexec", "findmnt -T", "/etc/fstab"}},
		"nothing may be run by root":    {login: hosttest.Login{UID: 1000}, shell: func(s *hosttest.Server) string { s.Script("sudo", sudoNoexec); return "" }, kind: hosts.KindPrivilege, words: []string{"NOEXEC"}},
		"a directory service is silent": {shell: shellThat("echo 'slow down' >&2; exit 75"), kind: hosts.KindBroken, words: []string{"status 75", "slow down"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			if test.shell != nil {
				test.login.Shell = test.shell(server)
			}
			server.SetLogin(test.login)
			o := options(server)
			if test.user != "" {
				o.User = test.user
			}
			began := time.Now()
			refused(t, o, test.kind, test.words...)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			leftBare(t, server)
		})
	}
}

// sudoNoexec lets a shell be run that can run nothing.
const sudoNoexec = `[ "$1" = -n ] && shift; [ "$1" = -- ] && shift; shift; PATH=/nowhere; export PATH; HOSTTEST_ROOT=1 exec /bin/sh -c "id() { return 126; }; ls() { return 126; }; $2"`

// TestNoSessionAtAllIsNamed.
func TestNoSessionAtAllIsNamed(t *testing.T) {
	server := newServer(t)
	server.SetLogin(hosttest.Login{MaxSessions: -1})
	refused(t, options(server), hosts.KindBroken, "open a session", "MaxSessions")
}

// TestLargeBlobsOfRootLieWhereOnlyRootWrites while they are put together.
func TestLargeBlobsOfRootLieWhereOnlyRootWrites(t *testing.T) {
	server := newServer(t)
	server.SetLogin(hosttest.Login{UID: 1000, NoSFTP: true})
	host := connect(t, options(server))
	blob := hosttest.Content(randomBytes(2 << 20))
	open := blob.Open
	blob.Open = func() (io.ReadCloser, error) {
		if _, err := os.Stat(server.Inbox()); err == nil {
			t.Error("the login user has an inbox that nothing goes through")
		}
		return open()
	}
	must(t, host.Upload(t.Context(), []hosts.Blob{blob}, nil))
	if info, err := os.Stat(filepath.Join(server.Directory(), "inbox")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}
