package ssh_test

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"
	sshagent "golang.org/x/crypto/ssh/agent"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// listenAgent serves each conversation with an ssh-agent by serve, and hangs up when the
// test is over.
func listenAgent(t *testing.T, serve func(net.Conn)) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() {
		close(over)
		_ = listener.Close()
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(conn)
				<-over
				_ = conn.Close()
			}()
		}
	}()
	return socket
}

// silent reads what an ssh-agent is asked and answers nothing.
func silent(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// lister is an ssh-agent that lists its keys and hangs when it is to sign.
type lister struct{ sshagent.ExtendedAgent }

func (lister) Sign(xssh.PublicKey, []byte) (*xssh.Signature, error) { select {} }

func (lister) SignWithFlags(xssh.PublicKey, []byte, sshagent.SignatureFlags) (*xssh.Signature, error) {
	select {}
}

// identity is a server's key and a file that holds it encrypted.
func identity(t *testing.T, server *hosttest.Server) (key any, encrypted string) {
	t.Helper()
	content, err := os.ReadFile(server.IdentityFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err = xssh.ParseRawPrivateKey(content)
	if err != nil {
		t.Fatal(err)
	}
	block, err := xssh.MarshalPrivateKeyWithPassphrase(*key.(*ed25519.PrivateKey), "", []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	encrypted = filepath.Join(t.TempDir(), "id_encrypted")
	if err := os.WriteFile(encrypted, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return key, encrypted
}

// TestAReadableIdentityNeedsNoAgent: an ssh-agent that hangs is never asked.
func TestAReadableIdentityNeedsNoAgent(t *testing.T) {
	asked := make(chan struct{}, 1)
	t.Setenv("SSH_AUTH_SOCK", listenAgent(t, func(net.Conn) { asked <- struct{}{} }))
	connect(t, options(newServer(t)))
	select {
	case <-asked:
		t.Error("ssh-agent was asked")
	default:
	}
}

// TestASilentAgentIsPassedOver for the keys of ~/.ssh.
func TestASilentAgentIsPassedOver(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", listenAgent(t, silent))
	server := newServer(t)
	content, err := os.ReadFile(server.IdentityFile)
	if err != nil {
		t.Fatal(err)
	}
	o := options(server)
	o.IdentityFile, o.ConnectTimeout = "", 3*time.Second
	refused(t, o, hosts.KindAuth, "ssh-agent: ", "does not say which keys it has")
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "id_ed25519"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	connect(t, o)
}

func TestASilentAgentCannotOpenAKey(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", listenAgent(t, silent))
	server := newServer(t)
	o := options(server)
	o.ConnectTimeout = time.Second
	_, o.IdentityFile = identity(t, server)
	refused(t, o, hosts.KindAuth, "encrypted", "does not say which keys it has", "ssh-add "+o.IdentityFile)
}

// hangingSigner is an ssh-agent that lists a key and does not sign with it.
func hangingSigner(t *testing.T, key any) (socket string) {
	t.Helper()
	keyring := sshagent.NewKeyring()
	if err := keyring.Add(sshagent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	return listenAgent(t, func(conn net.Conn) {
		_ = sshagent.ServeAgent(lister{keyring.(sshagent.ExtendedAgent)}, conn)
	})
}

func TestAnAgentThatDoesNotSignIsGivenUp(t *testing.T) {
	server := newServer(t)
	o := options(server)
	key, encrypted := identity(t, server)
	t.Setenv("SSH_AUTH_SOCK", hangingSigner(t, key))
	o.IdentityFile, o.ConnectTimeout = encrypted, time.Second
	refused(t, o, hosts.KindAuth, "asked to sign and did not answer in 1s")
}

// TestWaitingForAnAgentCanBeCancelled in both things that it may be waited for.
func TestWaitingForAnAgentCanBeCancelled(t *testing.T) {
	server := newServer(t)
	key, encrypted := identity(t, server)
	for name, socket := range map[string]string{"listing": listenAgent(t, silent), "signing": hangingSigner(t, key)} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SSH_AUTH_SOCK", socket)
			o := options(server)
			o.IdentityFile, o.ConnectTimeout = encrypted, time.Hour
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			if _, err := ssh.Connect(ctx, o); !errors.Is(err, context.Canceled) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}
