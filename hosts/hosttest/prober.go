package hosttest

import (
	"io"
	"net"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// Prober looks at the machine of a Host under test without using that Host.
type Prober interface {
	// Scratch is a directory on the machine, which exists and belongs to the suite.
	Scratch() string
	// Read gives a file's content and mode; ok is false where there is none.
	Read(path string) (content []byte, mode uint32, ok bool)
	// Put puts a file there, as somebody else would.
	Put(path string, content []byte, mode uint32)
	// Another opens the same machine a second time.
	Another(t *testing.T) hosts.Host
	// Stick makes everything below a path of the machine never answer, until the test ends, as a
	// file system does whose server is away.
	Stick(path string)
	// Echo is the TCP address, as seen from the machine, of a service that reads all,
	// then writes it back and closes.
	Echo() (address string)
}

// echoAddress is where a Fake that is probed echoes.
const echoAddress = "127.0.0.1:7"

// Probe gives a Prober of the machine. another opens it again, in the way that is under
// test; nil opens it directly.
func (f *Fake) Probe(t *testing.T, another func(t *testing.T) hosts.Host) Prober {
	t.Helper()
	f.mutex.Lock()
	f.makeParents("/scratch/x")
	f.mutex.Unlock()
	stop, err := f.Serve("tcp", echoAddress, Echo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return &fakeProber{Fake: f, another: another}
}

type fakeProber struct {
	*Fake
	another func(t *testing.T) hosts.Host
}

func (p *fakeProber) Stick(path string) { p.Fake.Stick(path) }

func (p *fakeProber) Scratch() string { return "/scratch" }

func (p *fakeProber) Echo() string { return echoAddress }

func (p *fakeProber) Read(path string) ([]byte, uint32, bool) { return p.ReadFile(path) }

func (p *fakeProber) Put(path string, content []byte, mode uint32) { p.PutFile(path, content, mode) }

func (p *fakeProber) Another(t *testing.T) hosts.Host {
	t.Helper()
	if p.another != nil {
		return p.another(t)
	}
	host := p.Host()
	t.Cleanup(func() { _ = host.Close() })
	return host
}

// Echo reads all, then writes it back.
func Echo(conn net.Conn) {
	all, err := io.ReadAll(conn)
	if err == nil {
		_, _ = conn.Write(all) // what is lost shows where it is read
	}
}
