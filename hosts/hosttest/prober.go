package hosttest

import (
	"io"
	"net"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

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
func (p *fakeProber) Echo() string    { return echoAddress }

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
