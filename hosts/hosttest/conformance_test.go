package hosttest_test

import (
	"io"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func TestFakeConforms(t *testing.T) {
	hosttest.Conformance(t, func(t *testing.T) (hosts.Host, hosttest.Prober) {
		machine := hosttest.NewFake("cp-1")
		return machine.Host(), machine.Probe(t, nil)
	})
}

// TestServedFakeConforms puts the protocol between the suite and the machine. Large blobs
// need an inbox, which is somebody else's business: these go by hand.
func TestServedFakeConforms(t *testing.T) {
	hosttest.Conformance(t, func(t *testing.T) (hosts.Host, hosttest.Prober) {
		machine := hosttest.NewFake("cp-1")
		another := func(t *testing.T) hosts.Host { return served(t, machine) }
		return another(t), machine.Probe(t, another)
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
