package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestCheck: only an API server of the cluster that says it is ready is an endpoint.
func TestCheck(t *testing.T) {
	ca, cert := certificate(t, "kubernetes")
	other, _ := certificate(t, "kubernetes")
	strangers, stranger := certificate(t, "someone-else")
	for name, test := range map[string]struct {
		cert   tls.Certificate
		ca     string
		status int
		want   string // of the error; empty: none
	}{
		"ready":               {cert, ca, http.StatusOK, ""},
		"not ready":           {cert, ca, http.StatusInternalServerError, "500 Internal Server Error"},
		"another CA's":        {cert, other, http.StatusOK, "certificate"},
		"another name's":      {stranger, strangers, http.StatusOK, "not kubernetes"},
		"of no CA":            {cert, filepath.Join(t.TempDir(), "none"), http.StatusOK, "no such file"},
		"of an empty CA":      {cert, os.DevNull, http.StatusOK, "holds no certificate"},
		"redirected to login": {cert, ca, http.StatusFound, "302"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/readyz" || r.Host != "kubernetes" {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				w.WriteHeader(test.status)
			}))
			server.TLS = &tls.Config{Certificates: []tls.Certificate{test.cert}}
			server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are the point
			server.StartTLS()
			defer server.Close()
			err := check(netip.MustParseAddrPort(server.Listener.Addr().String()).Port(), test.ca)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestCheckIsBounded: who accepts and says nothing is no endpoint, and is not waited for.
func TestCheckIsBounded(t *testing.T) {
	ca, _ := certificate(t, "kubernetes")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	start := time.Now()
	err = check(netip.MustParseAddrPort(listener.Addr().String()).Port(), ca)
	if took := time.Since(start); err == nil || took > 2*patience {
		t.Errorf("got %v after %s", err, took)
	}
}

// certificate makes a self-signed one for a name: the CA's file and the pair.
func certificate(t *testing.T, name string) (ca string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return ca, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestReloadWaitsForTheNewWorker, and fails where none comes.
func TestReloadWaitsForTheNewWorker(t *testing.T) {
	var pid atomic.Pointer[string]
	first, second := "17", "18"
	pid.Store(&first)
	socket := fakeHAProxy(t, &pid)
	err := reloadHAProxy(socket, func() error { time.AfterFunc(50*time.Millisecond, func() { pid.Store(&second) }); return nil })
	if err != nil || *pid.Load() != second {
		t.Errorf("reloaded with %v while %s runs", err, *pid.Load())
	}
	if err := reloadHAProxy(socket, func() error { return syscall.ESRCH }); err == nil || !strings.Contains(err.Error(), "no such process") {
		t.Errorf("a signal that fails: %v", err)
	}
	if err := reloadHAProxy(socket+".none", func() error { return nil }); err == nil {
		t.Error("reloaded a haproxy that does not run")
	}
}

func fakeHAProxy(t *testing.T, pid *atomic.Pointer[string]) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if line, _ := bufio.NewReader(conn).ReadString('\n'); line == "show info\n" {
				io.WriteString(conn, "Name: HAProxy\nPid: "+*pid.Load()+"\nUptime: 0d\n")
			}
			conn.Close()
		}
	}()
	return socket
}

// TestRelease takes exactly one address off, in a network namespace of the test's own.
func TestRelease(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("NOT RUN: it needs root, for a network namespace")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Skip("NOT RUN: it needs a network namespace: " + err.Error())
	}
	virtual, own := netip.MustParseAddr("192.0.2.100"), netip.MustParseAddr("192.0.2.10")
	add(t, virtual)
	add(t, own)
	if err := release(virtual); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[netip.Addr]int{virtual: 0, own: 1} {
		if found, err := holders(address); err != nil || len(found) != want {
			t.Errorf("%s is on %d interfaces (%v), want %d", address, len(found), err, want)
		}
	}
	if err := release(virtual); err != nil {
		t.Errorf("released again: %v", err)
	}
	if err := remove(held{family: syscall.AF_INET, bits: 32, index: 1}, virtual); err != nil {
		t.Errorf("an address that went meanwhile: %v", err)
	}
	if err := remove(held{family: syscall.AF_INET, bits: 32, index: 99}, own); err == nil {
		t.Error("no error for an interface that there is not")
	}
}

// add puts an address on lo: the message that takes it off, as a new one.
func add(t *testing.T, address netip.Addr) {
	t.Helper()
	message := removal(held{family: syscall.AF_INET, bits: 32, index: 1}, address)
	binary.NativeEndian.PutUint16(message[4:], syscall.RTM_NEWADDR)
	binary.NativeEndian.PutUint16(message[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_ACK|syscall.NLM_F_CREATE)
	if err := exchange(message); err != nil {
		t.Fatalf("add %s: %v", address, err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"check"}, {"check", "http"}, {"release", "eth0"}, {"reload", "nginx"}, {"start", "all"}} {
		if err := run(args); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
