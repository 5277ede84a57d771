package conformance

import (
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// prober looks at the machine of a Host under test without using that Host.
type prober interface {
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
	// Log adds lines to a unit's journal.
	Log(unit string, lines ...string)
}

// echoAddress is where a Fake that is probed echoes.
const echoAddress = "127.0.0.1:7"

// probe gives a prober of a machine. another opens it again, in the way that is under test.
func probe(t *testing.T, machine *hosttest.Fake, another func(t *testing.T) hosts.Host) prober {
	t.Helper()
	machine.PutFile("/scratch/.keep", nil, 0o600)
	stop, err := machine.Serve("tcp", echoAddress, hosttest.Echo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return &fakeProber{Fake: machine, another: another}
}

type fakeProber struct {
	*hosttest.Fake
	another func(t *testing.T) hosts.Host
}

func (p *fakeProber) Scratch() string { return "/scratch" }

func (p *fakeProber) Echo() string { return echoAddress }

func (p *fakeProber) Read(path string) ([]byte, uint32, bool) { return p.ReadFile(path) }

func (p *fakeProber) Put(path string, content []byte, mode uint32) { p.PutFile(path, content, mode) }

func (p *fakeProber) Another(t *testing.T) hosts.Host {
	t.Helper()
	return p.another(t)
}
