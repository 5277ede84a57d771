package ssh_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
