package ssh_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// network notes who is dialed; those in it listen, at others nothing answers.
type network struct {
	mu           sync.Mutex
	listens      map[string]bool
	dialed       []string
	atOnce, most int
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed = append(n.dialed, network+" "+address)
	n.atOnce++
	n.most = max(n.most, n.atOnce)
	there := n.listens[address]
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.atOnce--
		n.mu.Unlock()
	}()
	if there {
		conn, _ := net.Pipe()
		return conn, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func find(t *testing.T, n *network, prefix string) (found []string, err error) {
	t.Helper()
	err = ssh.Find(t.Context(), netip.MustParsePrefix(prefix), n.dial, func(a netip.Addr) { found = append(found, a.String()) })
	slices.Sort(found)
	return found, err
}

func TestFindTriesEachAddressOnce(t *testing.T) {
	for prefix, want := range map[string][]string{
		"192.0.2.0/30":         {"192.0.2.1", "192.0.2.2"}, // neither the network's nor the broadcast address
		"192.0.2.3/30":         {"192.0.2.1", "192.0.2.2"}, // the range that it lies in
		"192.0.2.0/31":         {"192.0.2.0", "192.0.2.1"},
		"192.0.2.9/32":         {"192.0.2.9"},
		"255.255.255.252/30":   {"255.255.255.253", "255.255.255.254"},
		"2001:db8::/127":       {"2001:db8::", "2001:db8::1"},
		"::ffff:192.0.2.0/127": {"192.0.2.0", "192.0.2.1"},
	} {
		n := &network{listens: map[string]bool{}}
		for _, address := range want {
			n.listens[netip.AddrPortFrom(netip.MustParseAddr(address), 22).String()] = true
		}
		found, err := find(t, n, prefix)
		if err != nil || !slices.Equal(found, want) || len(n.dialed) != len(want) {
			t.Errorf("%s: found %v, dialed %v: %v", prefix, found, n.dialed, err)
		}
	}
}

// TestFindKeepsToItsBounds: 64 at once, one second each.
func TestFindKeepsToItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, began := &network{}, time.Now()
		found, err := find(t, n, "192.0.0.0/22")
		if took := time.Since(began); err != nil || len(found) > 0 || len(n.dialed) != 1022 || n.most != 64 || took != 16*time.Second {
			t.Errorf("%d dialed, %d at once, in %s: %v, %v", len(n.dialed), n.most, took, found, err)
		}
	})
}

func TestALargeRangeIsRefused(t *testing.T) {
	for prefix, smaller := range map[string]string{"192.0.2.7/21": "192.0.0.0/22", "0.0.0.0/0": "0.0.0.0/22", "2001:db8::/64": "2001:db8::/118", "::/0": "::/118"} {
		n := &network{}
		if found, err := find(t, n, prefix); err == nil || !strings.Contains(err.Error(), "more than 1024 addresses") || !strings.Contains(err.Error(), smaller) || len(n.dialed)+len(found) > 0 {
			t.Errorf("%s: dialed %v: %v", prefix, n.dialed, err)
		}
	}
	if err := ssh.Find(t.Context(), netip.Prefix{}, new(network).dial, nil); err == nil {
		t.Error("no range is taken for one")
	}
	if _, err := find(t, &network{}, "224.0.0.0/24"); err == nil {
		t.Error("a multicast range is taken for one of hosts")
	}
}

func TestFindStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := ssh.Find(ctx, netip.MustParsePrefix("192.0.2.0/24"), n.dial, func(netip.Addr) {})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 1500*time.Millisecond || len(n.dialed) > 128 {
			t.Errorf("%d dialed in %s: %v", len(n.dialed), took, err)
		}
	})
}
