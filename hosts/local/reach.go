//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// reachTimeout is how long a connection may take to be made.
const reachTimeout = 2 * time.Second

// observeReach tries to connect to every address, all at once.
func (h *Host) observeReach(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	reach := make(map[string]string, len(query.Reach))
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, address := range query.Reach {
		group.Go(func() {
			why := h.whyUnreachable(ctx, address)
			mu.Lock()
			defer mu.Unlock()
			reach[address] = why
		})
	}
	group.Wait()
	facts.Reach = reach
	return ctx.Err()
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
		go func() { tried <- whyNoConnection(within, net.JoinHostPort(one, port)) }()
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
