package ssh_test

import (
	"os"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func TestForgettingRemovesTheAgent(t *testing.T) {
	server := newServer(t)
	server.SetLogin(hosttest.Login{UID: 1000})
	o := options(server)
	host := connect(t, o)
	if err := host.Upload(t.Context(), []hosts.Blob{hosttest.Content(make([]byte, 1<<20))}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(server.Directory()); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Do(t.Context(), hosts.Forget{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	leftBare(t, server)
}

// TestABareHostThatIsOnlyLookedAtStaysBare: not a file, nor a directory.
func TestABareHostThatIsOnlyLookedAtStaysBare(t *testing.T) {
	for name, visit := range map[string]func(*testing.T, hosts.Host){
		"nothing is done": func(*testing.T, hosts.Host) {},
		"it is observed": func(t *testing.T, host hosts.Host) {
			if _, err := host.Observe(t.Context(), hosts.Query{}); err != nil {
				t.Error(err)
			}
		},
		"the lease is taken and given back": func(t *testing.T, host hosts.Host) {
			for _, action := range []hosts.Action{hosts.TakeLease{Holder: "alice"}, hosts.ReleaseLease{}} {
				if _, err := host.Do(t.Context(), action, nil); err != nil {
					t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			server := newServer(t)
			o := options(server)
			server.SetLogin(hosttest.Login{UID: 1000})
			host := connect(t, o)
			visit(t, host)
			if err := host.Close(); err != nil {
				t.Fatal(err)
			}
			leftBare(t, server)
		})
	}
}

// TestAnAgentThatMayNotRunIsTakenAway: a start that fails leaves a bare host bare, too.
func TestAnAgentThatMayNotRunIsTakenAway(t *testing.T) {
	server := newServer(t)
	server.SetLogin(hosttest.Login{UID: 1000})
	server.Script("chmod", chmodDoesNothing)
	refused(t, options(server), hosts.KindBroken, "Permission denied")
	leftBare(t, server)
}

// TestAnAgentStaysOnAHostThatWasNotBare, whoever sent this version of it.
func TestAnAgentStaysOnAHostThatWasNotBare(t *testing.T) {
	server, next := newServer(t), newBinary("the next version", 1000)
	o := options(server)
	if err := used(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	o.Binary = next.get
	for range 2 {
		if err := connect(t, o).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := next.opens.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}

// TestALostAgentIsNotWaitedForToBeRemoved: what cannot be done is no error of Close.
func TestALostAgentIsNotWaitedForToBeRemoved(t *testing.T) {
	noLeaks(t)
	server := newServer(t)
	host := connect(t, options(server))
	server.Cut()
	if _, err := host.Observe(t.Context(), hosts.Query{}); err == nil {
		t.Error("it goes on")
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
}
