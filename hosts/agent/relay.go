package agent

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// lingering is how long data that the operator sent before it hung up may take to be
// delivered.
const lingering = 5 * time.Second

// prepareDial connects from this host, and then carries the connection's bytes.
func (s *server) prepareDial(body dialBody) call {
	var conn net.Conn
	return call{
		run: func(ctx context.Context, _ func(hosts.Progress)) (_ any, err error) {
			conn, err = s.host.Dial(ctx, body.Network, body.Address)
			if err == nil && ctx.Err() != nil { // it was made too late
				_ = conn.Close()
				err = ctx.Err()
			}
			return nil, err
		},
		follow: func(ctx context.Context, in io.Reader, out http.ResponseWriter) {
			defer context.AfterFunc(s.quick, func() { _ = conn.Close() })()
			relay(ctx, conn, in, flushing{out, http.NewResponseController(out)})
		},
	}
}

// relay carries bytes both ways until the connection has said its last, or the operator has
// hung up, which ends ctx.
func relay(ctx context.Context, conn net.Conn, in io.Reader, out io.Writer) {
	delivered := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(time.Now())
		_ = conn.SetWriteDeadline(time.Now().Add(lingering))
	})()
	go func() {
		defer close(delivered)
		if _, err := io.Copy(conn, in); err == nil {
			closeWrite(conn) // to what it was told, the other end may still answer
		}
	}()
	_, _ = io.Copy(out, conn) // an error is an end as well
	if ctx.Err() != nil {
		<-delivered
	}
	_ = conn.Close()
}

// closeWrite ends one direction of a connection that has two, and else all of it.
func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = conn.Close()
}

// flushing sends what is written at once.
type flushing struct {
	out http.ResponseWriter
	*http.ResponseController
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.out.Write(p)
	if err == nil {
		err = f.Flush()
	}
	return n, err
}
