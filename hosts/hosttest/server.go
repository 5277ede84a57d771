package hosttest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts/agent"
)

// Version is the version of Slipway that a Server's agent says it is.
const Version = "v0.0.0-test"

// Server is an sshd in this process in front of a Fake. Commands are run by this
// machine's own shell in a home directory of their own, SFTP writes to real files; only
// the agent, once a client has put it there and the shell starts it, is the Fake's.
type Server struct {
	Machine *Fake
	Host    string
	Port    int
	Home    string // the login user's

	IdentityFile   string // a private key that is let in
	KnownHostsFile string // has the server's key
	Life           agent.Life

	t        testing.TB
	dir      string
	listener net.Listener
	hands    sync.WaitGroup
	over     context.Context

	mutex    sync.Mutex
	login    Login
	hooks    Hooks
	hostKeys []ssh.Signer
	client   ssh.PublicKey
	conns    map[net.Conn]bool
	starts   int
	ways     Ways
	seen     Seen
}

// Hooks let a test do the server's part, and do it wrong. Any may be nil.
type Hooks struct {
	// Conn wraps a connection; nil closes it.
	Conn func(net.Conn) net.Conn
	// Config changes what a connection that Conn has wrapped is served with.
	Config func(net.Conn, *ssh.ServerConfig)
	// Exec answers a command, or leaves it to the server.
	Exec func(channel ssh.Channel, command string) (answered bool)
	// Files serves SFTP.
	Files func(channel ssh.Channel)
	// Agent is told of each agent that starts; stop ends it.
	Agent func(channel ssh.Channel, stop func())
}

// NewServer starts a Server that ends with the test.
func NewServer(t testing.TB, machine *Fake) *Server {
	t.Helper()
	over, stop := context.WithCancel(context.Background())
	s := &Server{
		Machine: machine, t: t, dir: t.TempDir(), over: over, conns: map[net.Conn]bool{},
	}
	s.Home = filepath.Join(s.dir, "home")
	s.must(os.MkdirAll(filepath.Join(s.dir, "bin"), 0o755))
	s.must(os.MkdirAll(s.Home, 0o700))
	s.must(os.MkdirAll(filepath.Dir(s.Directory()), 0o755))
	s.writeIdentity()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.listener = listener
	address := listener.Addr().(*net.TCPAddr)
	s.Host, s.Port = address.IP.String(), address.Port
	s.KnownHostsFile = filepath.Join(s.dir, "known_hosts")
	_, hostKey := newKey(t)
	s.UseHostKeys(hostKey)
	s.WriteKnownHosts()
	s.SetLogin(Login{})
	s.Script("sudo", Sudo)
	s.Script("uname", `[ "$1" = -m ] && echo x86_64 || echo Linux`)
	s.hands.Go(func() { s.accept(listener) })
	t.Cleanup(func() {
		stop()
		_ = listener.Close()
		s.Cut()
		s.hands.Wait()
	})
	return s
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func newKey(t testing.TB) (ed25519.PrivateKey, ssh.Signer) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return private, signer
}

func (s *Server) writeIdentity() {
	private, signer := newKey(s.t)
	s.client = signer.PublicKey()
	block, err := ssh.MarshalPrivateKey(private, "")
	s.must(err)
	s.IdentityFile = filepath.Join(s.dir, "id_ed25519")
	s.must(os.WriteFile(s.IdentityFile, pem.EncodeToMemory(block), 0o600))
}

// UseHostKeys gives the server these host keys instead.
func (s *Server) UseHostKeys(signers ...ssh.Signer) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.hostKeys = signers
}

// HostKey is the server's first host key.
func (s *Server) HostKey() ssh.PublicKey {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.hostKeys[0].PublicKey()
}

// WriteKnownHosts makes known_hosts hold the server's present key, and nothing else.
func (s *Server) WriteKnownHosts() {
	line := fmt.Sprintf("[%s]:%d %s", s.Host, s.Port, ssh.MarshalAuthorizedKey(s.HostKey()))
	s.must(os.WriteFile(s.KnownHostsFile, []byte(line), 0o600))
}

// SetLogin is for sessions made from now on.
func (s *Server) SetLogin(login Login) {
	s.mutex.Lock()
	s.login = login
	s.mutex.Unlock()
	s.Script("id", fmt.Sprintf(`[ -z "$%s" ] && echo %d || echo 0`, rootMark, login.UID))
}

// SetHooks is for connections and sessions made from now on.
func (s *Server) SetHooks(hooks Hooks) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.hooks = hooks
}

// Script puts a command in front of this machine's own.
func (s *Server) Script(name, body string) {
	temporary := filepath.Join(s.dir, "bin", "."+name)
	s.must(os.WriteFile(temporary, []byte("#!/bin/sh\n"+body+"\n"), 0o700))
	s.must(os.Rename(temporary, filepath.Join(s.dir, "bin", name)))
}

func (s *Server) current() (Login, Hooks) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.login, s.hooks
}

// agentMark is what the stand-in for the agent's binary prints: the Server then serves
// the Fake in its place.
const agentMark = "hosttest-agent "

// AgentBinary is a stand-in for slipway-agent of about the size given, and its
// SHA-256 in hex. Different marks give different binaries.
func AgentBinary(mark string, size int) (content []byte, digest string) {
	content = []byte("#!/bin/sh\necho \"" + agentMark + "$*\"\nexit\n# " + mark + "\n")
	if more := size - len(content); more > 0 {
		content = append(content, bytes.Repeat([]byte("#"), more)...)
	}
	sum := sha256.Sum256(content)
	return content, hex.EncodeToString(sum[:])
}

// usualDirectory is where root keeps the agent on a host.
const usualDirectory = "/var/lib/slipway"

// Directory is where it lies here, which is not this machine's own; a client that is not told
// names the usual one and means this.
func (s *Server) Directory() string { return filepath.Join(s.dir, usualDirectory) }

// Inbox is where a login user other than root keeps the inbox.
func (s *Server) Inbox() string { return filepath.Join(s.Home, ".cache", "slipway", "inbox") }

// Starts counts how often the agent was started.
func (s *Server) Starts() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.starts
}

// Cut closes all connections at once, as a lost network would.
func (s *Server) Cut() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}

// Unplug takes the host off the network: nobody answers at its address any more.
func (s *Server) Unplug() {
	_ = s.listener.Close()
	s.Cut()
}

// Plug puts a host that was unplugged on the network again, at its address.
func (s *Server) Plug() error {
	listener, err := net.Listen("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return err
	}
	s.t.Cleanup(func() { _ = listener.Close() }) // comes before that of NewServer, which waits
	s.hands.Go(func() { s.accept(listener) })
	return nil
}

func (s *Server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.mutex.Lock()
		s.conns[conn] = true
		s.mutex.Unlock()
		s.hands.Go(func() {
			s.serve(conn)
			_ = conn.Close()
			s.mutex.Lock()
			delete(s.conns, conn)
			s.mutex.Unlock()
		})
	}
}

func (s *Server) config() *ssh.ServerConfig {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	config := s.ways.config(s)
	for _, key := range s.hostKeys {
		config.AddHostKey(key)
	}
	return config
}

func (s *Server) serve(conn net.Conn) {
	_, hooks := s.current()
	if hooks.Conn != nil {
		if conn = hooks.Conn(conn); conn == nil {
			return
		}
		defer conn.Close()
	}
	config := s.config()
	if hooks.Config != nil {
		hooks.Config(conn, config)
	}
	s.note(func(seen *Seen) { seen.Connections++ })
	server, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	s.note(func(seen *Seen) { seen.Logins++ })
	defer server.Close()
	s.hands.Go(func() { ssh.DiscardRequests(requests) })
	var sessions sync.WaitGroup
	defer sessions.Wait()
	open := make(chan struct{}, 1<<10)
	for offered := range channels {
		login, _ := s.current()
		most := login.MaxSessions
		if offered.ChannelType() == "direct-tcpip" {
			sessions.Go(func() { s.forward(offered) })
			continue
		}
		if offered.ChannelType() != "session" || most != 0 && len(open) >= most {
			_ = offered.Reject(ssh.ResourceShortage, "open failed")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		open <- struct{}{}
		sessions.Go(func() {
			defer func() { <-open }()
			s.session(channel, requests)
		})
	}
}

// session serves one session channel: one command, or one SFTP client.
func (s *Server) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for request := range requests {
		login, hooks := s.current()
		var payload struct{ Text string }
		parsed := ssh.Unmarshal(request.Payload, &payload) == nil
		command := parsed && request.Type == "exec"
		files := parsed && request.Type == "subsystem" && payload.Text == "sftp" && !login.NoSFTP
		_ = request.Reply(command || files, nil)
		if !command && !files {
			continue
		}
		s.hands.Go(func() { ssh.DiscardRequests(requests) })
		switch {
		case command && (hooks.Exec == nil || !hooks.Exec(channel, payload.Text)):
			s.execute(channel, payload.Text, login)
		case files && hooks.Files != nil:
			hooks.Files(channel)
		case files:
			serveFiles(channel)
		}
		return
	}
}

// serveFiles serves this machine's own files.
func serveFiles(channel ssh.Channel) {
	if server, err := sftp.NewServer(channel); err == nil {
		_ = server.Serve() // its end is the client's
	}
}

// ExitStatus ends a command.
func ExitStatus(channel ssh.Channel, status int) {
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
}

// serveAgent serves the Fake as `slipway-agent --inbox DIR` would.
func (s *Server) serveAgent(channel ssh.Channel, in io.Reader, args []string) {
	if len(args) != 4 || args[0] != "--inbox" || args[2] != "--parts" {
		_, _ = io.WriteString(channel.Stderr(), "unknown arguments: "+strings.Join(args, " "))
		ExitStatus(channel, 2)
		return
	}
	ctx, stop := context.WithCancel(s.over)
	defer stop()
	s.mutex.Lock()
	s.starts++
	s.mutex.Unlock()
	if _, hooks := s.current(); hooks.Agent != nil {
		hooks.Agent(channel, stop)
	}
	host := s.Machine.Host()
	err := agent.Serve(ctx, host, in, channel, agent.ServeOptions{Version: Version, Inbox: args[1], Parts: args[3], Life: s.Life})
	_ = host.Close()
	status := 0
	if err != nil {
		_, _ = io.WriteString(channel.Stderr(), err.Error()+"\n")
		status = 1
	}
	_ = channel.CloseWrite()
	ExitStatus(channel, status)
}
