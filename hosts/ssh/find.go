package ssh

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// MostFound is how many addresses Find tries at most.
	MostFound = 1024
	// findsAtOnce is how many of them it tries at the same time, and findPatience for how long each.
	findsAtOnce  = 64
	findPatience = time.Second
)

// DialFunc connects, as net.Dialer's DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Find tells the addresses of a range where somebody listens on TCP port 22. It connects, says nothing and
// closes. dial is the network's where it is nil. found is called for one address at a time, in no order. A range
// of more than MostFound addresses is an error, and nothing is tried then; else the error is the context's.
func Find(ctx context.Context, prefix netip.Prefix, dial DialFunc, found func(netip.Addr)) error {
	all, err := addresses(prefix)
	if err != nil {
		return err
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	var telling sync.Mutex
	var group errgroup.Group
	group.SetLimit(findsAtOnce)
	for _, address := range all {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if ctx.Err() == nil && listens(ctx, dial, address) {
				telling.Lock()
				defer telling.Unlock()
				found(address)
			}
			return nil
		})
	}
	_ = group.Wait() // none of them is an error
	return ctx.Err()
}

func listens(ctx context.Context, dial DialFunc, address netip.Addr) bool {
	ctx, cancel := context.WithTimeout(ctx, findPatience)
	defer cancel()
	conn, err := dial(ctx, "tcp", netip.AddrPortFrom(address, 22).String())
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was said
	return true
}

// addresses are those of a range that a host may have: of IPv4's, neither the network's nor the broadcast address.
func addresses(prefix netip.Prefix) ([]netip.Addr, error) {
	if !prefix.IsValid() {
		return nil, fmt.Errorf("look for hosts: this is no range of addresses: name one such as 192.0.2.0/24")
	}
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	host := prefix.Addr().BitLen() - prefix.Bits()
	if host > 10 {
		return nil, fmt.Errorf("look for hosts in %s: it has more than %d addresses: name a smaller range, such as %s",
			prefix, MostFound, netip.PrefixFrom(prefix.Addr(), prefix.Addr().BitLen()-10).Masked())
	}
	prefix = prefix.Masked()
	if prefix.Addr().IsMulticast() {
		return nil, fmt.Errorf("look for hosts in %s: no host has a multicast address", prefix)
	}
	var all []netip.Addr
	for address := prefix.Addr(); prefix.Contains(address); address = address.Next() {
		all = append(all, address)
	}
	if prefix.Addr().Is4() && host > 1 {
		all = all[1 : len(all)-1]
	}
	return all, nil
}
