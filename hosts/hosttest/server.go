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
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

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
	faults   Faults
	hostKeys []ssh.Signer
	client   ssh.PublicKey
	conns    map[*faultyConn]bool
	agents   map[*agentSession]bool
	starts   int
	starting int // connections that have not logged in yet
	refused  int // connections that were closed for their number
	sent     int // bytes of output without end
}

// Faults are what goes wrong with a Server. The zero value is a host where nothing does
// and the login user is root.
type Faults struct {
	RefuseKeys      bool
	HangAfterBanner bool
	UID             int    // of the login user
	NoSudo          bool   // asks for a password
	NoExec          bool   // what is put on the host cannot be run, as with a noexec mount
	NoSFTP          bool   // no such subsystem
	MaxSessions     int    // refuses more; 0: never
	CutAfter        int64  // closes a connection that has sent so many bytes; 0: never
	DiskSpace       int64  // what can be written by SFTP; 0: without end
	Noise           string // what the login shell prints ahead of a command's output
	NoiseInFiles    string // the same ahead of SFTP
	Turns           string // what is said instead of running any command
	TurnsStatus     int    // and how that ends
	Endless         bool   // every command prints without end
	EndlessSums     bool   // the sum of a file has no end
	Signal          string // by which the agents are killed, KILL if empty; and each command but the start's, where it is set
	Startups        int    // connections that have not logged in yet and are let be; 0: any number
	Machine         string // what uname -m says
}

// NewServer starts a Server that ends with the test.
func NewServer(t testing.TB, machine *Fake) *Server {
	t.Helper()
	over, stop := context.WithCancel(context.Background())
	s := &Server{
		Machine: machine, t: t, dir: t.TempDir(), over: over,
		conns: map[*faultyConn]bool{}, agents: map[*agentSession]bool{},
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
	s.NewHostKey()
	s.WriteKnownHosts()
	s.SetFaults(Faults{})
	s.hands.Go(s.accept)
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

// NewHostKey gives the server another host key, of which known_hosts knows nothing.
func (s *Server) NewHostKey() {
	_, signer := newKey(s.t)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.hostKeys = []ssh.Signer{signer}
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

// SetFaults is for connections and sessions made from now on.
func (s *Server) SetFaults(f Faults) {
	s.mutex.Lock()
	s.faults = f
	s.mutex.Unlock()
	s.script("id", fmt.Sprintf("echo %d", f.UID))
	sudo := `[ "$1" = -n ] && shift; [ "$1" = -- ] && shift; exec "$@"`
	if f.NoSudo {
		sudo = "echo 'sudo: a password is required' >&2; exit 1"
	}
	s.script("sudo", sudo)
	s.script("chmod", map[bool]string{false: `exec /bin/chmod "$@"`, true: "exit 0"}[f.NoExec])
	full := `exec /bin/cat "$@"`
	if f.DiskSpace > 0 {
		full = fmt.Sprintf(`head -c %d; [ "$(head -c 1 | wc -c)" = 0 ] || { echo "cat: write error: No space left on device" >&2; exit 1; }`, f.DiskSpace)
	}
	s.script("cat", full)
	machine := f.Machine
	if machine == "" {
		machine = "x86_64"
	}
	s.script("uname", fmt.Sprintf(`[ "$1" = -m ] && echo %s || echo Linux`, machine))
}

// script puts a command in front of this machine's own.
func (s *Server) script(name, body string) {
	temporary := filepath.Join(s.dir, "bin", "."+name)
	s.must(os.WriteFile(temporary, []byte("#!/bin/sh\n"+body+"\n"), 0o700))
	s.must(os.Rename(temporary, filepath.Join(s.dir, "bin", name)))
}

func (s *Server) currentFaults() Faults {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.faults
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
		_ = conn.Conn.Close()
	}
}

// Unplug takes the host off the network: nobody answers at its address any more.
func (s *Server) Unplug() {
	_ = s.listener.Close()
	s.Cut()
}

// Hold lets nothing through, in either direction, until release is called.
func (s *Server) Hold() (release func()) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	gate := make(chan struct{})
	for conn := range s.conns {
		conn.hold(gate)
	}
	return sync.OnceFunc(func() { close(gate) })
}

// KillAgents ends all agents as a kill -9 would.
func (s *Server) KillAgents() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for session := range s.agents {
		session.kill()
	}
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			return
		}
		conn := &faultyConn{Conn: raw, left: s.currentFaults().CutAfter}
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
	refuse := s.faults.RefuseKeys
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if refuse || !bytes.Equal(key.Marshal(), s.client.Marshal()) {
				return nil, fmt.Errorf("this key is not let in")
			}
			return nil, nil
		},
	}
	for _, key := range s.hostKeys {
		config.AddHostKey(key)
	}
	return config
}

func (s *Server) serve(conn net.Conn) {
	if s.currentFaults().HangAfterBanner {
		_, _ = conn.Write([]byte("SSH-2.0-hosttest\r\n"))
		buffer := make([]byte, 1024)
		for {
			if _, err := conn.Read(buffer); err != nil {
				return
			}
		}
	}
	if !s.begin() {
		return
	}
	server, channels, requests, err := ssh.NewServerConn(conn, s.config())
	s.mutex.Lock()
	s.starting--
	s.mutex.Unlock()
	if err != nil {
		return
	}
	defer server.Close()
	s.hands.Go(func() { ssh.DiscardRequests(requests) })
	var sessions sync.WaitGroup
	defer sessions.Wait()
	open := make(chan struct{}, 1<<10)
	for offered := range channels {
		most := s.currentFaults().MaxSessions
		if offered.ChannelType() != "session" || most > 0 && len(open) >= most {
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

// begin counts a connection that has not logged in yet, and refuses one too many.
func (s *Server) begin() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if most := s.faults.Startups; most > 0 && s.starting >= most {
		s.refused++
		return false
	}
	s.starting++
	return true
}

// Refused counts the connections that were closed for their number.
func (s *Server) Refused() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.refused
}

// Sent counts the bytes of output without end that were taken from the server.
func (s *Server) Sent() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.sent
}

// faultyConn is a connection that can be cut and held.
type faultyConn struct {
	net.Conn
	mutex sync.Mutex
	left  int64 // bytes until it is cut; 0: never
	gate  <-chan struct{}
}

func (c *faultyConn) hold(gate <-chan struct{}) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.gate = gate
}

func (c *faultyConn) Write(p []byte) (int, error) {
	c.mutex.Lock()
	gate := c.gate
	c.mutex.Unlock()
	if gate != nil {
		<-gate
	}
	return c.Conn.Write(p)
}

func (c *faultyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mutex.Lock()
	gate := c.gate
	if c.left > 0 {
		if c.left -= int64(n); c.left <= 0 {
			c.left = -1
		}
	}
	cut := c.left < 0
	c.mutex.Unlock()
	if gate != nil {
		<-gate
	}
	if cut {
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}
