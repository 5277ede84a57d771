//go:build linux

package conformance

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/local"
)

func TestMain(m *testing.M) { os.Exit(hosttest.RunApart(m)) }

func TestLocalHostConforms(t *testing.T) {
	conforms(t, func(t *testing.T) (hosts.Host, prober) {
		d := &directory{t: t, root: t.TempDir()}
		d.Put("/proc/sys/kernel/hostname", []byte("old\n"), 0o644)
		d.Put("/scratch/.keep", nil, 0o644)
		return d.Another(t), d
	})
}

// directory stands for a machine, with daemons that have nothing.
type directory struct {
	t    *testing.T
	root string
}

func (d *directory) at(path string) string { return filepath.Join(d.root, path) }

func (d *directory) Scratch() string { return "/scratch" }

func (d *directory) Read(path string) ([]byte, uint32, bool) {
	info, err := os.Lstat(d.at(path))
	if err != nil {
		return nil, 0, false
	}
	data, err := os.ReadFile(d.at(path))
	return data, uint32(info.Mode().Perm()), err == nil
}

func (d *directory) Put(path string, content []byte, mode uint32) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.at(path)), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.at(path), content, 0o644); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chmod(d.at(path), os.FileMode(mode)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *directory) Another(t *testing.T) hosts.Host {
	t.Helper()
	host, err := local.New(local.Options{
		Root: d.root, Systemd: idleSystemd{}, Containerd: idleContainerd{}, Holder: "tester", Timeout: 2 * time.Second,
		Journalctl: d.journalctl(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	return host
}

// Stick mounts a file system whose server never answers, as that of a server which is away.
func (d *directory) Stick(path string) {
	d.t.Helper()
	if err := os.MkdirAll(d.at(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device.Fd())
	if err := unix.Mount("stuck", d.at(path), "fuse", 0, options); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = device.Close() // whoever waits is told that nobody is there
		_ = unix.Unmount(d.at(path), unix.MNT_DETACH)
	})
}

func (d *directory) Echo() string {
	d.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				hosttest.Echo(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// Log adds lines to a file that stands for the unit's journal.
func (d *directory) Log(unit string, lines ...string) {
	d.t.Helper()
	path := d.at("/journals/" + unit)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	for _, line := range lines {
		if _, err := fmt.Fprintln(file, line); err != nil {
			d.t.Fatal(err)
		}
	}
}

// journalctl stands for that program, and reads what Log has put there.
func (d *directory) journalctl() string {
	d.t.Helper()
	const program = `#!/bin/sh
for word; do case "$word" in
--unit=*) unit="${word#--unit=}" ;;
--lines=*) lines="${word#--lines=}" ;;
--follow) follow=-f ;;
--output=short-iso | --no-hostname | --no-pager | --quiet) ;;
*) echo "unknown: $word" >&2; exit 1 ;;
esac; done
[ -e "%[1]s/$unit" ] || exit 0
exec tail -n "$lines" $follow "%[1]s/$unit"
`
	path := filepath.Join(d.root, "journalctl")
	if err := os.WriteFile(path, fmt.Appendf(nil, program, d.at("/journals")), 0o755); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// idleSystemd knows no unit. What is not asked of it here is nil.
type idleSystemd struct{ local.Systemd }

func (idleSystemd) Manager(context.Context) (hosts.Systemd, error) {
	return hosts.Systemd{Version: 252, State: "running"}, nil
}

func (idleSystemd) Unit(context.Context, string) (local.UnitState, error) {
	return local.UnitState{Load: "not-found", Active: "inactive"}, nil
}

func (idleSystemd) List(context.Context, ...string) ([]string, error) { return nil, nil }

func (idleSystemd) Close() error { return nil }

// idleContainerd runs no Pods. What is not asked of it here is nil.
type idleContainerd struct{ local.Containerd }

func (idleContainerd) Running(context.Context, []string) ([]string, error) { return nil, nil }

func (idleContainerd) Close() error { return nil }
