package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// DialContext connects from the lab's own network, where the bridge is: a place that is
// none of the hosts.
func (l *Lab) DialContext(ctx context.Context, network, address string) (connection net.Conn, err error) {
	err = l.inNetwork(func() error {
		// A literal address: the dial runs on this goroutine, and so does its socket call.
		connection, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return connection, err
}

// inNetwork does something on a thread that is in the lab's network.
func (l *Lab) inNetwork(do func() error) error {
	namespace, err := os.Open(l.networkFile())
	if err != nil {
		return fmt.Errorf("open the lab's network: %w", err)
	}
	defer namespace.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: no other goroutine shall get a thread in there
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the lab's network: %w", err)
			return
		}
		done <- do()
	}()
	return <-done
}

// Dial connects to an address in the lab and carries bytes both ways until both ends
// have said all. A host's name may stand for its address.
func (l *Lab) Dial(ctx context.Context, address string, in io.Reader, out io.Writer) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	if r, err := l.load(); err == nil {
		if h := r.host(host); h != nil {
			address = net.JoinHostPort(h.Address.String(), port)
		}
	}
	// Kept open, so that Down sees that this process is in the lab's network.
	namespace, err := os.Open(l.networkFile())
	if err != nil {
		return fmt.Errorf("open the lab's network: %w", err)
	}
	defer namespace.Close()
	connection, err := l.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	defer stop()
	tcp := connection.(*net.TCPConn)
	go func() {
		_, _ = io.Copy(tcp, in)
		_ = tcp.CloseWrite()
	}()
	if _, err := io.Copy(out, tcp); err != nil {
		return fmt.Errorf("read from %s: %w", address, err)
	}
	return ctx.Err()
}
