package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// journal is what an agent logs.
type journal struct {
	mutex sync.Mutex
	said  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.said.Write(p)
}

func (j *journal) String() string {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.said.String()
}

// panicking connects to a host whose actions panic.
func panicking(t *testing.T, with any) (*agent.Client, *wire, *journal) {
	t.Helper()
	logged := &journal{}
	w := serve(stub{
		do:      func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) { panic(with) },
		observe: func(context.Context) (hosts.Facts, error) { return hosts.Facts{Hostname: "cp-1"}, nil },
	}, agent.ServeOptions{Version: "v1", Log: logged})
	client, err := agent.Connect(t.Context(), w.in, w.out, agent.ConnectOptions{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	return client, w, logged
}

func TestAPanicFailsItsCallAndNothingElse(t *testing.T) {
	client, w, logged := panicking(t, []string{"out of cheese"})
	_, err := client.Do(t.Context(), anAction, nil)
	failed, known := errors.AsType[*hosts.Error](err)
	if !known || failed.Kind != hosts.KindBroken || failed.Op != hosts.Describe(anAction).Deed || failed.Fix == "" {
		t.Fatalf("the call ends with %#v: %v", err, err)
	}
	for _, word := range []string{"the agent has a fault", "out of cheese", "fault_test.go:"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	if facts, err := client.Observe(t.Context(), hosts.Query{}); err != nil || facts.Hostname != "cp-1" {
		t.Errorf("the next call ends with %v", err)
	}
	finish(t, client, w)
	if lines := strings.Count(logged.String(), "\n"); lines != 1 || !strings.Contains(logged.String(), "/do: the agent has a fault: [out of cheese], at ") {
		t.Errorf("the agent logs: %s", logged)
	}
}

// faulty is a connection that panics.
type faulty struct{ net.Conn }

func (faulty) Read([]byte) (int, error) { panic("out of cheese") }

func TestAPanicAfterTheAnswerBreaksTheConnectionOff(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	logged := &journal{}
	w := serve(stub{dial: func(context.Context) (net.Conn, error) { return faulty{near}, nil }}, agent.ServeOptions{Version: "v1", Log: logged})
	client, err := agent.Connect(t.Context(), w.in, w.out, agent.ConnectOptions{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := client.Dial(t.Context(), "tcp", "10.0.0.1:6443")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the connection ends with %v", err)
	}
	_ = conn.Close()
	finish(t, client, w)
	if lines := strings.Count(logged.String(), "\n"); lines != 1 || !strings.Contains(logged.String(), "/dial: the agent has a fault: out of cheese, at ") {
		t.Errorf("the agent logs: %s", logged)
	}
}

func TestAnAbortIsNoFault(t *testing.T) {
	client, w, logged := panicking(t, http.ErrAbortHandler)
	_, err := client.Do(t.Context(), anAction, nil)
	if failed, known := errors.AsType[*hosts.Error](err); !known || failed.Kind != hosts.KindCut {
		t.Errorf("the call ends with %v", err)
	}
	_ = client.Close()
	<-w.served
	if logged.String() != "" {
		t.Errorf("the agent logs: %s", logged)
	}
}

// TestWhatHTTPHasToSayIsLogged: it says what of the other end's bytes was wrong.
func TestWhatHTTPHasToSayIsLogged(t *testing.T) {
	logged := &journal{}
	w := serve(stub{}, agent.ServeOptions{Version: "v1", Log: logged})
	go func() { _, _ = io.Copy(io.Discard, w.in) }()
	go func() {
		_, _ = io.WriteString(w.out, hello+"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"+"\x00\x00\x00\x01\x05\x00\x00\x00\x02")
	}()
	if err := <-w.served; err == nil {
		t.Error("the agent ends with no error")
	}
	if !strings.Contains(logged.String(), "http2: ") {
		t.Errorf("the agent logs: %q", logged)
	}
}

// TestAnEndWithoutHTTP2IsRefused: net/http would fail later, in words that do not name the setting.
func TestAnEndWithoutHTTP2IsRefused(t *testing.T) {
	for setting, refused := range map[string]string{
		"http2client=0":                     "http2client=0",
		"http2debug=0,http2server=0":        "http2server=0",
		"http2client=0,http2client=1":       "",
		"http2server=1,http2client=1":       "",
		"http2server=1,gctrace=0,http2xy=0": "",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Setenv("GODEBUG", setting)
			w := serve(stub{}, agent.ServeOptions{Version: "v1"})
			client, err := agent.Connect(t.Context(), w.in, w.out, agent.ConnectOptions{Version: "v1"})
			if err == nil {
				err = client.Close()
			}
			served := <-w.served
			switch {
			case refused == "" && (err != nil || served != nil):
				t.Errorf("the operator's end: %v; the agent's: %v", err, served)
			case strings.HasPrefix(refused, "http2client") && (err == nil || !strings.Contains(err.Error(), "GODEBUG has "+refused)):
				t.Errorf("the operator's end: %v", err)
			case strings.HasPrefix(refused, "http2server") && (served == nil || !strings.Contains(served.Error(), "GODEBUG has "+refused)):
				t.Errorf("the agent's end: %v", served)
			}
		})
	}
}

// TestTheHostsOwnFaultIsToldOnce, with what to do: the host has recovered by itself.
func TestTheHostsOwnFaultIsToldOnce(t *testing.T) {
	broken := &hosts.Error{Kind: hosts.KindBroken, Op: "look at the host", Err: fmt.Errorf("units: %w", hosts.Fault("out of cheese"))}
	w := serve(stub{observe: func(context.Context) (hosts.Facts, error) { return hosts.Facts{}, broken }}, agent.ServeOptions{Version: "v1"})
	client, err := agent.Connect(t.Context(), w.in, w.out, agent.ConnectOptions{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Observe(t.Context(), hosts.Query{})
	failed, known := errors.AsType[*hosts.Error](err)
	if !known || failed.Fix == "" || err.Error() != broken.Error() {
		t.Errorf("the call ends with %#v: %v", err, err)
	}
	finish(t, client, w)
}
