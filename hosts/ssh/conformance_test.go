package ssh_test

import (
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func TestConforms(t *testing.T) {
	for name, faults := range map[string]hosttest.Faults{
		"as root":            {},
		"as a user who may":  {UID: 1000},
		"with two sessions":  {MaxSessions: 2},
		"with a noisy shell": {Noise: "Welcome!\nlast login: never\n"},
	} {
		t.Run(name, func(t *testing.T) {
			hosttest.Conformance(t, func(t *testing.T) (hosts.Host, hosttest.Prober) {
				machine := hosttest.NewFake("cp-1")
				server := hosttest.NewServer(t, machine)
				server.SetFaults(faults)
				another := func(t *testing.T) hosts.Host { return connect(t, options(server)) }
				return another(t), machine.Probe(t, another)
			})
		})
	}
}
