//go:build linux

package local

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// nameTimeout is how long looking up a name may take: a resolver waits 5 s for a name server
// before it asks the next. It is below stuckAfter, of which the error would say less.
const nameTimeout = 6 * time.Second

// observeInterfaces lists the interfaces; the ends of Pods' pairs have no address that leads
// anywhere, and are left out.
func (h *Host) observeInterfaces(_ context.Context, _ hosts.Query, facts *hosts.Facts) error {
	advertised, err := advertisedRoutes()
	if err != nil {
		return err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	of := addressesByLink(addresses)
	for _, link := range links {
		attrs := link.Attrs()
		if link.Type() == "veth" && !slices.ContainsFunc(of[attrs.Index].all, isRoutable) {
			continue
		}
		facts.Interfaces = append(facts.Interfaces, hosts.Link{
			Name: attrs.Name, MAC: attrs.HardwareAddr.String(), MTU: attrs.MTU,
			Up: attrs.Flags&net.FlagUp != 0, Addresses: append([]string{}, of[attrs.Index].all...),
			AcceptRA: h.acceptRA(attrs.Name), AdvertisedRoute: advertised[attrs.Index],
			Kind: link.Type(), Leased: of[attrs.Index].leased, Duplicates: of[attrs.Index].duplicate,
		})
	}
	return nil
}

// linkAddresses are a link's, in CIDR form.
type linkAddresses struct{ all, leased, duplicate []string }

func addressesByLink(addresses []netlink.Addr) map[int]linkAddresses {
	of := map[int]linkAddresses{}
	for _, address := range addresses {
		at, text := of[address.LinkIndex], address.IPNet.String()
		at.all = append(at.all, text)
		if address.Flags&unix.IFA_F_PERMANENT == 0 {
			at.leased = append(at.leased, text)
		}
		if address.Flags&unix.IFA_F_DADFAILED != 0 {
			at.duplicate = append(at.duplicate, text)
		}
		of[address.LinkIndex] = at
	}
	return of
}

// isRoutable tells whether an address in CIDR form is more than a link-local one.
func isRoutable(cidr string) bool {
	prefix, err := netip.ParsePrefix(cidr)
	return err == nil && !prefix.Addr().IsLinkLocalUnicast()
}

func (h *Host) observeNames(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	file, err := readIfThere(h.at(hostsFile))
	if err != nil {
		return err
	}
	known := parseHosts(string(file))
	found := map[string][]string{}
	var unknown []string
	for _, name := range query.Names {
		// The file first: the resolver keeps its own, older view of it for a while.
		if addresses, ok := known[strings.ToLower(name)]; ok {
			found[name] = addresses
		} else {
			unknown = append(unknown, name)
		}
	}
	facts.Names = found
	facts.Unresolved, err = h.lookUp(ctx, unknown, found)
	return err
}

// lookUp adds the addresses of names to those that are found. A name that does not exist is
// absent; unanswered says why the name servers gave no answer for a name.
func (h *Host) lookUp(ctx context.Context, names []string, found map[string][]string) (unanswered map[string]string, err error) {
	var mu sync.Mutex
	var group errgroup.Group
	for _, name := range names {
		group.Go(caught(func() error {
			addresses, err := lookUpOne(ctx, h.resolver, name)
			var failure *net.DNSError
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				found[name] = addresses
			case !errors.As(err, &failure) || !failure.IsNotFound:
				if unanswered == nil {
					unanswered = map[string]string{}
				}
				unanswered[name] = whyUnresolved(err)
			}
			return nil
		}))
	}
	err = group.Wait()
	return unanswered, err
}

func lookUpOne(ctx context.Context, resolver Resolver, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, nameTimeout)
	defer cancel()
	return resolver.LookupHost(ctx, name)
}

// whyUnresolved says why nobody could say whether a name exists.
func whyUnresolved(err error) string {
	var failure *net.DNSError
	switch known := errors.As(err, &failure); {
	case errors.Is(err, context.DeadlineExceeded), known && failure.IsTimeout:
		return fmt.Sprintf("no answer within %.0f s", nameTimeout.Seconds())
	case known && failure.Server != "":
		return fmt.Sprintf("the name server %s failed: %s", failure.Server, failure.Err)
	case known:
		return "the name server failed: " + failure.Err
	}
	return err.Error()
}

// parseHosts reads a hosts file: name to addresses.
func parseHosts(file string) map[string][]string {
	known := map[string][]string{}
	for line := range strings.Lines(file) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		address, err := netip.ParseAddr(fields[0])
		if err != nil || address.Zone() != "" {
			continue
		}
		for _, name := range fields[1:] { // the address in the form in which it is compared
			known[strings.ToLower(name)] = addOnce(known[strings.ToLower(name)], address.String())
		}
	}
	return known
}

func (h *Host) observeListeners(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	listeners, err := h.listeners(ctx, query.Ports)
	facts.Listeners = listeners
	return err
}

// listeners tells which process listens on which of the ports.
func (h *Host) listeners(ctx context.Context, ports []int) (map[int]string, error) {
	inodes := map[string]int{} // of the socket, to its port
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(h.at(table))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = parseListeners(file, ports, inodes)
		file.Close()
		if err != nil {
			return nil, err
		}
	}
	found := map[int]string{}
	for _, port := range inodes {
		found[port] = "" // somebody, unless its process shows itself
	}
	return found, h.nameListeners(ctx, inodes, found)
}

// parseListeners reads a table of TCP sockets: fields 2 (local), 4 (state), 10 (inode).
func parseListeners(table io.Reader, ports []int, inodes map[string]int) error {
	const listening = "0A"
	scanner := bufio.NewScanner(table)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		_, port, ok := strings.Cut(fields[1], ":")
		if !ok {
			continue
		}
		number, err := hex.DecodeString(port)
		if err != nil || len(number) != 2 {
			continue
		}
		if p := int(number[0])<<8 | int(number[1]); slices.Contains(ports, p) {
			inodes[fields[9]] = p
		}
	}
	return scanner.Err()
}

// nameListeners finds the processes that hold the sockets.
func (h *Host) nameListeners(ctx context.Context, inodes map[string]int, found map[int]string) error {
	left := len(inodes)
	if left == 0 {
		return nil
	}
	processes, err := h.processes()
	if err != nil {
		return err
	}
	for _, pid := range processes {
		if err := ctx.Err(); err != nil {
			return err
		}
		descriptors, err := os.ReadDir(h.proc(pid, "fd"))
		if err != nil {
			continue // it ended, or is not ours to see
		}
		for _, descriptor := range descriptors {
			target, err := os.Readlink(filepath.Join(h.proc(pid, "fd"), descriptor.Name()))
			if err != nil || !strings.HasPrefix(target, "socket:[") {
				continue
			}
			inode := strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")
			// A child that is about to become another program holds what its parent listens at, for a moment:
			// one that has no name any more is not the one.
			port, ok := inodes[inode]
			if !ok {
				continue
			}
			if name := h.processName(pid); name != "" {
				found[port] = name
				delete(inodes, inode)
				if left--; left == 0 {
					return nil
				}
			}
		}
	}
	return nil
}

// processName is what a process was started as; its comm is cut at 15 characters.
func (h *Host) processName(pid int) string {
	if data, err := os.ReadFile(h.proc(pid, "cmdline")); err == nil {
		if first, _, _ := strings.Cut(string(data), "\x00"); first != "" {
			first, _, _ = strings.Cut(first, " ") // some rewrite their title
			return strings.TrimSuffix(filepath.Base(first), ":")
		}
	}
	data, err := os.ReadFile(h.proc(pid, "comm"))
	if err != nil {
		return "" // it ended
	}
	return strings.TrimSpace(string(data))
}
