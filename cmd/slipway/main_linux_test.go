package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asSlipway has the test's binary be slipway itself.
const asSlipway = "SLIPWAY_TEST_IS_SLIPWAY"

func TestMain(m *testing.M) {
	if os.Getenv(asSlipway) != "" {
		main()
	}
	os.Exit(m.Run())
}

// newKey writes a private key.
func newKey(path string) (string, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// TestNoProxyCommandOutlivesItsCommand: a login that is given up leaves a proxyCommand that
// does not know yet that nobody reads it.
func TestNoProxyCommandOutlivesItsCommand(t *testing.T) {
	folder := t.TempDir()
	file, number := filepath.Join(folder, "c.yaml"), filepath.Join(folder, "pid")
	key, err := newKey(filepath.Join(folder, "id"))
	if err != nil {
		t.Fatal(err)
	}
	text := "apiVersion: slipway.dev/v1alpha1\nkind: Cluster\nname: demo\n" +
		"ssh: {user: root, connectTimeout: 1s, identityFile: " + key + ", proxyCommand: 'echo $$ > " + number + "; exec sleep 600'}\n" +
		"hosts:\n  - {name: cp-1, address: 192.0.2.11, roles: [control-plane]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, "kubeconfig", "-f", file)
	command.Env = append(os.Environ(), asSlipway+"=1", "HOME="+folder, "XDG_STATE_HOME="+folder)
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Run(); command.ProcessState.ExitCode() != exitFailed {
		t.Fatalf("%v: %s", err, said.String())
	}
	data, err := os.ReadFile(number)
	if err != nil {
		t.Fatalf("the proxyCommand did not run: %v: %s", err, said.String())
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	process, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	poll := []unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, 5000); n != 1 { // milliseconds: a signal takes its time
		_ = unix.Kill(pid, unix.SIGKILL)
		t.Errorf("the proxyCommand lives on: %v", err)
	}
}
