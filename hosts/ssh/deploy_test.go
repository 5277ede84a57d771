package ssh_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

func TestTheAgentIsPutOnTheHostOnce(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 300<<10)
	o := options(server)
	o.Binary = binary.get
	for range 3 {
		if err := used(t, o).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := binary.opens.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
	dir := filepath.Join(server.Directory(), "agent", binary.SHA256)
	for path, mode := range map[string]os.FileMode{
		server.Directory():                  0o700 | os.ModeDir,
		dir:                                 0o700 | os.ModeDir,
		filepath.Join(dir, "slipway-agent"): 0o700,
	} {
		info, err := os.Stat(path)
		if err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("beside it lie %v", entries)
	}
}

func TestOlderAgentsAreRemoved(t *testing.T) {
	server := newServer(t)
	o := options(server)
	versions := []*testBinary{newBinary("oldest", 1000), newBinary("older", 1000), newBinary("current", 1000)}
	for i, version := range versions {
		o.Binary = version.get
		if err := used(t, o).Close(); err != nil {
			t.Fatal(err)
		}
		if i == 0 { // the second one may still be in use
			past := time.Now().Add(-time.Hour)
			if err := os.Chtimes(filepath.Join(server.Directory(), "agent", version.SHA256), past, past); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, there := range []bool{false, true, true} {
		_, err := os.Stat(filepath.Join(server.Directory(), "agent", versions[i].SHA256))
		if (err == nil) != there {
			t.Errorf("version %d: %v", i, err)
		}
	}
}

// withAgent is a server that has the agent already, and the file where that lies.
func withAgent(t *testing.T) (server *hosttest.Server, o ssh.Options, binary *testBinary, file string) {
	t.Helper()
	server, binary = newServer(t), newBinary("the agent", 1000)
	o = options(server)
	o.Binary = binary.get
	if err := used(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	return server, o, binary, filepath.Join(server.Directory(), "agent", binary.SHA256, "slipway-agent")
}

func TestABrokenAgentIsReplaced(t *testing.T) {
	_, o, binary, file := withAgent(t)
	for name, content := range map[string]string{"empty": "", "truncated": "#!/bin/sh\n# the agent w"} {
		if err := os.WriteFile(file, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		if host, err := ssh.Connect(t.Context(), o); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := host.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := binary.opens.Load(); n != 3 {
		t.Errorf("it was sent %d times", n)
	}
}

func TestTheAgentOfTheHostsPlatformIsSent(t *testing.T) {
	server := newServer(t)
	server.Script("uname", `[ "$1" = -m ] && echo riscv64 || echo Linux`)
	o := options(server)
	var asked []ssh.Platform
	o.Binary = func(_ context.Context, p ssh.Platform) (ssh.Binary, error) {
		asked = append(asked, p)
		return newBinary(p.String(), 1000).Binary, nil
	}
	connect(t, o)
	if last := asked[len(asked)-1]; last != (ssh.Platform{OS: "linux", Arch: "riscv64"}) {
		t.Errorf("the last one asked for is %s", last)
	}
	o.Binary = func(_ context.Context, p ssh.Platform) (ssh.Binary, error) {
		return ssh.Binary{}, errors.New("the bundle has none for " + p.String())
	}
	refused(t, o, hosts.KindPlatform, "linux/riscv64")
}

func TestAFullDiskRefusesTheAgent(t *testing.T) {
	server := newServer(t)
	server.Script("head", headIntoFullDisk(50<<10))
	refused(t, options(server), hosts.KindDiskFull, "No space left", "0.1 MiB are needed")
	entries, err := filepath.Glob(filepath.Join(server.Directory(), "agent", "*", "*"))
	if err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// TestAnAgentThatArrivesDamagedIsNotPutInPlace: the host's own sum of it is believed.
func TestAnAgentThatArrivesDamagedIsNotPutInPlace(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 1000)
	o := options(server)
	o.Binary = func(context.Context, ssh.Platform) (ssh.Binary, error) {
		damaged := binary.Binary
		damaged.Open = newBinary("another", 1000).Open
		return damaged, nil
	}
	refused(t, o, hosts.KindBroken, "did not arrive", "as it was sent")
	if server.Starts() != 0 {
		t.Error("it was started")
	}
	leftBare(t, server)
}
