// Command endpoint is what haproxy and keepalived need beside themselves in their root
// directory, which has no shell and no tools:
//
//	endpoint check PORT        is the API reached through this host's haproxy?
//	endpoint release ADDRESS   takes the virtual address off this host
//	endpoint reload PROGRAM    has haproxy or keepalived read its configuration again
package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "endpoint:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: endpoint check PORT | release ADDRESS | reload haproxy|keepalived")
	}
	switch verb, object := args[0], args[1]; verb {
	case "check":
		port, err := strconv.ParseUint(object, 10, 16)
		if err != nil {
			return fmt.Errorf("check port %q: %w", object, err)
		}
		return check(uint16(port), caFile)
	case "release":
		address, err := netip.ParseAddr(object)
		if err != nil {
			return fmt.Errorf("release %q: %w", object, err)
		}
		return release(address)
	case "reload":
		return reload(object)
	default:
		return fmt.Errorf("%q is not a verb of this command", verb)
	}
}

// reload signals the service's main process, as systemd names it, and for haproxy waits
// until the new configuration is in force.
func reload(program string) error {
	pid, err := strconv.Atoi(os.Getenv("MAINPID"))
	if err != nil || pid <= 1 {
		return fmt.Errorf("reload %s: MAINPID is %q: it is for systemd to run this", program, os.Getenv("MAINPID"))
	}
	switch program {
	case "haproxy":
		return reloadHAProxy(haproxySocket, func() error { return syscall.Kill(pid, syscall.SIGUSR2) })
	case "keepalived":
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			return fmt.Errorf("reload keepalived: %w", err)
		}
		return nil
	default:
		return fmt.Errorf("reload %s: it is neither haproxy nor keepalived", program)
	}
}
