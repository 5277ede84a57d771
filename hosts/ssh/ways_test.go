package ssh_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
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

// operator answers questions, and keeps them.
type operator struct {
	mutex   sync.Mutex
	asked   []ssh.Question
	answers []string // in this order; the last one again and again; none: nobody is there
	pause   time.Duration
}

func (o *operator) ask(ctx context.Context, question ssh.Question) (string, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.asked = append(o.asked, question)
	if len(o.answers) == 0 {
		return "", ssh.ErrNobody
	}
	answer := o.answers[0]
	if len(o.answers) > 1 {
		o.answers = o.answers[1:]
	}
	if o.pause > 0 {
		if err := hosts.Pause(ctx, o.pause); err != nil {
			return "", err
		}
	}
	return answer, nil
}

func (o *operator) texts() []string {
	var all []string
	for _, q := range o.asked {
		all = append(all, q.Text)
	}
	return all
}

// keyFile is a new key in a file, behind a passphrase where there is one.
func keyFile(t *testing.T, passphrase string) (file string, signer xssh.Signer, raw any) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err = xssh.NewSignerFromKey(private)
	must(t, err)
	block, err := xssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = xssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	must(t, err)
	file = filepath.Join(t.TempDir(), "id")
	must(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	return file, signer, private
}

// certificate signs a key for names, until a time from now.
func certificate(t *testing.T, ca xssh.Signer, key xssh.PublicKey, kind uint32, until time.Duration, names ...string) *xssh.Certificate {
	t.Helper()
	cert := &xssh.Certificate{
		Key: key, CertType: kind, KeyId: "test", ValidPrincipals: names, ValidAfter: uint64(time.Now().Add(-2 * time.Hour).Unix()),
		ValidBefore: uint64(time.Now().Add(until).Unix()),
	}
	must(t, cert.SignCert(rand.Reader, ca))
	return cert
}

func writeCertificate(t *testing.T, file string, cert *xssh.Certificate) {
	t.Helper()
	must(t, os.WriteFile(file, xssh.MarshalAuthorizedKey(cert), 0o600))
}

func passwordFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	must(t, os.Chmod(file, mode))
	return file
}

// wayIn is a row: how a host lets in, and what is seen where it does not.
type wayIn struct {
	// set prepares the server and the options; by is who answers.
	set func(t *testing.T, server *hosttest.Server, o *ssh.Options, by *operator)
	// asked are the texts of the questions, in order.
	asked []string
	// refused are words of the error; none: it lets in.
	refused []string
	kind    hosts.ErrorKind // of the error; authentication unless said
}

var waysIn = map[string]wayIn{
	"a key": {set: func(*testing.T, *hosttest.Server, *ssh.Options, *operator) {}},
	"a key, refused": {set: func(_ *testing.T, s *hosttest.Server, _ *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "x"})
	},
		asked: []string{"Password of ops"}, refused: []string{"log in to", "as ops", "it refuses", "SHA256:", "it lets in by password", "--password-file"}},
	"several keys": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		other, _, _ := keyFile(t, "")
		o.IdentityFile, o.IdentityFiles = "", []string{other, s.IdentityFile}
	}},
	"more keys than the host cares to see": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{MaxTries: 3})
		for range 4 {
			other, _, _ := keyFile(t, "")
			o.IdentityFiles = append(o.IdentityFiles, other)
		}
		o.IdentityFile = ""
	}, refused: []string{"ssh-agent holds more keys than the host cares to see", "IdentitiesOnly yes"}},
	"a key with a passphrase": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, by *operator) {
		file, signer, _ := keyFile(t, "open")
		s.SetWays(hosttest.Ways{Keys: []xssh.PublicKey{signer.PublicKey()}})
		o.IdentityFile, by.answers = file, []string{"wrong", "open"}
	}, asked: []string{"Passphrase for the key ", "Passphrase for the key "}},
	"a key with a passphrase that nobody types": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		file, signer, _ := keyFile(t, "open")
		s.SetWays(hosttest.Ways{Keys: []xssh.PublicKey{signer.PublicKey()}})
		o.IdentityFile = file
	}, asked: []string{"Passphrase for the key "}, refused: []string{"the key is encrypted", "nobody can be asked", "ssh-add "}},
	"a passphrase that is wrong three times": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, by *operator) {
		file, signer, _ := keyFile(t, "open")
		s.SetWays(hosttest.Ways{Keys: []xssh.PublicKey{signer.PublicKey()}})
		o.IdentityFile, by.answers = file, []string{"wrong"}
	}, asked: slices.Repeat([]string{"Passphrase for the key "}, 3), refused: []string{"none of 3 passphrases opens it", "ssh-add "}},
	"a key with a passphrase that the host does not take": {set: func(t *testing.T, _ *hosttest.Server, o *ssh.Options, by *operator) {
		o.IdentityFile, _, _ = keyFile(t, "open")
		by.answers = []string{"open"}
	}, refused: []string{"it refuses", "ssh-copy-id"}}, // and nobody was asked in vain
	"ssh-agent": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		_, signer, raw := keyFile(t, "")
		s.SetWays(hosttest.Ways{Keys: []xssh.PublicKey{signer.PublicKey()}})
		o.IdentityFile, o.IdentityAgent = "", serveAgent(t, raw)
	}},
	"a certificate beside the key": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		file, signer, _ := keyFile(t, "")
		ca := newSigner(t)
		s.SetWays(hosttest.Ways{UserCA: ca.PublicKey()})
		writeCertificate(t, file+"-cert.pub", certificate(t, ca, signer.PublicKey(), xssh.UserCert, time.Hour, "ops"))
		o.IdentityFile = file
	}},
	"a certificate in a file of its own, the key in ssh-agent": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		_, signer, raw := keyFile(t, "")
		ca := newSigner(t)
		s.SetWays(hosttest.Ways{UserCA: ca.PublicKey()})
		o.CertificateFile = filepath.Join(t.TempDir(), "cert.pub")
		writeCertificate(t, o.CertificateFile, certificate(t, ca, signer.PublicKey(), xssh.UserCert, time.Hour, "ops"))
		o.IdentityFile, o.IdentityAgent = "", serveAgent(t, raw)
	}},
	"a certificate that has expired": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		file, signer, _ := keyFile(t, "")
		ca := newSigner(t)
		s.SetWays(hosttest.Ways{UserCA: ca.PublicKey()})
		writeCertificate(t, file+"-cert.pub", certificate(t, ca, signer.PublicKey(), xssh.UserCert, -time.Hour, "ops"))
		o.IdentityFile = file
	}, refused: []string{"-cert.pub (SHA256:", `have a new certificate signed by your user CA: the certificate "test", for ops, until `, "has expired"}},
	"a certificate for somebody else": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		file, signer, _ := keyFile(t, "")
		ca := newSigner(t)
		s.SetWays(hosttest.Ways{UserCA: ca.PublicKey()})
		writeCertificate(t, file+"-cert.pub", certificate(t, ca, signer.PublicKey(), xssh.UserCert, time.Hour, "admin"))
		o.IdentityFile = file
	}, refused: []string{"log in as one of admin (ssh.user)", "a certificate signed for ops"}},
	"a certificate for another key": {set: func(t *testing.T, _ *hosttest.Server, o *ssh.Options, _ *operator) {
		o.CertificateFile = filepath.Join(t.TempDir(), "cert.pub")
		writeCertificate(t, o.CertificateFile, certificate(t, newSigner(t), newSigner(t).PublicKey(), xssh.UserCert, time.Hour, "ops"))
	}, refused: []string{"read the certificate file", "which is not among those that are used", "ssh-keygen -L"}},
	"a password": {set: func(_ *testing.T, s *hosttest.Server, _ *ssh.Options, by *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		by.answers = []string{"secret"}
	}, asked: []string{"Password of ops"}},
	"a password at the second time": {set: func(_ *testing.T, s *hosttest.Server, _ *ssh.Options, by *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		by.answers = []string{"wrong", "secret"}
	}, asked: []string{"Password of ops", "Password of ops"}},
	"a password, wrong three times": {set: func(_ *testing.T, s *hosttest.Server, _ *ssh.Options, by *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		by.answers = []string{"wrong"}
	}, asked: slices.Repeat([]string{"Password of ops"}, 3), refused: []string{"it refuses the password", "it takes no keys"}},
	"a password that is asked for first": {set: func(_ *testing.T, s *hosttest.Server, o *ssh.Options, by *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		o.AskPassword, by.answers = true, []string{"secret"}
	}, asked: []string{"Password of ops"}},
	"a password that is asked for, and nobody is there": {set: func(_ *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		o.AskPassword = true
	}, asked: []string{"Password of ops"}, refused: []string{"ask for the password of ops", "nobody can be asked", "--password-file FILE"}},
	"a password in a file": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		o.PasswordFile = passwordFile(t, "secret\r\nmore\n", 0o600)
	}},
	"a password in a file, refused": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		o.PasswordFile = passwordFile(t, "wrong\n", 0o400)
	}, refused: []string{"it refuses the password"}},
	"a password in a file that others may read": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		o.PasswordFile = passwordFile(t, "secret\n", 0o640)
	}, refused: []string{"read the password file", "others than its owner may read", "mode 0640", "chmod 0600"}},
	"a password in what is no file": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		o.PasswordFile = "/dev/null"
	}, refused: []string{"/dev/null is no regular file"}},
	"a password in an empty file": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
		o.PasswordFile = passwordFile(t, "\n", 0o600)
	}, refused: []string{"has no password in its first line"}},
	"a password that PAM asks for": {set: func(_ *testing.T, s *hosttest.Server, _ *ssh.Options, by *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Questions: []hosttest.Exchange{{Prompts: []string{"Passwort: "}, Answers: []string{"secret"}}}})
		by.answers = []string{"secret"}
	}, asked: []string{"Password of ops"}},
	"a password in a file that PAM asks for": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Questions: []hosttest.Exchange{{Prompts: []string{"(ops@host) Password: "}, Answers: []string{"secret"}}}})
		o.PasswordFile = passwordFile(t, "secret\n", 0o600)
	}},
	"a password in a file that SSSD asks for": {set: func(t *testing.T, s *hosttest.Server, o *ssh.Options, by *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Questions: []hosttest.Exchange{
			{Prompts: []string{"First Factor: "}, Answers: []string{"secret"}}, {Prompts: []string{"Second Factor (optional): "}, Answers: []string{"123456"}},
		}})
		o.PasswordFile, by.answers = passwordFile(t, "secret\n", 0o600), []string{"123456"}
	}, asked: []string{"Second Factor (optional):"}},
	"several questions, and a code": {set: func(_ *testing.T, s *hosttest.Server, _ *ssh.Options, by *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Questions: []hosttest.Exchange{
			{Instruction: "Two steps", Prompts: []string{"Password: ", "Verification code: "}, Answers: []string{"secret", "123456"}},
			{Prompts: []string{"Reason: "}, Shown: []bool{true}, Answers: []string{"install"}},
		}})
		by.answers = []string{"secret", "123456", "install"}
	}, asked: []string{"Password of ops", "Verification code:", "Reason:"}},
	"a question that nobody answers": {set: func(_ *testing.T, s *hosttest.Server, _ *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{NoKeys: true, Questions: []hosttest.Exchange{{Prompts: []string{"Code: "}}}})
	}, asked: []string{"Code:"}, refused: []string{"it lets in by keyboard-interactive", "--ask-pass"}},
	"a key and a password": {set: func(_ *testing.T, s *hosttest.Server, _ *ssh.Options, by *operator) {
		s.SetWays(hosttest.Ways{Both: true, Password: "secret"})
		by.answers = []string{"secret"}
	}, asked: []string{"Password of ops"}},
	"a key and a password, and nobody is there": {set: func(_ *testing.T, s *hosttest.Server, _ *ssh.Options, _ *operator) {
		s.SetWays(hosttest.Ways{Both: true, Password: "secret"})
	}, asked: []string{"Password of ops"}, refused: []string{"the host wants more than a key"}},
}

// TestWaysIn lets in by each of them, by one connection, or says why not, and what to do.
func TestWaysIn(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	t.Setenv("HOME", t.TempDir())
	for name, test := range waysIn {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, by := newServer(t), &operator{}
			o := options(server)
			o.Shared = ssh.NewShared(by.ask)
			test.set(t, server, &o, by)
			if test.refused != nil {
				kind := test.kind
				if kind == "" {
					kind = hosts.KindAuth
				}
				refused(t, o, kind, test.refused...)
			} else {
				connect(t, o)
				if seen := server.Seen(); seen.Connections != 1 || seen.Logins != 1 {
					t.Errorf("%d connections, %d logins", seen.Connections, seen.Logins)
				}
			}
			asked := by.texts()
			for i, text := range test.asked {
				if i >= len(asked) || !strings.HasPrefix(asked[i], text) {
					t.Errorf("asked %q, want %q", asked, test.asked)
					break
				}
			}
			if len(asked) > len(test.asked) {
				t.Errorf("asked %q, want %q", asked, test.asked)
			}
		})
	}
}

// TestSSHAgentCanBeSwitchedOff.
func TestSSHAgentCanBeSwitchedOff(t *testing.T) {
	_, signer, raw := keyFile(t, "")
	server := newServer(t)
	server.SetWays(hosttest.Ways{Keys: []xssh.PublicKey{signer.PublicKey()}})
	t.Setenv("HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", serveAgent(t, raw))
	o := options(server)
	o.IdentityFile = ""
	connect(t, o)
	o.IdentityAgent = "none"
	refused(t, o, hosts.KindAuth, "no key was offered")
}

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
