// Package local is a Host in this process: the only code of Slipway that changes a
// machine. It runs on every host, served by slipway-agent, and on the operator's
// own machine when that is one of the hosts.
//
// Every action compares before it acts. What it is about to change is noted in the
// record and synced there before the first change, so that a reset can put it back
// whatever happens in between.
package local

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"
)

// Resolver looks up the addresses of a name, as net.Resolver does.
type Resolver interface {
	LookupHost(ctx context.Context, name string) (addresses []string, err error)
}

// The places where Slipway keeps what it needs to know on a host.
const (
	DefaultStateDir = "/var/lib/slipway"
	DefaultRunDir   = "/run/slipway"
)

// Options say where a Host lives and through what it reaches the machine's services. The
// zero value is the machine itself.
type Options struct {
	// Root is put before every path: tests give a scratch directory.
	Root string
	// StateDir holds the store, the record and the journal; RunDir what ends with the boot.
	StateDir, RunDir string
	// Holder names who works through this Host, in leases and journals.
	Holder string
	// Systemd and Containerd are how those daemons are reached; nil means the real ones.
	Systemd    Systemd
	Containerd Containerd
	// Journalctl is the program that reads the journals of units; empty means the machine's journalctl.
	Journalctl string
	// SystemBus connects to D-Bus; nil means the machine's own.
	SystemBus func() (*dbus.Conn, error)
	// Programs is the folder of those that change the firewall and SELinux's policy; empty means where the
	// machine has its programs.
	Programs string
	// Resolver looks names up that are not in /etc/hosts; nil means the machine's.
	Resolver Resolver
	// Timeout is how long an observer may look at one thing before it is given up; 0 means 10 s.
	Timeout time.Duration
	// Now tells the time; nil means the clock.
	Now func() time.Time
}
