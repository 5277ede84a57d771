package ssh_test

import (
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// busyServer has the agent already, and lets so many log in at a time, by a proxyCommand.
func busyServer(t *testing.T, most int) (*startups, ssh.Options) {
	t.Helper()
	server := newServer(t)
	o := options(server)
	if err := used(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	bound := &startups{most: most}
	server.SetHooks(bound.hooks())
	o.ProxyCommand = proxyVariable + "=%h:%p '" + os.Args[0] + "'"
	return bound, o
}

// logInAtOnce logs in so many times at once, and none of them in vain.
func logInAtOnce(t *testing.T, o ssh.Options, n int) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			host, err := ssh.Connect(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			_ = host.Close()
		})
	}
	all.Wait()
}

// TestManyLoginsThroughABusyWayIn: an sshd that lets three log in at a time turns none of
// 12 away for good, with or without a bound on their number here.
func TestManyLoginsThroughABusyWayIn(t *testing.T) {
	for name, gate := range map[string]*ssh.Gate{"unbounded": nil, "bounded": ssh.NewGate()} {
		t.Run(name, func(t *testing.T) {
			bound, o := busyServer(t, 3)
			o.Gate, o.ConnectTimeout = gate, time.Minute
			logInAtOnce(t, o, 12)
			if gate == nil && bound.turnedAway() == 0 {
				t.Error("nobody was turned away: nothing was tried")
			}
		})
	}
}

// TestLoginsAreBoundedByTheirWayIn: through one proxyCommand only some log in at once.
func TestLoginsAreBoundedByTheirWayIn(t *testing.T) {
	bound, o := busyServer(t, 11)
	o.Gate = ssh.NewGate()
	var told sync.Map
	o.Tell = func(stage string) { told.Store(stage, true) }
	logInAtOnce(t, o, 12)
	if n := bound.turnedAway(); n > 0 {
		t.Errorf("%d logins too many at once", n)
	}
	waited := false
	told.Range(func(stage, _ any) bool {
		waited = waited || strings.Contains(stage.(string), "waiting for a turn to log in")
		return true
	})
	if !waited {
		t.Error("nobody is told that it waits for its turn")
	}
}

// TestAWayInThatStaysBusyIsGivenUp within the time-out, with what to do.
func TestAWayInThatStaysBusyIsGivenUp(t *testing.T) {
	server := newServer(t)
	o := options(server)
	o.ProxyCommand = "echo 'Connection closed by UNKNOWN port 65535' >&2; exit 255"
	o.ConnectTimeout = 3 * time.Second
	began := time.Now()
	refused(t, o, hosts.KindUnreachable, "the connection was closed", "tried ", "MaxStartups")
	if took := time.Since(began); took > 2*o.ConnectTimeout {
		t.Errorf("it took %s", took)
	}
}

// TestFiftyHostsOfOneSSHD: an sshd that lets two log in at a time, as a hardened one does, turns none of fifty away for
// good, be they reached through it or be it theirs.
func TestFiftyHostsOfOneSSHD(t *testing.T) {
	for name, proxied := range map[string]bool{"through a jump host": true, "at one address": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it is the server that is slow, not this machine
			bound, o := busyServer(t, 2)
			bound.slow = 700 * time.Millisecond
			if !proxied {
				o.ProxyCommand = ""
			}
			// Less than all of them take, and many times what one takes where other tests keep the processors busy.
			o.Gate, o.ConnectTimeout = ssh.NewGate(), 15*time.Second
			logInAtOnce(t, o, 50)
			if bound.turnedAway() == 0 {
				t.Error("nobody was turned away: nothing was tried")
			}
		})
	}
}

// TestWhoIsTurnedAwayHearsWhy: sshd since OpenSSH 9.8 says so before it hangs up.
func TestWhoIsTurnedAwayHearsWhy(t *testing.T) {
	for said, words := range map[string][]string{
		"Exceeded MaxStartups\r\n":     {"Exceeded MaxStartups", "raise MaxStartups"},
		"Not allowed at this time\r\n": {"Not allowed at this time", "PerSourcePenalties", "PerSourcePenaltyExemptList"},
		"":                             {"the connection was closed", "raise MaxStartups"},
	} {
		server := newServer(t)
		server.SetHooks(hosttest.Hooks{Conn: func(conn net.Conn) net.Conn {
			_, _ = io.WriteString(conn, said)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
			return nil
		}})
		o := options(server)
		o.ConnectTimeout = time.Second
		refused(t, o, hosts.KindUnreachable, append(words, "tried ")...)
	}
}

// TestAHostWithoutEndIsGivenUp: what it sends does not pile up here.
func TestAHostWithoutEndIsGivenUp(t *testing.T) {
	server := newServer(t)
	server.SetHooks(endless())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	err := refused(t, options(server), hosts.KindBroken, "prints so much", "endless")
	runtime.ReadMemStats(&after)
	if len(err.Error()) > 8<<10 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	if grown := int64(after.Sys) - int64(before.Sys); grown > 64<<20 {
		t.Errorf("the operator grew by %d MiB", grown>>20)
	}
}
