//go:build long

package e2e

import (
	"errors"
	"strings"
	"testing"
)

// TestLongIPv6: the hosts have no address of IPv4 but the loopback's.
func TestLongIPv6(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1", "--spares", "1", "--family", "ipv6")
	promises(t, l, (*lab).well, []promise{
		{"nodes and Pods have addresses of IPv6 alone, and nothing is left to do", func(t *testing.T, l *lab) {
			l.wantReady("cp-1", "worker-1")
			addressesOfNodes(t, l, ":")
			l.planIsEmpty()
		}},
		{"Services, NodePorts and Pods answer", func(t *testing.T, l *lab) { smokeAsks(t, l, "[fd00:") }},
		{"kubeadm joins a prepared host, which keeps the way out that a router has told it", func(t *testing.T, l *lab) {
			with := withSpare(t, l)
			l.putProgram("cp-1", "router")
			l.exec("cp-1", "router", "eth0")
			eventually(t, recovery, "the host has learnt a default route", func() error { return learntRoute(l, "spare-1") })
			kubeadmJoins(t, with, "spare-1")
			if err := learntRoute(l, "spare-1"); err != nil {
				t.Errorf("it forwards by now, and %v", err)
			}
			l.exec("spare-1", "kubeadm", "reset", "--force")
			with.must(with.onCluster("reset", "spare-1", "--yes")...)
		}},
		{"its reset leaves nothing", func(_ *testing.T, l *lab) { resetHosts(l, "cp-1", "worker-1", "spare-1") }},
	})
}

// learntRoute is nil where a host has a default route that its kernel has from a router.
func learntRoute(l *lab, host string) error {
	if routes := l.exec(host, "ip", "-6", "route", "show", "default", "proto", "ra"); strings.TrimSpace(routes) == "" {
		return errors.New("it has no default route that a router told it")
	}
	return nil
}
