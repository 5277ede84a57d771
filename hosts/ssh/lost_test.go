package ssh_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func TestAKilledAgentIsALostConnection(t *testing.T) {
	noLeaks(t)
	machine := hosttest.NewFake("cp-1")
	begun := make(chan struct{})
	machine.Before = func(ctx context.Context, _ hosts.Action) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}
	server := hosttest.NewServer(t, machine)
	server.Life = agent.Life{Interval: 20 * time.Millisecond, Silence: 10 * time.Second}
	var started agents
	server.SetHooks(hosttest.Hooks{Agent: started.started})
	host := connect(t, options(server))
	go func() {
		<-begun
		started.kill("KILL")
	}()
	_, err := host.Do(t.Context(), hosts.LoadModule{Name: "overlay"}, nil)
	wantError(t, err, hosts.KindCut, "KILL", "run the same command again")
	_, err = host.Observe(t.Context(), hosts.Query{})
	wantError(t, err, hosts.KindCut)
	if err := host.Close(); err != nil {
		t.Errorf("closing ends with %v", err)
	}
}

func TestACutConnectionEndsAllCalls(t *testing.T) {
	noLeaks(t)
	machine := hosttest.NewFake("cp-1")
	const calls = 5
	begun := make(chan struct{}, calls)
	machine.Before = func(ctx context.Context, _ hosts.Action) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	server := hosttest.NewServer(t, machine)
	var started agents
	server.SetHooks(hosttest.Hooks{Agent: started.started})
	host := connect(t, options(server))
	const echo = "127.0.0.1:7"
	stop, err := machine.Serve("tcp", echo, hosttest.Echo)
	must(t, err)
	t.Cleanup(stop)
	conn, err := host.Dial(t.Context(), "tcp", echo)
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, calls)
	for range calls {
		go func() {
			_, err := host.Do(context.Background(), hosts.LoadModule{Name: "overlay"}, nil)
			errs <- err
		}()
	}
	for range calls {
		<-begun
	}
	server.Cut()
	for range calls {
		wantError(t, <-errs, hosts.KindCut)
	}
	if _, err := io.ReadAll(conn); err == nil {
		t.Error("a connection through the host goes on")
	}
	// The agent's grace is not waited for here: the actions end with the server.
	started.kill("KILL")
}

func TestASilentHostIsALostConnection(t *testing.T) {
	noLeaks(t)
	server := newServer(t)
	var held silence
	server.SetHooks(hosttest.Hooks{Conn: held.wrap})
	o := options(server)
	o.Life = agent.Life{Interval: 10 * time.Millisecond, Silence: time.Second}
	host := connect(t, o)
	held.begin()
	defer held.end()
	_, err := host.Observe(t.Context(), hosts.Query{})
	wantError(t, err, hosts.KindCut, "no sign of life")
}

func TestErrorsNameTheHost(t *testing.T) {
	machine := hosttest.NewFake("cp-1")
	machine.Before = func(context.Context, hosts.Action) error {
		return &hosts.Error{Kind: hosts.KindForeign, Op: "look", Err: errors.New("docker runs here"), Fix: "remove it"}
	}
	host := connect(t, options(hosttest.NewServer(t, machine)))
	_, err := host.Do(t.Context(), hosts.DisableSwap{}, nil)
	known := wantError(t, err, hosts.KindForeign, "docker runs here", "remove it")
	if n := strings.Count(err.Error(), "on cp-1"); n != 1 {
		t.Errorf("the host is named %d times: %v", n, known)
	}
}
