package ssh_test

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

// options reach a server's machine.
func options(server *hosttest.Server) ssh.Options {
	return ssh.Options{
		Name: "cp-1", Host: server.Host, Port: server.Port, User: "ops",
		IdentityFile: server.IdentityFile, KnownHostsFile: server.KnownHostsFile,
		ConnectTimeout: 10 * time.Second,
		Binary:         binary("the agent", 100<<10),
		Version:        hosttest.Version,
		Directory:      server.Directory(),
		Life:           agent.Life{Interval: 20 * time.Millisecond, Silence: 10 * time.Second},
	}
}

func binary(mark string, size int) func(context.Context, ssh.Platform) (ssh.Binary, error) {
	content, digest := hosttest.AgentBinary(mark, size)
	return func(context.Context, ssh.Platform) (ssh.Binary, error) {
		return ssh.Binary{
			SHA256: digest, Size: int64(len(content)),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		}, nil
	}
}

func connect(t *testing.T, o ssh.Options) hosts.Host {
	t.Helper()
	host, err := ssh.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	return host
}

func TestConforms(t *testing.T) {
	hosttest.Conformance(t, func(t *testing.T) (hosts.Host, hosttest.Prober) {
		machine := hosttest.NewFake("cp-1")
		server := hosttest.NewServer(t, machine)
		another := func(t *testing.T) hosts.Host { return connect(t, options(server)) }
		return another(t), machine.Probe(t, another)
	})
}
