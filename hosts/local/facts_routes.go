//go:build linux

package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// resolvConf is the host's own, resolvedConf what systemd-resolved gives to those who must
// not ask its own stub.
const (
	resolvConf   = "/etc/resolv.conf"
	resolvedConf = "/run/systemd/resolve/resolv.conf"
)

// observeResolver finds the resolv.conf that Pods should inherit, and what it says. A link that
// leads nowhere is none: the kubelet cannot read it, and starts no Pod. systemd-resolved may
// run without name servers while another program writes /etc/resolv.conf: then that one counts.
func (h *Host) observeResolver(facts *hosts.Facts, resolved bool) {
	own, ownErr := os.ReadFile(h.at(resolvConf))
	if resolved {
		data, err := os.ReadFile(h.at(resolvedConf))
		servers := hosts.NameServers(data)
		if err == nil && (len(servers) > 0 || !asksOthers(own)) {
			facts.Resolver, facts.NameServers, facts.SearchDomains = resolvedConf, servers, hosts.SearchDomains(data)
			return
		}
	}
	if ownErr == nil {
		facts.Resolver, facts.NameServers, facts.SearchDomains = resolvConf, hosts.NameServers(own), hosts.SearchDomains(own)
	}
}

// asksOthers tells whether a resolv.conf names a server that is not on the host itself, as
// systemd-resolved's stub is.
func asksOthers(conf []byte) bool {
	return slices.ContainsFunc(hosts.NameServers(conf), func(server string) bool {
		address, err := netip.ParseAddr(server)
		return err == nil && !address.IsLoopback()
	})
}

// observeRoutes lists the routes that have addresses in common with subnets, of all tables that the host's rules lead
// to: VPNs have tables of their own, which come before the main one. The default route, and halves of it as VPNs set
// them, have with all: they are told as well.
func (h *Host) observeRoutes(_ context.Context, query hosts.Query, facts *hosts.Facts) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	names := map[int]string{}
	for _, link := range links {
		names[link.Attrs().Index] = link.Attrs().Name
	}
	filter := &netlink.Route{Table: unix.RT_TABLE_UNSPEC, Type: unix.RTN_UNICAST}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		tables, err := ruledTables(family)
		if err != nil {
			return err
		}
		routes, err := netlink.RouteListFiltered(family, filter, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
		if errors.Is(err, syscall.EAFNOSUPPORT) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return err
		}
		slices.SortStableFunc(routes, func(a, b netlink.Route) int { return slices.Index(tables, a.Table) - slices.Index(tables, b.Table) })
		for _, route := range routes {
			found := routeFacts(route, family, names)
			if slices.Contains(tables, route.Table) && overlapsAny(found.Destination, query.Subnets) && !slices.Contains(facts.Routes, found) {
				facts.Routes = append(facts.Routes, found)
			}
		}
	}
	return nil
}

// ruledTables are the routing tables that rules lead to, in the order in which the kernel looks at them. It has the main
// one also where a kernel without policy routing has no rules; the local one has the host's own addresses, which are
// looked at as such.
func ruledTables(family int) ([]int, error) {
	rules, err := netlink.RuleList(family)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EAFNOSUPPORT) {
		return []int{unix.RT_TABLE_MAIN}, nil
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rules, func(a, b netlink.Rule) int { return a.Priority - b.Priority })
	var tables []int
	for _, rule := range rules {
		if rule.Table != unix.RT_TABLE_UNSPEC && rule.Table != unix.RT_TABLE_LOCAL && !slices.Contains(tables, rule.Table) {
			tables = append(tables, rule.Table)
		}
	}
	return tables, nil
}

// overlapsAny tells whether a subnet has an address in common with one of others.
func overlapsAny(subnet string, others []string) bool {
	prefix, err := netip.ParsePrefix(subnet)
	return err == nil && slices.ContainsFunc(others, func(text string) bool {
		other, err := netip.ParsePrefix(text)
		return err == nil && prefix.Overlaps(other)
	})
}

// routeFacts is a route as facts have it; of one with several ways the first.
func routeFacts(route netlink.Route, family int, names map[int]string) hosts.Route {
	index, gateway := route.LinkIndex, route.Gw
	if len(route.MultiPath) > 0 {
		index, gateway = route.MultiPath[0].LinkIndex, route.MultiPath[0].Gw
	}
	found := hosts.Route{Destination: "0.0.0.0/0", Interface: names[index]}
	switch {
	case route.Dst != nil:
		found.Destination = route.Dst.String()
	case family == netlink.FAMILY_V6:
		found.Destination = "::/0"
	}
	if len(gateway) > 0 {
		found.Gateway = gateway.String()
	}
	return found
}

// observeRouteTo asks the kernel, with all its rules and tables, where packets would go.
func (h *Host) observeRouteTo(_ context.Context, query hosts.Query, facts *hosts.Facts) error {
	found := map[string]string{}
	for _, text := range query.RouteTo {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		routes, err := netlink.RouteGet(net.IP(address.AsSlice()))
		if err != nil || len(routes) == 0 {
			continue // the kernel says in one of several ways that there is none
		}
		link, err := netlink.LinkByIndex(routes[0].LinkIndex)
		if err != nil {
			continue // it has just gone
		}
		found[text] = link.Attrs().Name
	}
	facts.RouteTo = found
	return nil
}

// reachTimeout is how long a connection may take to be made.
const reachTimeout = 2 * time.Second

// observeReach tries to connect to every address, all at once.
func (h *Host) observeReach(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	reach := make(map[string]string, len(query.Reach))
	var mu sync.Mutex
	var group errgroup.Group
	for _, address := range query.Reach {
		group.Go(caught(func() error {
			why := h.whyUnreachable(ctx, address)
			mu.Lock()
			defer mu.Unlock()
			reach[address] = why
			return nil
		}))
	}
	err := group.Wait()
	facts.Reach = reach
	return cmp.Or(err, ctx.Err())
}

// whyUnreachable says why no connection could be made; "" where one could. Looking up a name
// has its own time, as names have elsewhere.
func (h *Host) whyUnreachable(ctx context.Context, address string) string {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return err.Error()
	}
	found, err := lookUpOne(ctx, h.resolver, name)
	var failure *net.DNSError
	switch {
	case errors.As(err, &failure) && failure.IsNotFound:
		return err.Error()
	case err != nil:
		return fmt.Sprintf("%s cannot be looked up: %s", name, whyUnresolved(err))
	}
	within, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	tried := make(chan string, len(found))
	for _, one := range found {
		go func() {
			var why string
			err := caught(func() error {
				why = whyNoConnection(within, net.JoinHostPort(one, port))
				return nil
			})()
			if err != nil {
				why = err.Error()
			}
			tried <- why
		}()
	}
	why := ""
	for range found {
		if why = <-tried; why == "" {
			break
		}
	}
	return why
}

// whyNoConnection gives the system's error for a connection to one address; "" where it is made.
func whyNoConnection(ctx context.Context, address string) string {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
		return ""
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("no answer within %s", reachTimeout)
	}
	var refused *os.SyscallError
	if errors.As(err, &refused) {
		return refused.Err.Error()
	}
	var failed *net.OpError
	if errors.As(err, &failed) {
		return failed.Err.Error()
	}
	return err.Error()
}
