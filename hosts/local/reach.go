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

// reachPatience is how long a connection may take to be made.
const reachPatience = 2 * time.Second

// seeReach tries to connect to every address, all at once.
func (h *Host) seeReach(addresses []string) func(context.Context, *hosts.Facts) error {
	return func(ctx context.Context, facts *hosts.Facts) error {
		within, cancel := context.WithTimeout(ctx, reachPatience)
		defer cancel()
		reach := make(map[string]string, len(addresses))
		var mu sync.Mutex
		var group sync.WaitGroup
		for _, address := range addresses {
			group.Go(func() {
				why := whyUnreachable(within, address)
				mu.Lock()
				defer mu.Unlock()
				reach[address] = why
			})
		}
		group.Wait()
		facts.Reach = reach
		return ctx.Err()
	}
}

// whyUnreachable says why no connection could be made, in the system's words; "" where
// one could.
func whyUnreachable(ctx context.Context, address string) string {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
		return ""
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("no answer within %s", reachPatience)
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
