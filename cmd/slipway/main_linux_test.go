package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// asSlipway has the test's binary be slipway itself.
const asSlipway = "SLIPWAY_TEST_IS_SLIPWAY"

// lingers, in place of a command, is a login through this proxyCommand that no interrupt ends.
const lingers = "SLIPWAY_TEST_LINGERS"

func TestMain(m *testing.M) {
	if os.Getenv(asSlipway) != "" {
		main()
	}
	if proxy := os.Getenv(lingers); proxy != "" {
		linger(proxy)
	}
	if rate := os.Getenv(busy); rate != "" {
		if err := beBusy(rate); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testscript.Main(m, map[string]func(){"slipway": slipwayOfScripts})
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
	ends(t, pid)
}

// ends wants a process to end.
func ends(t *testing.T, pid int) {
	t.Helper()
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

// linger logs in until it is ended, and says so when it is interrupted.
func linger(proxy string) {
	p := newProgram()
	ctx, _ := interruptible(p.waits, endAtOnce)
	p.waits.mustEnd("lingering", "nothing")
	go func() {
		<-ctx.Done()
		fmt.Println("interrupted")
	}()
	_, err := ssh.Connect(context.Background(), ssh.Options{
		Name: "cp-1", Host: "192.0.2.11", User: "root", ProxyCommand: proxy, ConnectTimeout: time.Hour,
		IdentityFile: os.Getenv(lingers + "_KEY"), Gate: ssh.NewGate(),
	})
	fmt.Println(err)
	os.Exit(exitFailed)
}

// TestASecondInterruptEndsProxyCommandsAsWell: they have sessions of their own, and get no
// signal from the terminal.
func TestASecondInterruptEndsProxyCommandsAsWell(t *testing.T) {
	for name, signal := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "SIGTERM": unix.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			key, err := newKey(filepath.Join(folder, "id"))
			if err != nil {
				t.Fatal(err)
			}
			number, its, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer number.Close()
			command := exec.Command(os.Args[0])
			command.Env = append(os.Environ(), lingers+"=echo $$ >&3; exec sleep 600", lingers+"_KEY="+key, "HOME="+folder)
			command.ExtraFiles = []*os.File{its} // the third, also to whom it starts
			out, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			_ = its.Close()
			var pid int
			if _, err := fmt.Fscanln(number, &pid); err != nil {
				t.Fatalf("the proxyCommand did not run: %v", err)
			}
			said := bufio.NewReader(out)
			for range 2 {
				if err := command.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				line, err := said.ReadString('\n') // its end comes with that of the process
				if err == nil && line != "interrupted\n" {
					t.Fatalf("it does not linger: %s", line)
				}
			}
			if _ = command.Wait(); command.ProcessState.ExitCode() != exitInterrupted {
				t.Errorf("it ended with %s", command.ProcessState)
			}
			ends(t, pid)
		})
	}
}
