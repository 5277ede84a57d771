package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// TestAnAgentThatIsStoppedIsNoInterrupt: what a signal to the agent breaks off has failed
// there; only the operator's own cancellation is one.
func TestAnAgentThatIsStoppedIsNoInterrupt(t *testing.T) {
	agentIn, out := io.Pipe()
	in, agentOut := io.Pipe()
	ctx, terminate := context.WithCancel(t.Context())
	begun, served := make(chan struct{}), make(chan error, 1)
	wait := func(ctx context.Context) error {
		begun <- struct{}{}
		<-ctx.Done()
		return &hosts.Error{Kind: hosts.KindBroken, Op: "run modprobe", Err: fmt.Errorf("stopped: %w", ctx.Err())}
	}
	host := stub{
		do: func(ctx context.Context, _ hosts.Action, _ func(hosts.Progress)) (hosts.Outcome, error) {
			return hosts.Outcome{}, wait(ctx)
		},
		observe: func(ctx context.Context) (hosts.Facts, error) { return hosts.Facts{}, wait(ctx) },
	}
	go func() {
		served <- agent.Serve(ctx, host, agentIn, agentOut, agent.ServeOptions{Version: "v1"})
		_ = agentOut.Close()
	}()
	client, err := agent.Connect(t.Context(), in, out, agent.ConnectOptions{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	errs := make(chan error, 2)
	go func() { _, err := client.Do(t.Context(), anAction, nil); errs <- err }()
	go func() { _, err := client.Observe(t.Context(), hosts.Query{}); errs <- err }()
	<-begun
	<-begun
	terminate()
	for range 2 {
		err := <-errs
		var known *hosts.Error
		if !errors.As(err, &known) || known.Kind != hosts.KindCut || errors.Is(err, context.Canceled) ||
			!strings.Contains(err.Error(), "the agent was told to stop") || known.Fix == "" {
			t.Errorf("a call in hand ends with %#v: %v", err, err)
		}
	}
	if err := <-served; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("the agent ends with %v", err)
	}
}

func TestACancellationOnTheHostIsNotTheCallers(t *testing.T) {
	client, _ := connect(t, stub{do: func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
		return hosts.Outcome{}, &hosts.Error{Kind: hosts.KindDiskFull, Op: "run", Err: context.Canceled, Fix: "free some"}
	}})
	defer client.Close()
	_, err := client.Do(t.Context(), anAction, nil)
	var known *hosts.Error
	if errors.Is(err, context.Canceled) || !errors.As(err, &known) || known.Kind != hosts.KindDiskFull || known.Fix != "free some" {
		t.Errorf("the action ends with %#v: %v", err, err)
	}
}
