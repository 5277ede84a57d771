package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Forward carries every connection to the listener to an API server, until the context
// ends or the listener is closed. Clients speak TLS with it: ServerName, the cluster's CA.
func (c *Client) Forward(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	var group sync.WaitGroup
	defer group.Wait()
	for {
		near, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return ctx.Err()
			}
			return fmt.Errorf("forward connections to the API server: %w", err)
		}
		group.Go(func() { c.carry(ctx, near) })
	}
}

// carry joins one connection to an API server until both sides have ended.
func (c *Client) carry(ctx context.Context, near net.Conn) {
	defer near.Close()
	far, err := c.dialer.DialContext(ctx, "", "")
	if err != nil {
		return
	}
	defer far.Close()
	stop := context.AfterFunc(ctx, func() { _ = near.Close(); _ = far.Close() })
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { _, _ = io.Copy(far, near); endWrite(far) })
	group.Go(func() { _, _ = io.Copy(near, far); endWrite(near) })
	group.Wait()
}

// endWrite tells the other side that nothing more comes, where the connection can.
func endWrite(conn net.Conn) {
	if t, ok := conn.(*tracked); ok {
		conn = t.Conn
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = conn.Close()
}
