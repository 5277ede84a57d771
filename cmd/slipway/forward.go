package main

import (
	"fmt"
	"net"
)

// listenLocal opens a port that only this machine can reach; 0 takes a free one.
func listenLocal(port int) (net.Listener, int, error) {
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, 0, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, listener.Addr().(*net.TCPAddr).Port, nil
}
