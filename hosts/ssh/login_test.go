package ssh_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"
	sshagent "golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

func TestRefusedKeysAreNamed(t *testing.T) {
	server := newServer(t)
	server.SetHooks(hosttest.Hooks{Config: refuseKeys})
	refused(t, options(server), hosts.KindAuth, "log in to", "as ops", server.IdentityFile, "SHA256:", "ssh-copy-id")
}

func TestWithoutAKeyNothingIsTried(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	o := options(newServer(t))
	o.IdentityFile = ""
	refused(t, o, hosts.KindAuth, "no key was offered", "identityFile")
	o.IdentityFile = "/nowhere/id"
	refused(t, o, hosts.KindAuth, "/nowhere/id")
}

func TestTheUsualKeysAreFound(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "")
	server := newServer(t)
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{server.IdentityFile: "id_ed25519", server.KnownHostsFile: "known_hosts"} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, ".ssh", to), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := options(server)
	o.IdentityFile, o.KnownHostsFile = "", ""
	connect(t, o)
	o.IdentityFile, o.KnownHostsFile = "~/.ssh/id_ed25519", "~/.ssh/known_hosts"
	connect(t, o)
}

func TestEncryptedKeysNeedAnAgent(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	server := newServer(t)
	o := options(server)
	var key any
	key, o.IdentityFile = identity(t, server)
	refused(t, o, hosts.KindAuth, "encrypted", "ssh-add "+o.IdentityFile)

	t.Setenv("SSH_AUTH_SOCK", serveAgent(t, key))
	connect(t, o)
	o.IdentityFile = ""
	connect(t, o)
}

// TestAPublicKeyChoosesOneOfTheAgents, as OpenSSH has it: a file that holds the public half
// alone, or the certificate, says which of many keys is offered.
func TestAPublicKeyChoosesOneOfTheAgents(t *testing.T) {
	server := newServer(t)
	o := options(server)
	content, err := os.ReadFile(server.IdentityFile)
	if err != nil {
		t.Fatal(err)
	}
	private, err := xssh.ParseRawPrivateKey(content)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	keyring := sshagent.NewKeyring()
	for range 10 { // more than a server cares to see
		_, other, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := keyring.Add(sshagent.AddedKey{PrivateKey: other}); err != nil {
			t.Fatal(err)
		}
	}
	o.IdentityFile = filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(o.IdentityFile, append(xssh.MarshalAuthorizedKey(signer.PublicKey()), " a comment\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSH_AUTH_SOCK", "")
	refused(t, o, hosts.KindAuth, "is a public key", "SSH_AUTH_SOCK is not set", "ssh-add "+strings.TrimSuffix(o.IdentityFile, ".pub"))
	t.Setenv("SSH_AUTH_SOCK", listenAgent(t, func(conn net.Conn) { _ = sshagent.ServeAgent(keyring, conn) }))
	refused(t, o, hosts.KindAuth, "ssh-agent does not have it (of 10 keys)")
	if err := keyring.Add(sshagent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	connect(t, o)
	t.Setenv("SSH_AUTH_SOCK", "")
	if err := os.WriteFile(strings.TrimSuffix(o.IdentityFile, ".pub"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	connect(t, o) // it lies beside its public half
}

// serveAgent is an ssh-agent that holds a key.
func serveAgent(t *testing.T, key any) (socket string) {
	t.Helper()
	keyring := sshagent.NewKeyring()
	if err := keyring.Add(sshagent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	return listenAgent(t, func(conn net.Conn) { _ = sshagent.ServeAgent(keyring, conn) })
}

// TestAnUnknownHostIsTrustedByWhatTheErrorSays types what the error says to type.
func TestAnUnknownHostIsTrustedByWhatTheErrorSays(t *testing.T) {
	server := newServer(t)
	o := options(server)
	o.KnownHostsFile = filepath.Join(t.TempDir(), "known_hosts")
	err := refused(t, o, hosts.KindHostKeyUnknown, xssh.FingerprintSHA256(server.HostKey()), "ssh_host_ed25519_key.pub")
	_, command, found := strings.Cut(err.Fix, "echo ")
	if !found {
		t.Fatalf("nothing to type: %s", err.Fix)
	}
	if out, err := exec.Command("sh", "-c", "echo "+command).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	connect(t, o)
}

func TestAChangedHostKeyIsRefused(t *testing.T) {
	server := newServer(t)
	before := xssh.FingerprintSHA256(server.HostKey())
	server.UseHostKeys(newSigner(t))
	refused(t, options(server), hosts.KindHostKeyChanged,
		before, xssh.FingerprintSHA256(server.HostKey()), server.KnownHostsFile+":1", "ssh-keygen -R")
}

// writeKnownHosts replaces a server's known_hosts by lines.
func writeKnownHosts(t *testing.T, server *hosttest.Server, lines ...string) {
	t.Helper()
	if err := os.WriteFile(server.KnownHostsFile, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func authorized(key xssh.PublicKey) string {
	return strings.TrimSpace(string(xssh.MarshalAuthorizedKey(key)))
}

func TestFormsOfKnownHosts(t *testing.T) {
	server := newServer(t)
	key, place := authorized(server.HostKey()), fmt.Sprintf("[%s]:%d", server.Host, server.Port)
	other := newSigner(t).PublicKey()
	for name, test := range map[string]struct {
		lines []string
		want  hosts.ErrorKind
	}{
		"the place":              {lines: []string{place + " " + key + " a comment"}},
		"hashed":                 {lines: []string{knownhosts.HashHostname(place) + " " + key}},
		"one of several":         {lines: []string{"elsewhere,192.0.2.1," + place + " " + key}},
		"a pattern":              {lines: []string{"[127.0.*]:* " + key}},
		"without the port":       {lines: []string{server.Host + " " + key}},
		"between broken lines":   {lines: []string{"nonsense", "# " + place, place + " ssh-ed25519 AAAA!", place + " " + key}},
		"two keys of one kind":   {lines: []string{place + " " + authorized(other), place + " " + key}},
		"another host's":         {lines: []string{"[192.0.2.1]:22 " + key}, want: hosts.KindHostKeyUnknown},
		"another port's":         {lines: []string{fmt.Sprintf("[%s]:1 %s", server.Host, key)}, want: hosts.KindHostKeyUnknown},
		"excepted":               {lines: []string{"[127.0.*]:*,!" + place + " " + key}, want: hosts.KindHostKeyUnknown},
		"hashed, another host's": {lines: []string{knownhosts.HashHostname("elsewhere") + " " + key}, want: hosts.KindHostKeyUnknown},
		"revoked":                {lines: []string{place + " " + key, "@revoked * " + key}, want: hosts.KindHostKeyChanged},
		"another key":            {lines: []string{place + " " + authorized(other)}, want: hosts.KindHostKeyChanged},
		"nothing":                {lines: []string{""}, want: hosts.KindHostKeyUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			writeKnownHosts(t, server, test.lines...)
			if test.want == "" {
				connect(t, options(server))
			} else {
				refused(t, options(server), test.want)
			}
		})
	}
}

func newSigner(t *testing.T) xssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// TestTheHostIsAskedForTheKeyThatIsKnown: a server with two keys shows the one that
// known_hosts has, whichever the client would rather see.
func TestTheHostIsAskedForTheKeyThatIsKnown(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second, err := xssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	server, first := newServer(t), newSigner(t)
	server.UseHostKeys(first, second)
	place := fmt.Sprintf("[%s]:%d", server.Host, server.Port)
	for _, known := range []xssh.Signer{first, second} {
		writeKnownHosts(t, server, place+" "+authorized(known.PublicKey()))
		connect(t, options(server))
	}
	server.UseHostKeys(first)
	refused(t, options(server), hosts.KindHostKeyUnknown, "another kind", server.KnownHostsFile+":1")
}

func TestHostCertificates(t *testing.T) {
	server, authority, key := newServer(t), newSigner(t), newSigner(t)
	cert := &xssh.Certificate{
		Key: key.PublicKey(), CertType: xssh.HostCert, ValidPrincipals: []string{server.Host}, ValidBefore: xssh.CertTimeInfinity,
	}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	server.UseHostKeys(signer)
	writeKnownHosts(t, server, "@cert-authority "+server.Host+" "+authorized(authority.PublicKey()))
	connect(t, options(server))
	writeKnownHosts(t, server, "@cert-authority "+server.Host+" "+authorized(newSigner(t).PublicKey()))
	refused(t, options(server), hosts.KindHostKeyUnknown, "@cert-authority")
}

func TestAHostThatHangsIsGivenUp(t *testing.T) {
	noLeaks(t)
	server := newServer(t)
	server.SetHooks(hosttest.Hooks{Conn: hang})
	o := options(server)
	o.ConnectTimeout = 500 * time.Millisecond
	refused(t, o, hosts.KindUnreachable, "no answer after 500ms", "SSH-2.0-Go")
}

func TestAPortThatIsShutIsToldAtOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	o := options(newServer(t))
	_, port, _ := net.SplitHostPort(address)
	o.Port, _ = strconv.Atoi(port)
	refused(t, o, hosts.KindUnreachable, "refused", "sshd listens on "+address)
}

func TestConnectingCanBeCancelled(t *testing.T) {
	server := newServer(t)
	server.SetHooks(hosttest.Hooks{Conn: hang})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := ssh.Connect(ctx, options(server))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

func TestAProxyCommandCarriesTheConnection(t *testing.T) {
	noLeaks(t)
	server := newServer(t)
	o := options(server)
	o.ProxyCommand = proxyVariable + "=%h:%p '" + os.Args[0] + "'"
	host := connect(t, o)
	if _, err := host.Observe(t.Context(), hosts.Query{}); err != nil {
		t.Error(err)
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
}

func TestAProxyCommandsLastWordsAreTold(t *testing.T) {
	noLeaks(t)
	o := options(newServer(t))
	for command, words := range map[string][]string{
		"echo the jump host is away >&2; exit 1": {"the jump host is away", "proxyCommand"},
		"no-such-command-as-this":                {"not found"},
		"echo %q":                                {"%q is none of"},
		"echo 50%":                               {"lone %"},
		"echo welcome to the wrong place; sleep 1000": {"no answer after", "welcome to the wrong place"},
	} {
		o.ProxyCommand, o.ConnectTimeout = command, 2*time.Second
		refused(t, o, hosts.KindUnreachable, words...)
	}
	o.ProxyCommand, o.Host = "nc %h %p", "host; rm -rf x"
	refused(t, o, hosts.KindUnreachable, "does not belong into a shell's line")
}

// TestAProxyCommandIsEndedWithAllItStarted: a FIFO tells when the last of them is gone.
func TestAProxyCommandIsEndedWithAllItStarted(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "alive")
	if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	o := options(newServer(t))
	o.ConnectTimeout = 300 * time.Millisecond
	o.ProxyCommand = "exec 3> '" + fifo + "'; sleep 1000 & sleep 1000"
	gone := make(chan error, 1)
	go func() {
		_, err := os.ReadFile(fifo)
		gone <- err
	}()
	refused(t, o, hosts.KindUnreachable, "no answer after")
	select {
	case err := <-gone:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("what the proxyCommand started lives on")
	}
}

// hangUp is a server that lets everybody in and hangs up when the first session is asked
// for, as an sshd does that is restarted just then.
func hangUp(t *testing.T, key xssh.Signer) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	config := &xssh.ServerConfig{PublicKeyCallback: func(xssh.ConnMetadata, xssh.PublicKey) (*xssh.Permissions, error) {
		return nil, nil
	}}
	config.AddHostKey(key)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, channels, _, err := xssh.NewServerConn(conn, config); err == nil {
			<-channels
		}
	}()
	return listener.Addr().String()
}

func TestAHostThatHangsUpBeforeTheFirstSessionIsExplained(t *testing.T) {
	o, key := options(newServer(t)), newSigner(t)
	host, port, _ := net.SplitHostPort(hangUp(t, key))
	o.Host = host
	o.Port, _ = strconv.Atoi(port)
	o.KnownHostsFile = filepath.Join(t.TempDir(), "known_hosts")
	line := knownhosts.Line([]string{net.JoinHostPort(host, port)}, key.PublicKey())
	if err := os.WriteFile(o.KnownHostsFile, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.ProxyCommand = proxyVariable + "=%h:%p '" + os.Args[0] + "'; echo the host went down >&2"
	refused(t, o, hosts.KindCut, "open a session", "the connection was lost", "the host went down", "run the same command again")
}
