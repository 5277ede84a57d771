package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

const (
	caFile = "/etc/haproxy/ca.crt"
	// patience bounds a check; keepalived's own limit lies above it.
	patience = 1500 * time.Millisecond
)

// request asks whether an API server is ready, etcd apart. What this host's path to the
// API is worth does not depend on etcd, and an API server that waits for an election
// would fail the check on every host at once.
const request = "GET /readyz?exclude=etcd&exclude=etcd-readiness HTTP/1.1\r\n" +
	"Host: kubernetes\r\nUser-Agent: slipway-endpoint\r\nConnection: close\r\n\r\n"

// check asks through this host's haproxy. It runs every two seconds for as long as the cluster
// lives: so it speaks the one request itself, and starts no HTTP client.
func check(port uint16, ca string) error {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return fmt.Errorf("check the endpoint: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("check the endpoint: %s holds no certificate", ca)
	}
	address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port).String()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return fmt.Errorf("check the endpoint: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("check the endpoint: %w", err)
	}
	if err := ask(tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "kubernetes", MinVersion: tls.VersionTLS12})); err != nil {
		return fmt.Errorf("check the endpoint %s: %w", address, err)
	}
	return nil
}

func ask(conn io.ReadWriter) error {
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(conn, 4096)).ReadString('\n')
	if err != nil {
		return err
	}
	if words := strings.Fields(line); len(words) >= 2 && words[1] == "200" {
		return nil
	}
	return errors.New("it answers " + strings.TrimSpace(line))
}
