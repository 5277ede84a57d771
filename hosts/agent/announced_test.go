package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// TestAnAgentThatIsStoppedSaysSoWhileConnectionsAreOpen: HTTP/2 closes the operator's end as soon
// as the last of them has ended, before the agent has.
func TestAnAgentThatIsStoppedSaysSoWhileConnectionsAreOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		agentIn, out := io.Pipe()
		in, agentOut := io.Pipe()
		ctx, terminate := context.WithCancel(t.Context())
		near, far := net.Pipe()
		host := stub{dial: func(context.Context) (net.Conn, error) { return near, nil }}
		go func() {
			_ = agent.Serve(ctx, host, agentIn, agentOut, agent.ServeOptions{Version: "v1"})
			_ = agentOut.Close()
			_ = agentIn.Close()
		}()
		words := errors.New("it was told to stop, and ended")
		client, err := agent.Connect(t.Context(), in, out, agent.ConnectOptions{Version: "v1", Explain: func(cause error) error {
			if !errors.Is(cause, io.EOF) {
				return cause
			}
			return words
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Dial(t.Context(), "tcp", "10.0.0.1:6443"); err != nil {
			t.Fatal(err)
		}
		terminate()
		<-client.Done()
		if _, err := client.Observe(t.Context(), hosts.Query{}); !errors.Is(err, words) {
			t.Errorf("the operator is told: %v", err)
		}
		_ = far.Close()
	})
}

// TestAConnectionThatBreaksOffIsToldAtOnce, while the session lives.
func TestAConnectionThatBreaksOffIsToldAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"done":null}`+"\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		conn, err := client.Dial(t.Context(), "tcp", "10.0.0.1:6443")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(begin) > 0 {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		synctest.Wait()
		_ = conn.Close()
		_ = client.Close()
	})
}
