package conformance

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

func TestFakeConforms(t *testing.T) {
	conforms(t, func(t *testing.T) (hosts.Host, prober) {
		machine := hosttest.NewFake("cp-1")
		another := func(t *testing.T) hosts.Host {
			host := machine.Host()
			t.Cleanup(func() { _ = host.Close() })
			return host
		}
		return machine.Host(), probe(t, machine, another)
	})
}

// TestServedFakeConforms puts the protocol between the suite and the machine. Large blobs
// need an inbox, which is somebody else's business: these go by hand.
func TestServedFakeConforms(t *testing.T) {
	conforms(t, func(t *testing.T) (hosts.Host, prober) {
		machine := hosttest.NewFake("cp-1")
		another := func(t *testing.T) hosts.Host { return served(t, machine) }
		return another(t), probe(t, machine, another)
	})
}

func served(t *testing.T, machine *hosttest.Fake) hosts.Host {
	t.Helper()
	toAgent, fromOperator := io.Pipe()
	toOperator, fromAgent := io.Pipe()
	host := machine.Host()
	go func() {
		defer fromAgent.Close()
		defer host.Close()
		_ = agent.Serve(t.Context(), host, toAgent, fromAgent, agent.ServeOptions{Version: "test"})
	}()
	client, err := agent.Connect(t.Context(), toOperator, fromOperator, agent.ConnectOptions{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestHostBehindSSHConforms(t *testing.T) {
	for name, login := range map[string]hosttest.Login{
		"as root":            {},
		"as a user who may":  {UID: 1000},
		"with one session":   {MaxSessions: 1, UID: 1000},
		"without SFTP":       {NoSFTP: true},
		"with a noisy shell": {Noise: "Welcome!\nlast login: never\n"},
	} {
		t.Run(name, func(t *testing.T) {
			conforms(t, func(t *testing.T) (hosts.Host, prober) {
				machine := hosttest.NewFake("cp-1")
				server := hosttest.NewServer(t, machine)
				server.SetLogin(login)
				another := func(t *testing.T) hosts.Host { return connect(t, server) }
				return another(t), probe(t, machine, another)
			})
		})
	}
}

func connect(t *testing.T, server *hosttest.Server) hosts.Host {
	t.Helper()
	content, digest := hosttest.AgentBinary("the agent", 100<<10)
	binary := ssh.Binary{SHA256: digest, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
	host, err := ssh.Connect(t.Context(), ssh.Options{
		Name: "cp-1", Host: server.Host, Port: server.Port, User: "ops",
		IdentityFile: server.IdentityFile, KnownHostsFile: server.KnownHostsFile,
		ConnectTimeout: 10 * time.Second,
		Binary:         func(context.Context, ssh.Platform) (ssh.Binary, error) { return binary, nil },
		Version:        hosttest.Version,
		Directory:      server.Directory(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	return host
}
